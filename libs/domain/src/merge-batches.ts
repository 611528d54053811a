import type { RecordBatch } from './record-batch.js';

/** Batches of one topic that follow one another as one; their bytes are copied once. */
export function mergeBatches(batches: readonly RecordBatch[]): RecordBatch {
  const [first] = batches;
  if (batches.length === 1) return first;
  const ranges = batches.map(usedRange);
  const count = batches.reduce((sum, batch) => sum + batch.count, 0);
  const merged = {
    topic: first.topic,
    partition: first.partition,
    count,
    bytes: new Uint8Array(ranges.reduce((sum, [low, high]) => sum + high - low, 0)),
    keyStart: new Int32Array(count),
    keyEnd: new Int32Array(count),
    valueStart: new Int32Array(count),
    valueEnd: new Int32Array(count),
    timestamps: new Float64Array(count),
    offsets: new Float64Array(count),
  };
  let row = 0;
  let at = 0;
  batches.forEach((batch, b) => {
    const [low, high] = ranges[b];
    merged.bytes.set(batch.bytes.subarray(low, high), at);
    merged.timestamps.set(batch.timestamps, row);
    merged.offsets.set(batch.offsets, row);
    const shift = at - low;
    for (let i = 0; i < batch.count; i++, row++) {
      const key = batch.keyStart[i];
      const value = batch.valueStart[i];
      merged.keyStart[row] = key < 0 ? -1 : key + shift;
      merged.keyEnd[row] = key < 0 ? -1 : batch.keyEnd[i] + shift;
      merged.valueStart[row] = value < 0 ? -1 : value + shift;
      merged.valueEnd[row] = value < 0 ? -1 : batch.valueEnd[i] + shift;
    }
    at += high - low;
  });
  return merged;
}

/** The part of a batch's bytes that its records use: it may be a slice of a larger one, which must not come along. */
export function usedRange({ count, keyStart, keyEnd, valueStart, valueEnd }: RecordBatch): [low: number, high: number] {
  let low = Infinity;
  let high = 0;
  for (let i = 0; i < count; i++) {
    if (keyStart[i] >= 0) {
      low = Math.min(low, keyStart[i]);
      high = Math.max(high, keyEnd[i]);
    }
    if (valueStart[i] >= 0) {
      low = Math.min(low, valueStart[i]);
      high = Math.max(high, valueEnd[i]);
    }
  }
  return low < high ? [low, high] : [0, 0];
}
