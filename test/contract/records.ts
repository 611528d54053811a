import { OutcomeKind, type DeadLetter, type OutcomeBatch } from '#domain/outcome';
import { RecordBatchBuilder, keyOf, valueOf, type RecordBatch } from '#domain/record-batch';

export interface PlainRecord {
  readonly key: string | null;
  readonly value: string | null;
  readonly ts: number;
}

const bytes = (text: string | null): Uint8Array | null => (text === null ? null : Buffer.from(text));
const text = (part: Uint8Array | null): string | null => (part === null ? null : Buffer.from(part).toString());

export function batchOf(records: readonly PlainRecord[], base = 0, topic = 'ticks'): RecordBatch {
  const builder = new RecordBatchBuilder();
  for (const { key, value, ts } of records) builder.add(bytes(key), bytes(value), ts);
  return builder.build(topic, 0, base);
}

export const plain = (batch: RecordBatch): (PlainRecord & { offset: number })[] =>
  Array.from({ length: batch.count }, (_, i) => ({
    key: text(keyOf(batch, i)),
    value: text(valueOf(batch, i)),
    ts: batch.timestamps[i],
    offset: batch.offsets[i],
  }));

/** Outcomes for a batch; every third record is refused. */
export function outcomesFor(records: RecordBatch, model: string | null = 'm@1'): OutcomeBatch {
  const { count } = records;
  const kinds = new Uint8Array(count);
  const deadLetters = new Map<number, DeadLetter>();
  for (let i = 0; i < count; i++) {
    if (records.offsets[i] % 3 !== 0) continue;
    kinds[i] = OutcomeKind.deadLetter;
    deadLetters.set(i, { code: 'VALUE', message: `refused ${records.offsets[i]} \u{1f30a}` });
  }
  const none = new Float64Array(count).fill(NaN);
  return {
    records,
    model,
    kinds,
    bytes: new Uint8Array(0),
    start: new Int32Array(count),
    end: new Int32Array(count),
    deadLetters,
    columns: {
      stream: [],
      ts: none,
      value: none,
      expected: none,
      expectedHalf: none,
      expectedFromModel: new Uint8Array(0),
      prediction: none,
      half: none,
    },
  };
}
