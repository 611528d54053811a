/** Outcomes as Kafka records: predictions and control answers under the tick's own key, dead letters with their bytes untouched and headers that say what, where from and why (KIP-1034). */
import { OutcomeKind, type OutcomeBatch } from '#domain/outcome';
import type { KafkaCodec, BatchWriter } from './codec/codec.js';
import type { ProducedPartition } from './transactional-producer.js';

export interface OutputTopics {
  readonly predictions: string;
  readonly deadLetters: string;
  readonly checkpoints: string;
  /** max.message.bytes of the dead-letter topic. */
  readonly deadLetterMaxBytes: number;
}

/** Below the smallest limit in common use, 1,000,012 bytes of a batch. */
const BATCH_BYTES = 900_000;
/** What headers and framing of a dead letter may take. */
const OVERHEAD = 4096;

/** Writers whose arenas are used again and again: fresh megabytes for every batch would be most of the work of the garbage collector. */
export class WriterPool {
  private readonly free: BatchWriter[] = [];

  constructor(private readonly codec: KafkaCodec) {}

  take(): BatchWriter {
    return this.free.pop() ?? this.codec.createWriter();
  }

  /** Nobody looks at what they wrote any more. */
  giveBack(parts: readonly ProducedPartition[]): void {
    for (const { writers } of parts)
      for (const writer of writers) {
        writer.clear();
        this.free.push(writer);
      }
  }
}

export function writeOutcomes(
  outcomes: OutcomeBatch,
  pool: WriterPool,
  { predictions, deadLetters, deadLetterMaxBytes }: OutputTopics,
): ProducedPartition[] {
  const { records, kinds, bytes, start, end, columns } = outcomes;
  const good: BatchWriter[] = [];
  const bad: BatchWriter[] = [];
  let writer: BatchWriter | undefined;
  for (let i = 0; i < records.count; i++) {
    if (kinds[i] === OutcomeKind.deadLetter) continue;
    if (writer === undefined || writer.byteLength > BATCH_BYTES) good.push((writer = pool.take()));
    if (records.keyStart[i] >= 0)
      writer.add(records.bytes, records.keyStart[i], records.keyEnd[i], bytes, start[i], end[i]);
    else {
      const key = Buffer.from(columns.stream[i] ?? '');
      writer.add(key, 0, key.length, bytes, start[i], end[i]);
    }
  }
  let letters: BatchWriter | undefined;
  // Decoding and admission add theirs one after the other: in the order of the log again.
  for (const i of [...outcomes.deadLetters.keys()].sort((a, b) => a - b)) {
    const size = Math.max(0, records.valueEnd[i] - records.valueStart[i]) + records.keyEnd[i] - records.keyStart[i];
    if (letters === undefined || letters.byteLength + size + OVERHEAD > BATCH_BYTES) bad.push((letters = pool.take()));
    addDeadLetter(letters, outcomes, i, size + OVERHEAD > deadLetterMaxBytes);
  }
  const { partition } = records;
  return [
    ...(good.length > 0 ? [{ topic: predictions, partition, writers: good }] : []),
    ...(bad.length > 0 ? [{ topic: deadLetters, partition, writers: bad }] : []),
  ];
}

function addDeadLetter(
  writer: BatchWriter,
  { records, deadLetters }: OutcomeBatch,
  i: number,
  truncated: boolean,
): void {
  const { code, message } = deadLetters.get(i)!;
  const text = (value: string | number): Buffer => Buffer.from(String(value));
  const [offset, partition] = [text(records.offsets[i]), text(records.partition)];
  const topic = text(records.topic);
  // Messages may quote what they refuse: a header is no place for a megabyte.
  const short = text(message).subarray(0, 1024);
  const headers: [string, Uint8Array][] = [
    ['error-code', text(code)],
    ['error-message', short],
    ['source-topic', topic],
    ['source-partition', partition],
    ['source-offset', offset],
    ['__streams.errors.exception', text(code)],
    ['__streams.errors.message', short],
    ['__streams.errors.topic', topic],
    ['__streams.errors.partition', partition],
    ['__streams.errors.offset', offset],
  ];
  if (truncated) headers.push(['truncated', text('true')]);
  const part = (from: number): Uint8Array | null => (from < 0 ? null : records.bytes);
  const key = truncated ? null : part(records.keyStart[i]);
  const value = truncated ? null : part(records.valueStart[i]);
  writer.add(key, records.keyStart[i], records.keyEnd[i], value, records.valueStart[i], records.valueEnd[i], headers);
}
