/** The frames of the state store, column by column, and the buffer they are written through.
 *
 *  states:    0 u32 n   4 u32 id bytes   8 u32 handle[n], u32 state bytes[n] (2^32 - 1: removed), u32 id bytes[n] (top bit: UTF-16), ids, states
 *  segments:  0 u32 n   4 u32 width      8 f64 sequence[n], u32 handle[n], zeros up to a multiple of 8, rows
 *  watermark: JSON. Only with this frame the ones before it count. */
import { SEGMENT_ROWS, type Watermark } from '#domain/ports';
import { FRAME_HEADER, frameBytes, padded, sealFrame } from './frame.js';

export const StateFrame = { states: 1, segments: 2, watermark: 3 } as const;

const REMOVED = 0xffffffff;
const WIDE = 0x80000000;
/** Frames, and single writes, are about this long at most. */
const FRAME_TARGET = 1 << 20;

export interface StateColumns {
  readonly handles: ArrayLike<number>;
  readonly bytes: Uint8Array;
  readonly start: ArrayLike<number>;
  readonly end: ArrayLike<number>;
}

export class StateWriter {
  private buffer = new Uint8Array(FRAME_TARGET + (1 << 18));
  private words = new Uint32Array(this.buffer.buffer);
  private doubles = new Float64Array(this.buffer.buffer);
  private used = 0;
  private flushed = 0;

  /** `write` appends to the file, whose length is `position` at first. */
  constructor(private readonly write: (bytes: Uint8Array) => void) {}

  begin(position: number): void {
    this.used = 0;
    this.flushed = position;
  }

  /** Bytes written and waiting, as a position in the file. */
  get position(): number {
    return this.flushed + this.used;
  }

  /** Writes states of entries 0..count-1; entry i has the id idOf(i); those with handle -1 are left out. Their positions in the file go to `positions`. */
  states(count: number, idOf: (i: number) => string, columns: StateColumns, positions: Float64Array): void {
    for (let from = 0; from < count;) {
      let size = FRAME_HEADER + 16;
      let to = from;
      for (; to < count && (to === from || size < FRAME_TARGET); to++)
        size += 12 + 2 * idOf(to).length + Math.max(0, columns.end[to] - columns.start[to]);
      this.statesFrame(from, to, size, idOf, columns, positions);
      from = to;
    }
  }

  segments(
    count: number,
    width: number,
    handles: ArrayLike<number>,
    sequence: ArrayLike<number>,
    rowsOf: (k: number) => Uint8Array,
    positions: Float64Array,
  ): void {
    const each = SEGMENT_ROWS * width * 8;
    const most = Math.max(1, Math.floor(FRAME_TARGET / (each + 12)));
    for (let from = 0; from < count; from += most) {
      const n = Math.min(most, count - from);
      const rowsAt = padded(8 + 12 * n);
      const length = rowsAt + n * each;
      const base = this.room(frameBytes(length)) + FRAME_HEADER;
      const at = this.position + FRAME_HEADER + rowsAt;
      this.words[base >> 2] = n;
      this.words[(base >> 2) + 1] = width;
      for (let k = 0; k < n; k++) {
        this.doubles[(base >> 3) + 1 + k] = sequence[from + k]!;
        this.words[(base >> 2) + 2 + 2 * n + k] = handles[from + k]!;
        this.buffer.set(rowsOf(from + k), base + rowsAt + k * each);
        positions[from + k] = at + k * each;
      }
      if (n % 2 === 1) this.words[(base >> 2) + 2 + 3 * n] = 0;
      this.seal(StateFrame.segments, length);
    }
  }

  watermark(watermark: Watermark): void {
    const json = Buffer.from(JSON.stringify(watermark));
    this.buffer.set(json, this.room(frameBytes(json.length)) + FRAME_HEADER);
    this.seal(StateFrame.watermark, json.length);
  }

  flush(): void {
    if (this.used > 0) this.write(this.buffer.subarray(0, this.used));
    this.flushed += this.used;
    this.used = 0;
  }

  private statesFrame(
    from: number,
    to: number,
    size: number,
    idOf: (i: number) => string,
    { handles, bytes, start, end }: StateColumns,
    positions: Float64Array,
  ): void {
    const base = this.room(size + 8) + FRAME_HEADER;
    const { buffer, words } = this;
    let n = 0;
    for (let i = from; i < to; i++) if (handles[i] >= 0) n++;
    const columns = (base >> 2) + 2;
    const idsAt = base + 8 + 12 * n;
    let at = idsAt;
    let row = columns;
    for (let i = from; i < to; i++) {
      if (handles[i] < 0) continue;
      const id = idOf(i);
      const before = at;
      let wide = 0;
      for (let j = 0; j < id.length; j++) {
        const unit = id.charCodeAt(j);
        if (unit > 0xff) wide = WIDE;
        buffer[at++] = unit;
      }
      if (wide !== 0) {
        at = before;
        for (let j = 0; j < id.length; j++) {
          const unit = id.charCodeAt(j);
          buffer[at++] = unit & 0xff;
          buffer[at++] = unit >> 8;
        }
      }
      words[row] = handles[i]!;
      words[row + n] = start[i] < 0 ? REMOVED : end[i] - start[i];
      words[row + 2 * n] = (at - before + wide) >>> 0;
      row += 1;
    }
    words[base >> 2] = n;
    words[(base >> 2) + 1] = at - idsAt;
    const { flushed } = this;
    // States that follow one another in memory are copied in one go.
    let runFrom = 0;
    let runTo = 0;
    for (let i = from; i < to; i++) {
      if (handles[i] < 0 || start[i] < 0) continue;
      if (start[i] !== runTo) {
        if (runTo > runFrom) buffer.set(bytes.subarray(runFrom, runTo), at);
        at += runTo - runFrom;
        runFrom = start[i]!;
        runTo = runFrom;
      }
      positions[i] = flushed + at + (runTo - runFrom);
      runTo = end[i]!;
    }
    if (runTo > runFrom) buffer.set(bytes.subarray(runFrom, runTo), at);
    at += runTo - runFrom;
    this.seal(StateFrame.states, at - base);
  }

  /** Where a frame of at most `size` bytes may begin in the buffer. */
  private room(size: number): number {
    if (this.used > 0 && this.used + size > this.buffer.length) this.flush();
    if (size > this.buffer.length) {
      this.buffer = new Uint8Array(padded(size));
      this.words = new Uint32Array(this.buffer.buffer);
      this.doubles = new Float64Array(this.buffer.buffer);
    }
    return this.used;
  }

  private seal(kind: number, length: number): void {
    sealFrame(this.buffer.subarray(this.used), kind, length);
    this.used += frameBytes(length);
    if (this.used >= FRAME_TARGET) this.flush();
  }
}

/** A states frame's columns, over its payload. */
export class StatesView {
  readonly count: number;
  private readonly words: Uint32Array;
  private idAt: number;
  private stateAt: number;
  /** Of the entry reached with `next`. */
  row = -1;
  start = 0;
  length = 0;

  constructor(readonly payload: Uint8Array) {
    const [count, idBytes] = new Uint32Array(payload.buffer, payload.byteOffset, 2);
    this.count = count!;
    this.words = new Uint32Array(payload.buffer, payload.byteOffset + 8, 3 * count);
    this.idAt = 8 + 12 * count;
    this.stateAt = this.idAt + idBytes;
  }

  next(): boolean {
    if (this.row >= 0) this.idAt += this.words[2 * this.count + this.row] & 0x7fffffff;
    this.row += 1;
    if (this.row >= this.count) return false;
    const length = this.words[this.count + this.row];
    this.start = this.stateAt;
    this.length = length === REMOVED ? -1 : length;
    if (length !== REMOVED) this.stateAt += length;
    return true;
  }

  get handle(): number {
    return this.words[this.row];
  }
  get id(): string {
    const length = this.words[2 * this.count + this.row];
    const { buffer, byteOffset } = this.payload;
    const bytes = Buffer.from(buffer, byteOffset + this.idAt, length & 0x7fffffff);
    return bytes.toString((length & WIDE) === 0 ? 'latin1' : 'utf16le');
  }
}

/** A segments frame's columns, over its payload. */
export class SegmentsView {
  readonly count: number;
  readonly width: number;
  readonly segmentBytes: number;
  readonly sequences: Float64Array;
  readonly handles: Uint32Array;
  private readonly rowsAt: number;

  constructor(readonly payload: Uint8Array) {
    const [count, width] = new Uint32Array(payload.buffer, payload.byteOffset, 2);
    this.count = count!;
    this.width = width!;
    this.segmentBytes = SEGMENT_ROWS * width * 8;
    this.sequences = new Float64Array(payload.buffer, payload.byteOffset + 8, count);
    this.handles = new Uint32Array(payload.buffer, payload.byteOffset + 8 + 8 * count, count);
    this.rowsAt = padded(8 + 12 * count);
  }

  /** Where segment k's rows begin in the payload. */
  start(k: number): number {
    return this.rowsAt + k * this.segmentBytes;
  }
}
