/** Reads the log's records from disk, frame by frame, from any offset. */
import { RiverrunError } from '#domain/errors';
import { FrameReader } from './frame-reader.js';
import type { SegmentFile } from './segment-file.js';
import { TickFrame, recordsHead } from './tick-frames.js';

/** A file of the log: its first offset, and where some of its offsets lie. */
export interface LogPart {
  readonly file: SegmentFile;
  readonly base: number;
  readonly marks: { readonly offset: number; readonly position: number }[];
}

export class RecordScanner {
  private part: LogPart;
  private reader: FrameReader;

  constructor(
    private readonly parts: readonly LogPart[],
    private offset: number,
  ) {
    this.part = parts.findLast((part) => part.base <= offset)!;
    const mark = this.part.marks.findLast((m) => m.offset <= offset);
    this.reader = this.readerAt(mark?.position ?? 0);
  }

  /** The payload of the next frame of records that goes beyond the offset reached, as a copy. */
  next(): Uint8Array {
    for (;;) {
      this.reader.end = this.part.file.bytes;
      const frame = this.reader.next();
      if (frame === undefined) this.nextPart();
      else if (frame.kind === TickFrame.records) {
        const { base, count } = recordsHead(frame.payload);
        if (base + count <= this.offset) continue;
        this.offset = base + count;
        return frame.payload.slice();
      }
    }
  }

  private nextPart(): void {
    const following = this.parts[this.parts.indexOf(this.part) + 1];
    if (this.reader.position < this.part.file.bytes || following === undefined)
      throw new RiverrunError(
        'DATA_CORRUPT',
        `${this.part.file.path} is damaged at position ${this.reader.position}: the log cannot be read on from there`,
      );
    this.part = following;
    this.reader = this.readerAt(0);
  }

  private readerAt(position: number): FrameReader {
    return new FrameReader(this.part.file.fd, position, this.part.file.bytes, 1 << 18);
  }
}
