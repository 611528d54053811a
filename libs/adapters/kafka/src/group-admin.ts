/** What a command may do to an app whose instances have all stopped: see that they have, end what they left open, set committed offsets, write single records. */
import { RiverrunError } from '#domain/errors';
import { keyOf, valueOf } from '#domain/record-batch';
import { partitionKey, type TopicPartition } from './assign-partitions.js';
import { fastCodec } from './codec/codec.js';
import { encodeMetadata, type CommitMetadata } from './commit-metadata.js';
import { KafkaClient, kafkaError, kafkaErrorType, type KafkaConnection } from './kafkajs.js';
import { leaderOf } from './partition-requests.js';
import type { TopicReader } from './topic-reader.js';
import { produceTo } from './transactional-producer.js';

export interface OffsetToSet extends TopicPartition {
  readonly offset: number;
  readonly metadata: CommitMetadata;
}

const PLAIN = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false };
const BATCH_BYTES = 500_000;
const FENCE_TRIES = 200;
const FENCE_PAUSE_MS = 50;

export class GroupAdmin {
  constructor(
    private readonly reader: TopicReader,
    private readonly connection: KafkaConnection,
  ) {}

  /** RiverrunError GROUP_ACTIVE while the group has members. */
  async mustBeEmpty(groupId: string): Promise<void> {
    const admin = new KafkaClient(this.connection).admin();
    const members = await this.asking(async () => {
      await admin.connect();
      const { groups } = await admin.describeGroups([groupId]).finally(() => admin.disconnect());
      return groups[0]?.members.length ?? 0;
    });
    if (members > 0)
      throw new RiverrunError(
        'GROUP_ACTIVE',
        `${members} ${members === 1 ? 'instance of' : 'instances of'} ${groupId} ${members === 1 ? 'is' : 'are'} running: stop all of them first`,
      );
  }

  /** Says which cluster this is. */
  async clusterId(): Promise<string> {
    const admin = new KafkaClient(this.connection).admin();
    return this.asking(async () => {
      await admin.connect();
      return (await admin.describeCluster().finally(() => admin.disconnect())).clusterId;
    });
  }

  /** Ends the transaction that a stopped instance may have left open: its offsets must not arrive after ours. */
  async fence(transactionalId: string): Promise<void> {
    await this.asking(async () => {
      const { cluster } = this.reader;
      const coordinator = await cluster.findGroupCoordinator({ groupId: transactionalId, coordinatorType: 1 });
      for (let tries = 0; ; tries++)
        try {
          await coordinator.initProducerId({ transactionalId, transactionTimeout: 10_000 });
          return;
        } catch (error) {
          if (kafkaErrorType(error) !== 'CONCURRENT_TRANSACTIONS' || tries >= FENCE_TRIES) throw error;
          await new Promise((resolve) => setTimeout(resolve, FENCE_PAUSE_MS));
        }
    });
  }

  /** The coordinator refuses it while the group has members. */
  async setOffsets(groupId: string, offsets: readonly OffsetToSet[]): Promise<void> {
    await this.asking(async () => {
      const coordinator = await this.reader.cluster.findGroupCoordinator({ groupId });
      await coordinator.offsetCommit({
        groupId,
        groupGenerationId: -1,
        memberId: '',
        topics: offsets.map(({ topic, partition, offset, metadata }) => ({
          topic,
          partitions: [{ partition, offset: String(offset), metadata: encodeMetadata(metadata) }],
        })),
      });
    });
  }

  /** Writes records to one partition; acknowledged by all in-sync replicas when it resolves. */
  async publish(
    part: TopicPartition,
    records: readonly { readonly key: Uint8Array; readonly value: Uint8Array | null }[],
  ): Promise<void> {
    for (let at = 0; at < records.length;) {
      const writer = fastCodec.createWriter();
      for (; at < records.length && writer.byteLength < BATCH_BYTES; at++) {
        const { key, value } = records[at];
        writer.add(key, 0, key.length, value, 0, value?.length ?? 0);
      }
      const bytes = await writer.finish({ ...PLAIN, timestamp: Date.now() });
      await this.asking(async () =>
        produceTo(await leaderOf(this.reader.cluster, part), null, [{ ...part, records: bytes }]),
      );
    }
  }

  /** Removes an input partition's copies of states from the checkpoint topic, by tombstones: they must not come back. Nothing where there is no such topic. */
  async forgetCheckpoints(checkpointTopic: string, source: TopicPartition): Promise<void> {
    const part = { topic: checkpointTopic, partition: source.partition };
    const count = await this.reader.partitions(checkpointTopic).catch((error: unknown) => {
      if (error instanceof RiverrunError && error.code === 'KAFKA_TOPIC') return 0;
      throw error;
    });
    if (source.partition >= count) return;
    const prefix = `${partitionKey(source)}/`;
    const { start, end } = await this.reader.edges(part);
    const live = new Set<string>();
    const reader = this.reader.read(part, start, end);
    for (let read = await reader.next(); read !== null; read = await reader.next())
      for (let i = 0; i < read.batch.count; i++) {
        const key = Buffer.from(keyOf(read.batch, i) ?? []).toString();
        if (!key.startsWith(prefix)) continue;
        if (valueOf(read.batch, i) === null) live.delete(key);
        else live.add(key);
      }
    await this.publish(
      part,
      [...live].map((key) => ({ key: Buffer.from(key), value: null })),
    );
  }

  private async asking<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw kafkaError(error, this.connection);
    }
  }
}
