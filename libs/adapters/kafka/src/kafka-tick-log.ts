/** One partition of an input topic as a TickLog: records from the fetcher, outcomes and the position c in the instance's transactions (exactly-once), or outcomes
 *  first and the position once the states have absorbed it (at-least-once). */
import { RiverrunError } from '#domain/errors';
import type { OutcomeBatch } from '#domain/outcome';
import type { LogPosition, TickLog } from '#domain/ports';
import type { RecordBatch } from '#domain/record-batch';
import { partitionKey, type TopicPartition } from './assign-partitions.js';
import { encodeMetadata, fingerprint } from './commit-metadata.js';
import { revoked, type CommitRequest } from './committer.js';
import type { KafkaCodec } from './codec/codec.js';
import type { Fetcher } from './fetcher.js';
import type { Assignment } from './group-member.js';
import { writeOutcomes, type OutputTopics } from './outcome-writers.js';
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
}

export class KafkaTickLog implements TickLog {
  private feed: PartitionFeed | undefined;
  private position: TakenOver | undefined;
  private committed = 0;
  /** No more reading; outcomes of what was read may still be published. */
  private closed = false;
  /** Why nothing that was read and computed counts any more: somebody else may have owned the partition meanwhile. Until the next `open`. */
  private stale: Error | undefined;
  private revoked = false;
  /** The last batch whose outcomes were published, for the offset's metadata. */
  private last: { readonly ts: number; readonly crc: number; readonly m?: string } | undefined;

  constructor(
    readonly source: TopicPartition,
    private readonly parts: KafkaTickLogParts,
  ) {}

  async open(hasStates: () => Promise<boolean> = () => Promise.resolve(false)): Promise<LogPosition> {
    if (this.revoked) throw revoked(this.source);
    this.stale = undefined;
    // Our own failed transaction must be over before its offsets are read.
    await this.parts.sink.ready();
    const assignment = this.parts.assignment();
    const key = partitionKey(this.source);
    if (assignment === undefined || !assignment.partitions.some((p) => partitionKey(p) === key))
      throw revoked(this.source);
    const taken = await this.parts.takeover.take(this.source, assignment, hasStates);
    this.position = taken;
    this.committed = taken.committed;
    this.last = undefined;
    return { start: taken.start, committed: taken.committed, end: taken.end };
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a refusal must be a rejected promise
  async seek(offset: number): Promise<void> {
    this.mustBeCurrent();
    const { start, end } = this.position!;
    if (!(offset >= start && offset <= Math.max(end, this.committed)))
      throw new RiverrunError('LOG_RANGE', `offset ${offset} is outside the log's [${start}, ${end}]`);
    if (this.feed === undefined) this.feed = this.parts.fetcher.open(this.source.topic, this.source.partition, offset);
    else this.feed.seek(offset);
  }

  async read(maxRecords: number, below?: number): Promise<RecordBatch | null> {
    if (this.closed) return null;
    this.mustBeCurrent();
    return this.feed!.take(maxRecords, below);
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
    const { codec, outputs, sink } = this.parts;
    this.last = { ...fingerprint(records, count - 1), ...(model !== null && { m: model }) };
    this.committed = next;
    try {
      await sink.commit(this.requestFor(next, writeOutcomes(outcomes, codec, outputs)));
    } catch (error) {
      // A reader that waits for more ticks must hear of it: on a quiet topic there may be none for long, and these have no outcome yet.
      this.fail(error);
      throw error;
    }
  }

  releaseBelow(offset: number): void {
    if (this.parts.sink.absorbed === undefined || this.position === undefined) return;
    this.parts.sink.absorbed(this.requestFor(offset, []));
  }

  /** Records of the log that have no outcome yet, as far as is known. */
  get lag(): number {
    return Math.max(0, (this.feed?.highWatermark ?? 0) - this.committed);
  }

  /** What was read and computed is void: the next call of `read` says so, and the pipeline recovers. */
  invalidate(): void {
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

  private fail(error: unknown): void {
    if (this.revoked) return;
    this.stale = error instanceof Error ? error : new Error(String(error));
    this.feed?.fail(this.stale);
  }

  private requestFor(offset: number, records: CommitRequest['records']): CommitRequest {
    const { base, partitions } = this.position!;
    const metadata = encodeMetadata({ t: this.parts.sink.transactionalId, b: base, n: partitions, ...this.last });
    return {
      source: this.source,
      isValid: () => this.stale === undefined,
      records,
      offset: { ...this.source, offset, metadata },
    };
  }

  private mustBeCurrent(): void {
    if (this.stale !== undefined) throw this.stale;
  }
}
