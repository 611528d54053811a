/** Reads topics from their start on, for as long as it is needed and whatever becomes of the broker: stock kafkajs, committed records only. */
import kafkajs, { type Batch, type Consumer } from 'kafkajs';
import { decompressRecords } from '#adapters/kafka/codec/compression';
import { kafkaClient, recordOf, type ReadRecord } from '../support/kafka-clients.js';
import { uniqueName } from '../support/servers/unique-name.js';

// Stock kafkajs knows gzip only.
const { CompressionCodecs, CompressionTypes } = kafkajs;
for (const type of [CompressionTypes.Snappy, CompressionTypes.LZ4, CompressionTypes.ZSTD] as const)
  CompressionCodecs[type] = () => ({
    compress: () => Promise.reject(new Error('reads only')),
    decompress: (bytes: Buffer) => Promise.resolve(decompressRecords(type, bytes)),
  });

export class Follower {
  private consumer: Consumer | undefined;
  private readonly next = new Map<string, number>();

  constructor(
    private readonly brokers: readonly string[],
    private readonly topics: readonly string[],
    private readonly onRecord: (topic: string, record: ReadRecord) => void,
  ) {}

  async start(): Promise<void> {
    const consumer = kafkaClient(this.brokers).consumer({
      groupId: uniqueName('follower'),
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: 100,
      retry: { initialRetryTime: 50, multiplier: 1.5, maxRetryTime: 500, retries: 1_000 },
    });
    this.consumer = consumer;
    await consumer.connect();
    await consumer.subscribe({ topics: [...this.topics], fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatch: ({ batch }) => Promise.resolve(this.take(batch)) });
  }

  async stop(): Promise<void> {
    await this.consumer?.disconnect();
  }

  /** After trouble kafkajs begins again at the start. */
  private take({ topic, partition, messages }: Batch): void {
    const key = `${topic}/${partition}`;
    for (const message of messages) {
      const record = recordOf(partition, message);
      if (record.offset < (this.next.get(key) ?? 0)) continue;
      this.next.set(key, record.offset + 1);
      this.onRecord(topic, record);
    }
  }
}
