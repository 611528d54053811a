/** What a new owner of a partition does before it reads or writes there (docs/adr/0006): end what the former owner left open, read the committed offset once
 *  nothing is pending, check that log and offset belong together, and put its own name to the offset. */
import { RiverrunError } from '#domain/errors';
import type { Logger, ModelSwap } from '#domain/ports';
import type { OnStep } from '#domain/step';
import type { Assignment } from './group-member.js';
import type { TopicPartition } from './assign-partitions.js';
import { decodeMetadata, encodeMetadata, fingerprint, type CommitMetadata } from './commit-metadata.js';
import { kafkaErrorType, send, type Broker, type Cluster } from './kafkajs.js';
import { committedOffsets, EARLIEST, edgeOf, fetchAt, LATEST } from './partition-requests.js';
import { codedError } from './transactional-producer.js';
import { describeTransaction, type CommittedOffset } from './requests.js';
import type { KafkaCodec } from './codec/codec.js';

export interface TakeoverOptions {
  readonly groupId: string;
  readonly transactionalId: string;
  readonly from: 'earliest' | 'latest';
  /** Topics that outcomes are written to: where a former owner's transaction would hold readers back. */
  readonly outputs: readonly string[];
  readonly codec: KafkaCodec;
  readonly logger: Logger;
  /** A claim was sent and not answered: it may arrive any time, as long as this member's generation lasts, and would move a committed offset back. */
  readonly onClaimUnknown: () => void;
  /** Told of each step passed: for fault tests. */
  readonly onStep?: OnStep | undefined;
}

export interface TakenOver {
  readonly start: number;
  readonly committed: number;
  readonly end: number;
  readonly base: number;
  readonly partitions: number;
  /** The model that made the last outcomes, and where models changed of late. */
  readonly model: string | null;
  readonly swaps: readonly ModelSwap[];
  /** The record before c, as its outcome was committed. */
  readonly last?: { readonly ts: number; readonly crc: number };
}

const UNSTABLE = 88;
const MOVING = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'NOT_LEADER_FOR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'OFFSET_NOT_AVAILABLE',
]);
const MOVED_WITHIN_MS = 3000;
const STABLE_WITHIN_MS = 20_000;

export class Takeover {
  private readonly fences = new Map<string, Promise<void>>();

  constructor(
    private readonly cluster: Cluster,
    private readonly options: TakeoverOptions,
  ) {}

  /** RiverrunError OFFSET_MISSING, PARTITION_COUNT, TOPIC_RECREATED, LOG_START where log, offsets and states do not belong together: nothing is claimed then. */
  async take(part: TopicPartition, member: Assignment, hasStates: () => Promise<boolean>): Promise<TakenOver> {
    const { transactionalId, from } = this.options;
    const committed = await this.stableOffset(part);
    const { start, end } = await this.edges(part);
    const partitions = this.cluster.findTopicPartitionMetadata(part.topic).length;
    const before = committed.offset < 0 ? undefined : decodeMetadata(committed.metadata);
    if (before === undefined) {
      await this.checkOthers(part, partitions);
      if (committed.offset < 0 && (await hasStates()))
        throw new RiverrunError(
          'OFFSET_MISSING',
          `group ${this.options.groupId} has no committed offset for ${nameOf(part)}, but there are stored states: the group's offsets were deleted, or the topic was and is made anew; set the offset they stand at again, or begin anew: ${resetOf(part)}`,
        );
      // Somebody else's offset under our group id is a place to begin at, and no more than that.
      const base = committed.offset >= 0 ? committed.offset : from === 'earliest' ? start : end;
      await this.claim(part, base, { t: transactionalId, b: base, n: partitions }, member);
      return { start: Math.max(start, base), committed: base, end, base, partitions, model: null, swaps: [] };
    }
    await this.check(part, committed.offset, before, { start, end, partitions });
    if (before.t !== transactionalId)
      await this.claim(part, committed.offset, { ...before, t: transactionalId }, member);
    return {
      start: Math.max(start, before.b),
      committed: committed.offset,
      end,
      base: before.b,
      partitions,
      model: before.m ?? null,
      ...(before.crc !== undefined && { last: { ts: before.ts!, crc: before.crc } }),
      swaps: (before.s ?? []).map(([offset, model]) => ({ offset, model })),
    };
  }

  /** The first offset that can be read, and the one behind the last record: of committed ones, or not `stable`: of all. */
  async edges(part: TopicPartition, { stable = true } = {}): Promise<{ start: number; end: number }> {
    const [start, end] = await Promise.all([this.edge(part, EARLIEST, stable), this.edge(part, LATEST, stable)]);
    return { start, end };
  }

  /** The committed offset, read while no transaction has one pending. */
  private async stableOffset(part: TopicPartition): Promise<CommittedOffset> {
    const began = performance.now();
    for (let pause = 2; ; pause = Math.min(2 * pause, 100)) {
      const seen = await this.fetchOffset(part, false);
      const owner = decodeMetadata(seen.metadata)?.t;
      if (owner !== undefined && owner !== this.options.transactionalId) await this.endTransactionOf(owner, part);
      const stable = await this.fetchOffset(part, true);
      if (stable.errorCode === 0) {
        // Somebody may have committed, and claimed, between the two looks.
        if (decodeMetadata(stable.metadata)?.t === owner) return stable;
      } else if (stable.errorCode !== UNSTABLE)
        throw codedError(`OffsetFetch of ${part.topic}/${part.partition}`, stable.errorCode);
      if (performance.now() - began > STABLE_WITHIN_MS)
        throw new RiverrunError(
          'KAFKA_UNSTABLE',
          `the committed offset of ${part.topic}/${part.partition} has been pending in another transaction for ${STABLE_WITHIN_MS / 1000} s`,
        );
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  /** Aborts the former owner's transaction if it has written to our outputs: its records would hold read_committed readers back until its time-out. A living
   *  instance that gave the partition away in order has none such open. */
  private async endTransactionOf(owner: string, { partition }: TopicPartition): Promise<void> {
    const coordinator = await this.cluster.findGroupCoordinator({ groupId: owner, coordinatorType: 1 });
    const { errorCode, state, partitions } = await send(coordinator, describeTransaction(owner));
    if (errorCode !== 0 || state !== 'Ongoing') return;
    const { outputs } = this.options;
    if (!partitions.some((t) => outputs.includes(t.topic) && t.partitions.includes(partition))) return;
    let fence = this.fences.get(owner);
    if (fence === undefined) {
      this.options.logger.info('ending a transaction that a former owner left open', { transactionalId: owner });
      fence = this.fence(coordinator, owner).finally(() => this.fences.delete(owner));
      this.fences.set(owner, fence);
    }
    await fence;
  }

  private async fence(coordinator: Broker, owner: string): Promise<void> {
    for (let tries = 0; ; tries++)
      try {
        await coordinator.initProducerId({ transactionalId: owner, transactionTimeout: 10_000 });
        return;
      } catch (error) {
        if (kafkaErrorType(error) !== 'CONCURRENT_TRANSACTIONS' || tries > 200) throw error;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
  }

  private async fetchOffset({ topic, partition }: TopicPartition, stable: boolean): Promise<CommittedOffset> {
    const [offset] = await committedOffsets(this.cluster, this.options.groupId, topic, [partition], stable);
    return offset;
  }

  /** Refused by the coordinator unless member and generation are the present ones: I1. */
  private async claim(
    part: TopicPartition,
    offset: number,
    metadata: CommitMetadata,
    member: Assignment,
  ): Promise<void> {
    const { groupId } = this.options;
    const coordinator = await this.cluster.findGroupCoordinator({ groupId });
    try {
      await coordinator.offsetCommit({
        groupId,
        groupGenerationId: member.generation,
        memberId: member.memberId,
        topics: [
          {
            topic: part.topic,
            partitions: [{ partition: part.partition, offset: String(offset), metadata: encodeMetadata(metadata) }],
          },
        ],
      });
    } catch (error) {
      // A broker's answer is a refusal; everything else leaves it open.
      if ((error as { name?: unknown }).name !== 'KafkaJSProtocolError') this.options.onClaimUnknown();
      throw error;
    }
    this.options.onStep?.('after-claim');
  }

  /** A partition nobody has read yet may be one of those added later: the offsets of the others tell. */
  private async checkOthers({ topic }: TopicPartition, partitions: number): Promise<void> {
    const all = Array.from({ length: partitions }, (_, p) => p);
    for (const { offset, metadata } of await committedOffsets(this.cluster, this.options.groupId, topic, all, false)) {
      const count = offset < 0 ? undefined : decodeMetadata(metadata)?.n;
      if (count !== undefined && count !== partitions) throw countChanged(topic, count, partitions);
    }
  }

  private async edge(part: TopicPartition, which: typeof EARLIEST | typeof LATEST, stable: boolean): Promise<number> {
    for (let waited = 0, pause = 20; ; waited += pause, pause = Math.min(2 * pause, 500))
      try {
        return await edgeOf(this.cluster, part, which, { stable });
      } catch (error) {
        // A topic that was just made, or a leader that has just moved: brokers learn of it one after the other.
        if (!MOVING.has(kafkaErrorType(error)) || waited >= MOVED_WITHIN_MS) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
        await this.cluster.refreshMetadata();
      }
  }

  private async check(
    part: TopicPartition,
    committed: number,
    before: CommitMetadata,
    { start, end, partitions }: { start: number; end: number; partitions: number },
  ): Promise<void> {
    const name = nameOf(part);
    const reset = resetOf(part);
    if (partitions !== before.n) throw countChanged(part.topic, before.n, partitions);
    if (committed > end)
      throw new RiverrunError(
        'TOPIC_RECREATED',
        `outcomes of ${name} are committed up to ${committed}, but the log ends at ${end}: the topic was deleted and made anew; to begin again there: ${reset}`,
      );
    if (committed < start)
      throw new RiverrunError(
        'LOG_START',
        `records ${committed} to ${start - 1} of ${name} were deleted before they were processed; to go on behind the gap: ${reset}`,
      );
    if (before.crc === undefined || committed - 1 < start) return;
    const last = await this.fingerprintAt(part, committed - 1);
    if (last !== undefined && (last.ts !== before.ts || last.crc !== before.crc))
      throw new RiverrunError(
        'TOPIC_RECREATED',
        `record ${committed - 1} of ${name} is not the one whose outcome was committed: the topic was deleted and made anew; to begin again there: ${reset}`,
      );
  }

  /** undefined where compaction has taken the record away. */
  private async fingerprintAt(part: TopicPartition, offset: number): Promise<{ ts: number; crc: number } | undefined> {
    const fetched = await fetchAt(this.cluster, part, offset, { maxBytes: 1 << 16, maxWaitMs: 100 });
    if (fetched.errorCode !== 0) throw codedError(`Fetch of ${part.topic}/${part.partition}`, fetched.errorCode);
    const { batch } = await this.options.codec.readRecords(fetched, offset, 'read_committed');
    return batch !== undefined && batch.offsets[0] === offset ? fingerprint(batch, 0) : undefined;
  }
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

const resetOf = ({ topic, partition }: TopicPartition): string =>
  `riverrun state reset --topic ${topic} --partition ${partition} --from OFFSET`;

const countChanged = (topic: string, before: number, now: number): RiverrunError =>
  new RiverrunError(
    'PARTITION_COUNT',
    `topic ${topic} had ${before} partitions and has ${now}: keys have moved to other partitions than their states; stop all instances and run: riverrun repartition`,
  );
