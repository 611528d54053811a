/** Reads a file's frames in order through one buffer. */
import * as fs from 'node:fs';
import { FRAME_HEADER, frameBytes, headerAt, payloadIsWhole, type Frame } from './frame.js';

const CHUNK = 1 << 22;

export class FrameReader {
  private buffer = new Uint8Array(0);
  /** `buffer` holds the file's bytes from `from` on, `filled` of them. */
  private from = 0;
  private filled = 0;

  /** Reading starts at `position`, the beginning of a frame, and ends before `end`. */
  constructor(
    private readonly fd: number,
    public position: number,
    public end: number,
    private readonly chunk = CHUNK,
  ) {}

  /** The next frame, or undefined where the file ends or holds none: then `position` < `end` tells that something else lies there. */
  next(): Frame | undefined {
    const { position } = this;
    if (!this.fill(position, FRAME_HEADER)) return undefined;
    const header = headerAt(this.buffer.subarray(0, this.filled), position - this.from);
    if (header === undefined) return undefined;
    const whole = frameBytes(header.length);
    // Filling moves the buffer: look at nothing of it from before.
    if (!this.fill(position, whole)) return undefined;
    const at = position - this.from + FRAME_HEADER;
    const payload = this.buffer.subarray(at, at + header.length);
    if (!payloadIsWhole(payload, header)) return undefined;
    this.position = position + whole;
    return { kind: header.kind, payload, position: position + FRAME_HEADER };
  }

  /** After `next` said undefined: whether a whole frame lies anywhere behind `position`. Then this is damage in the middle, not a torn tail. */
  framesFollow(): boolean {
    const { position, end } = this;
    // A whole header whose payload runs past the end of the file: the write was cut off there, and nothing can follow.
    if (this.fill(position, FRAME_HEADER)) {
      const header = headerAt(this.buffer.subarray(0, this.filled), position - this.from);
      if (header !== undefined && position + frameBytes(header.length) >= end) return false;
    }
    for (let at = position + 8; at + FRAME_HEADER <= end; at += 8) {
      if (!this.fill(at, FRAME_HEADER)) return false;
      const i = at - this.from;
      if (this.buffer[i] !== 0x52 || this.buffer[i + 1] !== 0x52) continue;
      this.position = at;
      const found = this.next() !== undefined;
      this.position = position;
      if (found) return true;
    }
    return false;
  }

  /** Makes [position, position + length) lie in the buffer; false where the file is shorter. */
  private fill(position: number, length: number): boolean {
    if (position + length > this.end) return false;
    if (position >= this.from && position + length <= this.from + this.filled) return true;
    const size = Math.max(length, this.chunk);
    if (this.buffer.length < size) this.buffer = new Uint8Array(size);
    const wanted = Math.min(this.buffer.length, this.end - position);
    let got = 0;
    while (got < wanted) {
      const n = fs.readSync(this.fd, this.buffer, got, wanted - got, position + got);
      if (n === 0) break;
      got += n;
    }
    this.from = position;
    this.filled = got;
    return got >= length;
  }
}
