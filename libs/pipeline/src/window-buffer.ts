/** Window rows on their way to the store: a stream's youngest rows fill its tail; a full tail moves here as one segment, until the next save. */
import { SEGMENT_ROWS } from '#domain/ports';
import { Field, type StreamTable } from './stream-table.js';

export class WindowBuffer {
  /** Segments waiting, and whose they are. */
  readonly slots: number[] = [];
  readonly sequences: number[] = [];
  private rows: Float64Array;

  constructor(readonly width: number) {
    this.rows = new Float64Array(64 * SEGMENT_ROWS * width);
  }

  /** Adds a row (ts, inputs) to the stream's tail, moving the tail here first if it is full. */
  append(table: StreamTable, slot: number, ts: number, values: Float64Array, at: number): void {
    const { meta, tail, fields, tailStride } = table;
    const base = slot * fields;
    let rows = meta[base + Field.tailRows];
    if (rows === SEGMENT_ROWS) {
      this.push(table, slot);
      meta[base + Field.segments] = meta[base + Field.segments] + 1;
      rows = 0;
    }
    let target = slot * tailStride + rows * this.width;
    tail[target++] = ts;
    for (let k = 0; k < this.width - 1; k++) tail[target + k] = values[at + k]!;
    meta[base + Field.tailRows] = rows + 1;
  }

  /** The waiting segments' numbers, one after the other. */
  get pendingRows(): Float64Array {
    return this.rows.subarray(0, this.slots.length * SEGMENT_ROWS * this.width);
  }

  clear(): void {
    this.slots.length = 0;
    this.sequences.length = 0;
  }

  private push(table: StreamTable, slot: number): void {
    const length = SEGMENT_ROWS * this.width;
    const at = this.slots.length * length;
    if (at + length > this.rows.length) {
      const grown = new Float64Array(2 * this.rows.length);
      grown.set(this.rows);
      this.rows = grown;
    }
    const from = slot * table.tailStride;
    for (let k = 0; k < length; k++) this.rows[at + k] = table.tail[from + k]!;
    this.slots.push(slot);
    this.sequences.push(table.meta[slot * table.fields + Field.segments]);
  }
}
