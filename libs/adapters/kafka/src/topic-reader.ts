/** Reads topics as an onlooker: no group, nothing claimed, nothing committed. Committed records only, partition by partition, from an offset to an offset. */
import { RiverrunError } from '#domain/errors';
import type { Logger } from '#domain/ports';
import { sliceBatch, type RecordBatch } from '#domain/record-batch';
import type { TopicPartition } from './assign-partitions.js';
import { readHeaders } from './codec/read-headers.js';
import { readRecords, type ReadRecords } from './codec/read-records.js';
import { decodeMetadata, type CommitMetadata } from './commit-metadata.js';
import { feedError } from './partition-feed.js';
import { KafkaClient, kafkaError, kafkaErrorType, type Cluster, type KafkaConnection } from './kafkajs.js';
import { committedOffsets, EARLIEST, edgeOf, fetchAt, LATEST } from './partition-requests.js';
import { STALE_METADATA } from './fetcher.js';
import { codedError } from './transactional-producer.js';

export interface GroupOffset {
  readonly partition: number;
  /** undefined: the group has none. */
  readonly committed: number | undefined;
  /** undefined: another program committed it. */
  readonly metadata: CommitMetadata | undefined;
}

export interface LogEdges {
  readonly start: number;
  /** Behind the last record there is, those of open transactions included. */
  readonly end: number;
}

const FETCH = { maxBytes: 1 << 20, maxWaitMs: 250 };
/** An open transaction ends by itself after its time-out, which brokers bound to 15 minutes; ours is 10 s. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 100;
const UNSTABLE = 88;

export class TopicReader {
  /** RiverrunError KAFKA_UNREACHABLE, KAFKA_AUTH, KAFKA_ACL. */
  static async connect(connection: KafkaConnection, logger?: Logger): Promise<TopicReader> {
    const cluster = new KafkaClient(connection, logger).cluster();
    try {
      await cluster.connect();
      return new TopicReader(cluster, connection);
    } catch (error) {
      throw kafkaError(error, connection);
    }
  }

  private constructor(
    readonly cluster: Cluster,
    private readonly connection: KafkaConnection,
  ) {}

  /** RiverrunError KAFKA_TOPIC if there is no such topic. */
  partitions(topic: string): Promise<number> {
    return this.asking(async () => {
      try {
        await this.cluster.addMultipleTargetTopics([topic]);
        return this.cluster.findTopicPartitionMetadata(topic).length;
      } catch (error) {
        if (kafkaErrorType(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
        throw new RiverrunError('KAFKA_TOPIC', `there is no topic ${topic}`, { cause: error });
      }
    });
  }

  edges(part: TopicPartition): Promise<LogEdges> {
    return this.asking(async () => {
      const [start, end] = await Promise.all([
        edgeOf(this.cluster, part, EARLIEST),
        edgeOf(this.cluster, part, LATEST, { stable: false }),
      ]);
      return { start, end };
    });
  }

  /** What the group has committed for the partitions [0, count) of the topic; waits while an offset is pending in a transaction. */
  committed(groupId: string, topic: string, count: number): Promise<GroupOffset[]> {
    return this.asking(async () => {
      const partitions = Array.from({ length: count }, (_, partition) => partition);
      for (const began = performance.now(); ; await pause()) {
        const offsets = await committedOffsets(this.cluster, groupId, topic, partitions, true);
        const refused = offsets.find(({ errorCode }) => errorCode !== 0);
        if (refused === undefined)
          return offsets
            .map(({ partition, offset, metadata }) => ({
              partition,
              committed: offset < 0 ? undefined : offset,
              metadata: offset < 0 ? undefined : decodeMetadata(metadata),
            }))
            .sort((a, b) => a.partition - b.partition);
        if (refused.errorCode !== UNSTABLE || performance.now() - began > PATIENCE_MS)
          throw codedError(`OffsetFetch of ${topic}/${refused.partition}`, refused.errorCode);
      }
    });
  }

  /** Records at offsets [from, to), in order. */
  read(part: TopicPartition, from: number, to: number, { headers = false } = {}): PartitionReader {
    return new PartitionReader((offset) => this.asking(() => this.fetch(part, offset, headers)), part, from, to);
  }

  async close(): Promise<void> {
    await this.cluster.disconnect();
  }

  private async fetch(part: TopicPartition, offset: number, withHeaders: boolean): Promise<ReadRecords> {
    for (const began = performance.now(); ; await pause()) {
      const fetched = await fetchAt(this.cluster, part, offset, FETCH);
      if (fetched.errorCode === 0) return readRecords(fetched, offset, 'read_committed', withHeaders);
      if (!STALE_METADATA.has(fetched.errorCode) || performance.now() - began > PATIENCE_MS)
        throw feedError(part.topic, part.partition, `error ${fetched.errorCode} at offset ${offset}`);
      await this.cluster.refreshMetadata();
    }
  }

  private async asking<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw kafkaError(error, this.connection);
    }
  }
}

export interface RecordsRead {
  readonly batch: RecordBatch;
  /** Record i's headers; only if the reader was opened with `headers`. */
  headers(i: number): ReadonlyMap<string, string>;
}

export class PartitionReader {
  private ahead: Promise<ReadRecords> | undefined;

  constructor(
    private readonly fetch: (offset: number) => Promise<ReadRecords>,
    readonly part: TopicPartition,
    /** The offset to read next. */
    private position: number,
    private readonly end: number,
  ) {}

  /** Some of the next records, at least one; null at the end. RiverrunError KAFKA_FETCH if nothing moves for half a minute. */
  async next(): Promise<RecordsRead | null> {
    for (let waiting: number | undefined; this.position < this.end;) {
      const { batch, nextOffset, headersAt } = await (this.ahead ?? this.fetch(this.position));
      this.ahead = undefined;
      const moved = nextOffset > this.position;
      this.position = nextOffset;
      const read = batch === undefined ? undefined : below(batch, this.end);
      if (read !== undefined && read.count > 0) {
        this.fetchAhead();
        return {
          batch: read,
          headers: (i) => (headersAt === undefined ? new Map() : readHeaders(read.bytes, headersAt[i])),
        };
      }
      if (moved) waiting = undefined;
      else if (performance.now() - (waiting ??= performance.now()) > PATIENCE_MS)
        throw feedError(
          this.part.topic,
          this.part.partition,
          `offset ${this.position} has not been committed for ${PATIENCE_MS / 1000} s: a transaction is open`,
        );
    }
    return null;
  }

  /** One fetch is under way while the last one's records are worked on. */
  private fetchAhead(): void {
    if (this.position >= this.end) return;
    this.ahead = this.fetch(this.position);
    this.ahead.catch(() => undefined);
  }
}

function below(batch: RecordBatch, end: number): RecordBatch {
  let { count } = batch;
  while (count > 0 && batch.offsets[count - 1] >= end) count -= 1;
  return sliceBatch(batch, 0, count);
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
