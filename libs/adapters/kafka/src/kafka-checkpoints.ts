/** Checkpoints in a compacted topic, in the partition of the same number: written in the instance's transactions, so that only the partition's owner writes, and read as committed. */
import type { CheckpointEntry, CheckpointLog } from '#domain/ports';
import { keyOf, valueOf } from '#domain/record-batch';
import { partitionKey, type TopicPartition } from './assign-partitions.js';
import type { BatchWriter, KafkaCodec } from './codec/codec.js';
import type { Fetcher } from './fetcher.js';
import type { ProducedPartition } from './transactional-producer.js';

export interface KafkaCheckpointsParts {
  readonly topic: string;
  readonly source: TopicPartition;
  readonly codec: KafkaCodec;
  readonly fetcher: Fetcher;
  /** Commits records at the partition's present offset. */
  readonly commit: (records: readonly ProducedPartition[]) => Promise<void>;
  /** The first and the next offset of a partition, as committed. */
  readonly edges: (part: TopicPartition) => Promise<{ start: number; end: number }>;
}

const BATCH_BYTES = 900_000;
const READ_RECORDS = 4096;

export class KafkaCheckpoints implements CheckpointLog {
  /** Several input topics share the checkpoint topic. */
  private readonly prefix: string;

  constructor(private readonly parts: KafkaCheckpointsParts) {
    this.prefix = `${partitionKey(parts.source)}/`;
  }

  async write(entries: readonly CheckpointEntry[]): Promise<void> {
    const { topic, source, codec, commit } = this.parts;
    const writers: BatchWriter[] = [];
    for (const { key, value } of entries) {
      const keyBytes = Buffer.from(this.prefix + key);
      let writer = writers.at(-1);
      if (writer === undefined || writer.byteLength + (value?.length ?? 0) > BATCH_BYTES)
        writers.push((writer = codec.createWriter()));
      writer.add(keyBytes, 0, keyBytes.length, value, 0, value?.length ?? 0);
    }
    await commit([{ topic, partition: source.partition, writers }]);
  }

  async read(visit: (key: string, value: Uint8Array | null) => void): Promise<void> {
    const { topic, source, fetcher, edges } = this.parts;
    const { start, end } = await edges({ topic, partition: source.partition });
    const feed = fetcher.open(topic, source.partition, start);
    try {
      for (;;) {
        const batch = await feed.take(READ_RECORDS, end);
        if (batch === null || batch.count === 0) return;
        for (let i = 0; i < batch.count; i++) {
          const key = Buffer.from(keyOf(batch, i) ?? []).toString();
          if (key.startsWith(this.prefix)) visit(key.slice(this.prefix.length), valueOf(batch, i)?.slice() ?? null);
        }
      }
    } finally {
      fetcher.release(feed);
    }
  }
}
