/** Long polls to every broker that leads a partition somebody reads. Partitions whose reader is behind are left out until there is room again (back-pressure). */
import { errorMessage } from '#domain/errors';
import type { Logger } from '#domain/ports';
import type { KafkaCodec } from './codec/codec.js';
import { decodeFetchResponse, encodeFetchRequest, type FetchedPartition } from './codec/fetch-response.js';
import { send, type Cluster } from './kafkajs.js';
import { feedError, PartitionFeed } from './partition-feed.js';
import { partitionKey } from './assign-partitions.js';

export interface FetcherOptions {
  readonly codec: KafkaCodec;
  readonly logger: Logger;
  /** Bytes that wait to be read over all partitions, about. */
  readonly maxBufferedBytes: number;
}

const WAIT_MS = 250;
/** While some partitions are left out for want of room, the others do not wait long. */
const SHORT_WAIT_MS = 10;
const PARTITION_BYTES = 1 << 20;
const RESPONSE_BYTES = 8 << 20;
const RETRY_MS = 100;
const OFFSET_OUT_OF_RANGE = 1;
const UNKNOWN_TOPIC = 3;
/** Unknown topic or partition, leader not available, not leader, replica not available, fenced or unknown leader epoch, offset not available. */
export const STALE_METADATA = new Set([3, 5, 6, 9, 74, 75, 78]);

export class Fetcher {
  private readonly feeds = new Map<string, PartitionFeed>();
  private readonly loops = new Map<number, Promise<void>>();
  private closed = false;
  private wakers: (() => void)[] = [];

  constructor(
    private readonly cluster: Cluster,
    private readonly options: FetcherOptions,
  ) {}

  /** A feed from `offset` on. One for each partition at a time. */
  open(topic: string, partition: number, offset: number): PartitionFeed {
    const feed = new PartitionFeed(topic, partition, offset, () => this.wakeAll());
    this.feeds.set(partitionKey(feed), feed);
    this.startLoops();
    return feed;
  }

  release(feed: PartitionFeed): void {
    feed.close();
    if (this.feeds.get(partitionKey(feed)) === feed) this.feeds.delete(partitionKey(feed));
    this.wakeAll();
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const feed of this.feeds.values()) feed.close();
    this.wakeAll();
    await Promise.all(this.loops.values());
  }

  /** One loop a broker; a loop ends when its broker leads nothing that is read. */
  private startLoops(): void {
    for (const leader of new Set([...this.feeds.values()].map((feed) => this.leaderOf(feed)))) {
      if (this.loops.has(leader)) continue;
      const loop = this.run(leader).finally(() => {
        this.loops.delete(leader);
        if (!this.closed && this.feeds.size > 0) this.startLoops();
      });
      this.loops.set(leader, loop);
    }
    this.wakeAll();
  }

  private leaderOf({ topic, partition }: PartitionFeed): number {
    try {
      return this.cluster.findTopicPartitionMetadata(topic).find((p) => p.partitionId === partition)?.leader ?? -1;
    } catch {
      return -1;
    }
  }

  private async run(leader: number): Promise<void> {
    while (!this.closed) {
      const mine = [...this.feeds.values()].filter((feed) => this.leaderOf(feed) === leader);
      if (mine.length === 0) return;
      const room = Math.max(PARTITION_BYTES >> 2, this.options.maxBufferedBytes / this.feeds.size);
      const wanted = mine.filter((feed) => feed.wantsMore && feed.bufferedBytes < room);
      if (wanted.length === 0) {
        await this.woken();
        continue;
      }
      try {
        if (leader < 0) throw new Error('no leader is known');
        await this.fetch(leader, wanted, wanted.length < mine.length ? SHORT_WAIT_MS : WAIT_MS);
      } catch (error) {
        this.options.logger.debug('a fetch failed', { leader, error: errorMessage(error) });
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        await this.cluster.refreshMetadata().catch(() => undefined);
      }
    }
  }

  private async fetch(leader: number, wanted: readonly PartitionFeed[], maxWaitMs: number): Promise<void> {
    const broker = await this.cluster.findBroker({ nodeId: leader });
    const topics = new Map<string, { partition: number; fetchOffset: number; maxBytes: number }[]>();
    // The broker fills a response in the order asked: whoever was served last time goes to the end.
    const asked = wanted.map((feed) => {
      const list = topics.get(feed.topic) ?? [];
      list.push({ partition: feed.partition, fetchOffset: feed.nextOffset, maxBytes: PARTITION_BYTES });
      topics.set(feed.topic, list);
      return { feed, epoch: feed.epoch, offset: feed.nextOffset };
    });
    const response = await send(broker, {
      apiKey: 1,
      apiVersion: 11,
      apiName: 'Fetch',
      body: encodeFetchRequest({
        maxWaitMs,
        minBytes: 1,
        maxBytes: RESPONSE_BYTES,
        isolation: 'read_committed',
        topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
      }),
      decode: decodeFetchResponse,
    });
    if (response.errorCode !== 0) throw new Error(`fetch answered with error ${response.errorCode}`);
    const byKey = new Map(asked.map((entry) => [partitionKey(entry.feed), entry]));
    let stale = false;
    for (const fetched of response.partitions) {
      const entry = byKey.get(partitionKey(fetched));
      if (entry === undefined || entry.feed.epoch !== entry.epoch) continue;
      if (STALE_METADATA.has(fetched.errorCode)) stale = true;
      // The same offset may soon hold another record, if the topic is made anew: only a takeover can tell.
      if (fetched.errorCode === UNKNOWN_TOPIC)
        entry.feed.fail(feedError(fetched.topic, fetched.partition, 'the broker does not know it'));
      else if (STALE_METADATA.has(fetched.errorCode)) continue;
      else await this.deliver(fetched, entry.feed, entry.offset, entry.epoch);
      if (fetched.records.length > 0) this.moveToEnd(entry.feed);
    }
    if (stale) throw new Error('the leader has changed');
  }

  private async deliver(fetched: FetchedPartition, feed: PartitionFeed, offset: number, epoch: number): Promise<void> {
    const { topic, partition, errorCode } = fetched;
    if (errorCode === OFFSET_OUT_OF_RANGE)
      return feed.fail(feedError(topic, partition, `offset ${offset} is outside the log`));
    if (errorCode !== 0) return feed.fail(feedError(topic, partition, `error ${errorCode}`));
    feed.highWatermark = fetched.lastStableOffset;
    feed.logStart = fetched.logStartOffset;
    try {
      const { batch, nextOffset } = await this.options.codec.readRecords(fetched, offset, 'read_committed');
      if (feed.epoch === epoch) feed.push(batch, nextOffset);
    } catch (error) {
      feed.fail(error instanceof Error ? error : new Error(errorMessage(error)));
    }
  }

  private moveToEnd(feed: PartitionFeed): void {
    const key = partitionKey(feed);
    if (this.feeds.get(key) !== feed) return;
    this.feeds.delete(key);
    this.feeds.set(key, feed);
  }

  private woken(): Promise<void> {
    return new Promise((resolve) => this.wakers.push(resolve));
  }

  private wakeAll(): void {
    for (const wake of this.wakers.splice(0)) wake();
  }
}
