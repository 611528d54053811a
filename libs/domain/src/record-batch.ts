/** Records as they lie in the log: columns over one arena of bytes, so that a batch costs no object per record. */
export interface RecordBatch {
  readonly topic: string;
  readonly partition: number;
  readonly count: number;
  readonly bytes: Uint8Array;
  /** Byte range of record i's key in `bytes`; keyStart[i] is -1 where there is no key. */
  readonly keyStart: Int32Array;
  readonly keyEnd: Int32Array;
  /** Byte range of record i's value; valueStart[i] is -1 for a null value (a tombstone). */
  readonly valueStart: Int32Array;
  readonly valueEnd: Int32Array;
  /** The record's own timestamp, ms since 1970. */
  readonly timestamps: Float64Array;
  readonly offsets: Float64Array;
}

/** Bytes of record i's key or value, without copying. */
export function keyOf(batch: RecordBatch, i: number): Uint8Array | null {
  return batch.keyStart[i] < 0 ? null : batch.bytes.subarray(batch.keyStart[i], batch.keyEnd[i]);
}
export function valueOf(batch: RecordBatch, i: number): Uint8Array | null {
  return batch.valueStart[i] < 0 ? null : batch.bytes.subarray(batch.valueStart[i], batch.valueEnd[i]);
}

/** Gathers records into a batch. Offsets count up from `baseOffset`; a log that assigns its own replaces them. */
export class RecordBatchBuilder {
  private bytes = new Uint8Array(1 << 16);
  private length = 0;
  private readonly ranges: number[] = [];
  private readonly times: number[] = [];

  get count(): number {
    return this.times.length;
  }
  get byteLength(): number {
    return this.length;
  }

  add(key: Uint8Array | null, value: Uint8Array | null, timestamp: number): void {
    this.ranges.push(...this.append(key), ...this.append(value));
    this.times.push(timestamp);
  }

  /** Hands the batch over and starts afresh. */
  build(topic: string, partition: number, baseOffset: number): RecordBatch {
    const count = this.times.length;
    const column = (k: number): Int32Array => Int32Array.from({ length: count }, (_, i) => this.ranges[4 * i + k]);
    const batch: RecordBatch = {
      topic,
      partition,
      count,
      bytes: this.bytes.subarray(0, this.length),
      keyStart: column(0),
      keyEnd: column(1),
      valueStart: column(2),
      valueEnd: column(3),
      timestamps: Float64Array.from(this.times),
      offsets: Float64Array.from({ length: count }, (_, i) => baseOffset + i),
    };
    this.bytes = new Uint8Array(1 << 16);
    this.length = 0;
    this.ranges.length = 0;
    this.times.length = 0;
    return batch;
  }

  private append(part: Uint8Array | null): [start: number, end: number] {
    if (part === null) return [-1, -1];
    const end = this.length + part.length;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.bytes.length));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    this.bytes.set(part, this.length);
    const start = this.length;
    this.length = end;
    return [start, end];
  }
}

export const emptyBatch = (topic: string, partition: number): RecordBatch =>
  new RecordBatchBuilder().build(topic, partition, 0);

/** Records [from, to) of a batch, over the same bytes. */
export function sliceBatch(batch: RecordBatch, from: number, to: number): RecordBatch {
  if (from === 0 && to === batch.count) return batch;
  return {
    ...batch,
    count: to - from,
    keyStart: batch.keyStart.subarray(from, to),
    keyEnd: batch.keyEnd.subarray(from, to),
    valueStart: batch.valueStart.subarray(from, to),
    valueEnd: batch.valueEnd.subarray(from, to),
    timestamps: batch.timestamps.subarray(from, to),
    offsets: batch.offsets.subarray(from, to),
  };
}
