import type { RecordBatch } from '#domain/record-batch';

const FIRST_TS = 1_700_000_000_000;

/** Ticks [from, from + count) of a run in which each of `streams` streams ticks once a round, in an order that hops through them. */
export function tickBatch(streams: number, from: number, count: number): RecordBatch {
  const bytes = Buffer.allocUnsafe(count * 96);
  const [keyStart, keyEnd, valueStart, valueEnd] = [0, 1, 2, 3].map(() => new Int32Array(count));
  let at = 0;
  for (let i = 0; i < count; i++) {
    const round = Math.floor((from + i) / streams);
    const stream = `s${(((from + i) % streams) * 7919) % streams}`;
    keyStart[i] = at;
    at += bytes.write(stream, at, 'latin1');
    keyEnd[i] = valueStart[i] = at;
    const value = (Math.sin(round / 5 + (from + i)) * 0.9).toFixed(4);
    at += bytes.write(`{"stream":"${stream}","ts":${FIRST_TS + 1000 * round},"value":${value}}`, at, 'latin1');
    valueEnd[i] = at;
  }
  return {
    topic: 'ticks',
    partition: 0,
    count,
    bytes: bytes.subarray(0, at),
    keyStart,
    keyEnd,
    valueStart,
    valueEnd,
    timestamps: new Float64Array(count).fill(FIRST_TS),
    offsets: new Float64Array(count),
  };
}
