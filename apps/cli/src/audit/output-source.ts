/** The outcomes of one input partition, out of the two topics they went to, in the order of each. */
import type { PartitionReader } from '#adapters/kafka/topic-reader';
import { keyOf, valueOf, type RecordBatch } from '#domain/record-batch';
import { deadLetterText, truncatedText } from './dead-letter-text.js';
import type { FoundOutcome } from './outcome-ledger.js';

/** One output topic's partition. */
export interface OutputPartition {
  readonly reader: Pick<PartitionReader, 'next'>;
  readonly isDeadLetters: boolean;
  /** Its oldest records have been deleted. */
  readonly isCut: boolean;
}

interface Cursor extends OutputPartition {
  /** The highest offset of a source record that an outcome was read of. */
  reached: number;
  first: number | undefined;
  ended: boolean;
}

export class OutputSource {
  /** Records that are no outcomes of ours. */
  foreign = 0;
  private readonly cursors: Cursor[];

  constructor(
    partitions: readonly OutputPartition[],
    /** The input partition; outcomes of others may be there too. */
    private readonly source: { readonly topic: string; readonly partition: number },
  ) {
    this.cursors = partitions.map((p) => ({ ...p, reached: -1, first: undefined, ended: false }));
  }

  /** Hands on outcomes until each topic has gone past the one of `offset`, or has ended. */
  async advance(offset: number, found: (outcome: FoundOutcome) => void): Promise<void> {
    for (const cursor of this.cursors)
      while (!cursor.ended && cursor.reached < offset) {
        const read = await cursor.reader.next();
        if (read === null) cursor.ended = true;
        else
          for (let i = 0; i < read.batch.count; i++) {
            const outcome = cursor.isDeadLetters
              ? deadLetterOf(read.batch, i, read.headers(i), this.source)
              : answerOf(read.batch, i, this.source.topic);
            if (outcome === 'foreign') this.foreign += 1;
            else if (outcome !== undefined) {
              cursor.reached = Math.max(cursor.reached, outcome.offset);
              cursor.first ??= outcome.offset;
              found(outcome);
            }
          }
      }
  }

  /** Below it outcomes may have been deleted with an output's oldest records. */
  get deletedBelow(): number {
    return Math.max(0, ...this.cursors.map(({ isCut, first }) => (isCut ? (first ?? Infinity) : 0)));
  }
}

/** undefined: another input topic's. */
function answerOf(batch: RecordBatch, i: number, topic: string): FoundOutcome | undefined | 'foreign' {
  const bytes = valueOf(batch, i);
  if (bytes === null) return 'foreign';
  try {
    const answer = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()) as Record<
      string,
      unknown
    >;
    const { offset, stream, model, canary } = answer;
    if (typeof offset !== 'number' || typeof stream !== 'string') return 'foreign';
    if (answer.topic !== undefined && answer.topic !== topic) return undefined;
    const label = typeof model === 'string' || model === null ? model : undefined;
    const share = typeof canary === 'number' ? canary : undefined;
    return { offset, stream, bytes, isDeadLetter: false, model: label, canary: share };
  } catch {
    return 'foreign';
  }
}

function deadLetterOf(
  batch: RecordBatch,
  i: number,
  headers: ReadonlyMap<string, string>,
  source: { readonly topic: string; readonly partition: number },
): FoundOutcome | undefined | 'foreign' {
  const [code, topic] = [headers.get('error-code'), headers.get('source-topic')];
  const [partition, offset] = [headers.get('source-partition'), headers.get('source-offset')];
  if (code === undefined || offset === undefined || !/^\d{1,15}$/.test(offset)) return 'foreign';
  if (topic !== source.topic || partition !== String(source.partition)) return undefined;
  const key = keyOf(batch, i);
  const bytes =
    headers.get('truncated') === 'true' ? truncatedText(code) : deadLetterText(code, key, valueOf(batch, i));
  const stream = key === null ? undefined : Buffer.from(key).toString();
  return { offset: Number(offset), stream, bytes, isDeadLetter: true, model: undefined };
}
