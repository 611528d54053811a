/** The state store's files: places to read from, and compaction.
 *
 *  Compaction takes the oldest file, frame by frame, and writes what is still live again at the end, as a commit of its own under the same watermark.
 *  A file that nothing live is left in goes, once what was written again is on the disk itself. Always the oldest first: so a removal is never
 *  forgotten before what it removed. A crash at any point leaves at most a few records twice, and the later place wins, as always. */
import * as fs from 'node:fs';
import { FrameReader } from './frame-reader.js';
import type { SegmentFile, SegmentFiles } from './segment-file.js';
import { SegmentsView, StateFrame, StatesView, type StateWriter } from './state-frames.js';
import { placeOf, positionOf, slotOf, type StateIndex } from './state-index.js';
import type { Watermark } from '#domain/ports';

/** A load reads over gaps up to this long, and this much at a time. */
const GAP = 1 << 12;
const READ = 1 << 20;
const LEAST_STEP = 1 << 20;

export class StateFiles {
  private readonly slots: (SegmentFile | undefined)[] = [];
  private readonly slotByFile = new Map<SegmentFile, number>();
  private reader: FrameReader | undefined;
  /** How many of the oldest files nothing is left in; they wait for the sync. */
  private drained = 0;
  private scratch = new Uint8Array(1 << 16);

  constructor(
    private readonly files: SegmentFiles,
    private readonly index: StateIndex,
  ) {}

  /** The file's short name in places. */
  slot(file: SegmentFile): number {
    let slot = this.slotByFile.get(file);
    if (slot === undefined) {
      slot = this.slots.findIndex((taken) => taken === undefined);
      if (slot < 0) slot = this.slots.length;
      this.slots[slot] = file;
      this.slotByFile.set(file, slot);
      this.index.live[slot] = 0;
    }
    return slot;
  }

  /** Reads `lengths[k]` bytes at `places[k]` into `target` at `offsets[k]`; neighbours in one go. */
  read(places: ArrayLike<number>, lengths: ArrayLike<number>, target: Uint8Array, offsets: ArrayLike<number>): void {
    const order = Array.from({ length: places.length }, (_, k) => k).sort((a, b) => places[a] - places[b]);
    for (let from = 0; from < order.length;) {
      const start = places[order[from]];
      let end = start + lengths[order[from]];
      let to = from + 1;
      for (; to < order.length; to++) {
        const place = places[order[to]];
        const reach = place + lengths[order[to]];
        if (place - end > GAP || reach - start > READ || slotOf(place) !== slotOf(start)) break;
        // A record without bytes has the place of the one behind it.
        end = Math.max(end, reach);
      }
      if (to === from + 1) this.readExactly(start, target, offsets[order[from]], end - start);
      else {
        if (this.scratch.length < end - start) this.scratch = new Uint8Array(end - start);
        this.readExactly(start, this.scratch, 0, end - start);
        for (let j = from; j < to; j++) {
          const k = order[j];
          const at = places[k] - start;
          target.set(this.scratch.subarray(at, at + lengths[k]), offsets[k]);
        }
      }
      from = to;
    }
  }

  /** A step of compaction, after a commit of so many bytes, where there is too much that is dead. */
  compact(written: number, writer: StateWriter, watermark: Watermark): void {
    const budget = Math.max(LEAST_STEP, written);
    let scanned = 0;
    let moved = 0;
    while (scanned < 4 * budget && moved < budget && this.compactionIsDue()) {
      const file = this.files.files[this.drained];
      this.reader ??= new FrameReader(file.fd, 0, file.bytes, LEAST_STEP);
      const before = this.reader.position;
      const frame = this.index.live[this.slot(file)] === 0 ? undefined : this.reader.next();
      if (frame === undefined) {
        // Live bytes in a file read to its end would be lost with it: they can only be damage on the disk. Keep the file.
        if (this.index.live[this.slot(file)] !== 0) return;
        this.reader = undefined;
        this.drain();
        continue;
      }
      scanned += this.reader.position - before;
      const slot = this.slot(file);
      if (frame.kind === StateFrame.states)
        moved += this.moveStates(slot, frame.position, frame.payload, writer, watermark);
      else if (frame.kind === StateFrame.segments)
        moved += this.moveSegments(slot, frame.position, frame.payload, writer, watermark);
    }
  }

  private compactionIsDue(): boolean {
    const { files, fileBytes } = this.files;
    if (files.length - this.drained < 2) return false;
    let total = 0;
    for (let i = this.drained; i < files.length; i++) total += files[i].bytes;
    return total > 2 * this.index.liveBytes + fileBytes;
  }

  private moveStates(
    slot: number,
    position: number,
    payload: Uint8Array,
    writer: StateWriter,
    watermark: Watermark,
  ): number {
    const { index } = this;
    const handles: number[] = [];
    const start: number[] = [];
    const end: number[] = [];
    for (const view = new StatesView(payload); view.next();) {
      if (view.length < 0 || index.place(view.handle) !== placeOf(slot, position + view.start)) continue;
      handles.push(view.handle);
      start.push(view.start);
      end.push(view.start + view.length);
    }
    if (handles.length === 0) return 0;
    const positions = new Float64Array(handles.length);
    return this.move(writer, watermark, () => {
      writer.states(handles.length, (i) => index.ids[handles[i]]!, { handles, bytes: payload, start, end }, positions);
      return (newest) =>
        handles.forEach((handle, i) => index.setState(handle, placeOf(newest, positions[i]), end[i] - start[i]));
    });
  }

  private moveSegments(
    slot: number,
    position: number,
    payload: Uint8Array,
    writer: StateWriter,
    watermark: Watermark,
  ): number {
    const { index } = this;
    const view = new SegmentsView(payload);
    const alive: number[] = [];
    for (let k = 0; k < view.count; k++)
      if (index.segmentIsAt(view.handles[k], view.sequences[k], placeOf(slot, position + view.start(k)))) alive.push(k);
    if (alive.length === 0) return 0;
    const handles = alive.map((k) => view.handles[k]);
    const sequences = alive.map((k) => view.sequences[k]);
    const rowsOf = (i: number): Uint8Array =>
      payload.subarray(view.start(alive[i]), view.start(alive[i]) + view.segmentBytes);
    const positions = new Float64Array(alive.length);
    return this.move(writer, watermark, () => {
      writer.segments(alive.length, view.width, handles, sequences, rowsOf, positions);
      return (newest) =>
        handles.forEach((handle, i) => index.addSegment(handle, sequences[i], placeOf(newest, positions[i])));
    });
  }

  /** Writes a commit of moved records, then lets the index know. */
  private move(writer: StateWriter, watermark: Watermark, write: () => (newest: number) => void): number {
    if (this.files.rollIsDue) this.files.roll(new Uint8Array(0));
    const start = this.files.newest!.bytes;
    writer.begin(start);
    try {
      const apply = write();
      writer.watermark(watermark);
      writer.flush();
      apply(this.slot(this.files.newest!));
    } catch (error) {
      this.files.rewind(start);
      throw error;
    }
    return writer.position - start;
  }

  private drain(): void {
    this.drained += 1;
    void this.files.sync().then(() => {
      if (this.files.syncFailed || this.files.files.length < 2) return;
      const file = this.files.files[0];
      const slot = this.slot(file);
      this.slots[slot] = undefined;
      this.slotByFile.delete(file);
      this.drained -= 1;
      this.files.removeOldest();
    });
  }

  private readExactly(place: number, target: Uint8Array, at: number, length: number): void {
    const file = this.slots[slotOf(place)]!;
    const position = positionOf(place);
    for (let got = 0; got < length;) {
      const n = fs.readSync(file.fd, target, at + got, length - got, position + got);
      if (n === 0) throw new Error(`${file.path} ends at ${position + got}, before the record's end`);
      got += n;
    }
  }
}
