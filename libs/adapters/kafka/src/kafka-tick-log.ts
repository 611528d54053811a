/** One partition of an input topic as a TickLog: records from the fetcher, outcomes and the position c in the instance's transactions (exactly-once), or outcomes
 *  first and the position once the states have absorbed it (at-least-once). */
import { RiverrunError, errorMessage } from '#domain/errors';
import type { OutcomeBatch } from '#domain/outcome';
import type { CheckpointLog, LogPosition, ModelSwap, TickLog } from '#domain/ports';
import type { RecordBatch } from '#domain/record-batch';
import { partitionKey, type TopicPartition } from './assign-partitions.js';
import { encodeMetadata, fingerprint } from './commit-metadata.js';
import { revoked, type CommitRequest } from './committer.js';
import type { KafkaCodec } from './codec/codec.js';
import type { Fetcher } from './fetcher.js';
import { KafkaCheckpoints } from './kafka-checkpoints.js';
import type { Assignment } from './group-member.js';
import { WriterPool, writeOutcomes, type OutputTopics } from './outcome-writers.js';
import type { PartitionFeed } from './partition-feed.js';
import type { TakenOver, Takeover } from './takeover.js';

/** How outcomes reach Kafka: see Committer and PlainProducer. */
export interface OutcomeSink {
  readonly transactionalId: string;
  /** Nothing of ours is open any more: what is committed can be read. */
  ready(): Promise<void>;
  commit(request: CommitRequest): Promise<void>;
  /** At-least-once only: states have absorbed everything below the offset. */
  absorbed?(request: CommitRequest): void;
}

export interface KafkaTickLogParts {
  readonly fetcher: Fetcher;
  readonly takeover: Takeover;
  readonly sink: OutcomeSink;
  readonly codec: KafkaCodec;
  readonly outputs: OutputTopics;
  readonly assignment: () => Assignment | undefined;
  /** Resolves once the group is not being rebalanced: between JoinGroup and SyncGroup nothing may be begun. */
  readonly settled: () => Promise<void>;
}

/** Swaps that the offset's metadata remembers: far more than happen between two checkpoints. */
const SWAPS_KEPT = 16;

export class KafkaTickLog implements TickLog {
  private feed: PartitionFeed | undefined;
  private position: TakenOver | undefined;
  private committed = 0;
  /** Behind the last record that was read. */
  private readTo = 0;
  /** No more reading; outcomes of what was read may still be published. */
  private closed = false;
  /** Why nothing that was read and computed counts any more: somebody else may have owned the partition meanwhile. Until the next `open`. */
  private stale: RiverrunError | undefined;
  private revoked = false;
  /** Counts takeovers. */
  private opens = 0;
  /** The last batch whose outcomes were published, for the offset's metadata. */
  private last: { readonly ts: number; readonly crc: number } | undefined;
  private model: string | null = null;
  private swaps: readonly ModelSwap[] = [];

  private readonly writers: WriterPool;
  readonly checkpoints: CheckpointLog;

  constructor(
    readonly source: TopicPartition,
    private readonly parts: KafkaTickLogParts,
  ) {
    this.writers = new WriterPool(parts.codec);
    this.checkpoints = new KafkaCheckpoints({
      ...parts,
      topic: parts.outputs.checkpoints,
      source,
      // After the outcomes that were published so far, and at their offset: a checkpoint moves nothing.
      commit: async (records) => {
        this.mustBeCurrent();
        const { opens } = this;
        const request = this.requestFor(this.committed, records);
        // Nobody waits for it before the next `open`, as for outcomes: after that its offset may be an old one, and would move c back.
        await parts.sink.commit({ ...request, isValid: () => opens === this.opens && request.isValid() });
      },
      // Of a transaction that was just committed, the marker may still be on its way: what is there is waited for.
      edges: (part) => parts.takeover.edges(part, { stable: false }),
    });
  }

  async open(hasStates: () => Promise<boolean> = () => Promise.resolve(false)): Promise<LogPosition> {
    if (this.revoked) throw revoked(this.source);
    this.opens += 1;
    this.stale = undefined;
    await this.parts.settled();
    // Our own failed transaction must be over before its offsets are read.
    await this.parts.sink.ready();
    const assignment = this.parts.assignment();
    const key = partitionKey(this.source);
    if (assignment === undefined || !assignment.partitions.some((p) => partitionKey(p) === key))
      throw revoked(this.source);
    const taken = await this.parts.takeover.take(this.source, assignment, hasStates);
    this.position = taken;
    this.committed = taken.committed;
    this.last = taken.last;
    this.model = taken.model;
    this.swaps = taken.swaps;
    const { start, committed, end, swaps, base } = taken;
    const swapsFrom = swaps.length < SWAPS_KEPT ? base : swaps[0].offset;
    return { start, committed, end, swaps, swapsFrom, base };
  }

  async seek(offset: number): Promise<void> {
    this.mustBeCurrent();
    const { start } = this.position!;
    let end = Math.max(this.position!.end, this.committed);
    // Others write: the log may have grown since it was opened.
    if (offset > end) ({ end } = await this.parts.takeover.edges(this.source));
    if (!(offset >= start && offset <= end))
      throw new RiverrunError('LOG_RANGE', `offset ${offset} is outside the log's [${start}, ${end}]`);
    this.readFrom(offset);
  }

  async read(maxRecords: number, below?: number): Promise<RecordBatch | null> {
    if (this.closed) return null;
    this.mustBeCurrent();
    if (this.feed === undefined) this.readFrom(this.committed);
    const batch = await this.feed!.take(maxRecords, below);
    if (batch !== null && batch.count > 0) this.readTo = batch.offsets[batch.count - 1] + 1;
    return batch;
  }

  async publish(outcomes: OutcomeBatch): Promise<void> {
    this.mustBeCurrent();
    const { records, model } = outcomes;
    const { count, offsets } = records;
    if (count === 0) return;
    if (offsets[0] < this.committed)
      throw new RiverrunError(
        'LOG_RANGE',
        `outcomes begin at ${offsets[0]}, the log is committed up to ${this.committed}`,
      );
    const next = offsets[count - 1] + 1;
    const { outputs, sink } = this.parts;
    this.last = fingerprint(records, count - 1);
    if (model !== this.model) this.swaps = [...this.swaps, { offset: offsets[0], model }].slice(-SWAPS_KEPT);
    this.model = model;
    this.committed = next;
    const parts = writeOutcomes(outcomes, this.writers, outputs);
    try {
      await sink.commit(this.requestFor(next, parts));
    } catch (error) {
      // Nothing more may come that would stand on this batch; and whoever waits for records hears of it.
      this.fail(error instanceof RiverrunError ? error : new RiverrunError('KAFKA_TRANSACTION', errorMessage(error)));
      throw error;
    } finally {
      this.writers.giveBack(parts);
    }
  }

  releaseBelow(offset: number): void {
    if (this.parts.sink.absorbed === undefined || this.position === undefined) return;
    this.parts.sink.absorbed(this.requestFor(offset, []));
  }

  /** Records of the log that have no outcome yet, as far as is known. */
  get lag(): number {
    const { feed, committed, readTo } = this;
    if (feed === undefined) return 0;
    // Behind the last record there may be markers of transactions and what was aborted: nothing that gets an outcome.
    const done = feed.isDrained && readTo <= committed ? Math.max(committed, feed.nextOffset) : committed;
    return Math.max(0, feed.highWatermark - done);
  }

  invalidate(why: RiverrunError): void {
    this.fail(why);
  }

  /** The group went on without this instance: somebody else may have had the partition meanwhile. */
  rejoined(): void {
    this.fail(
      new RiverrunError(
        'REASSIGNED',
        `the group went on without this instance: ${partitionKey(this.source)} starts anew`,
      ),
    );
  }

  /** The partition is somebody else's now. */
  revoke(): void {
    this.revoked = true;
    this.stale = revoked(this.source);
    void this.close();
  }

  close(): Promise<void> {
    this.closed = true;
    if (this.feed !== undefined) this.parts.fetcher.release(this.feed);
    return Promise.resolve();
  }

  private readFrom(offset: number): void {
    this.readTo = offset;
    if (this.feed === undefined) this.feed = this.parts.fetcher.open(this.source.topic, this.source.partition, offset);
    else this.feed.seek(offset);
  }

  private requestFor(offset: number, records: CommitRequest['records']): CommitRequest {
    const { base, partitions } = this.position!;
    const metadata = encodeMetadata({
      t: this.parts.sink.transactionalId,
      b: base,
      n: partitions,
      // Of the record before c only: at-least-once commits smaller offsets.
      ...(offset === this.committed && this.last),
      ...(this.model !== null && { m: this.model }),
      ...(this.swaps.length > 0 && { s: this.swaps.map((swap) => [swap.offset, swap.model] as const) }),
    });
    return {
      source: this.source,
      isValid: () => this.stale === undefined,
      records,
      offset: { ...this.source, offset, metadata },
    };
  }

  private fail(error: RiverrunError): void {
    if (this.revoked) return;
    this.stale ??= error;
    this.feed?.fail(error);
  }

  private mustBeCurrent(): void {
    if (this.stale !== undefined) throw this.stale;
  }
}
