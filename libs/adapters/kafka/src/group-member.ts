/** Membership in the consumer group: join, heartbeats, rejoin, leave. Kept apart from reading and from transactions, with connections of its own, because a
 *  JoinGroup may wait for seconds and a broker answers the requests of one connection in order.
 *
 *  kafkajs' own consumer is not used: it hides the generation that KIP-447 fences by, sends heartbeats between fetches only, and moves committed offsets by itself. */
import { createRequire } from 'node:module';
import { errorMessage } from '#domain/errors';
import type { Logger } from '#domain/ports';
import { assignPartitions, type MemberView, type TopicPartition } from './assign-partitions.js';
import { kafkaErrorType, type Broker, type Cluster } from './kafkajs.js';

const { MemberMetadata, MemberAssignment } = createRequire(import.meta.url)(
  'kafkajs/src/consumer/assignerProtocol.js',
) as {
  MemberMetadata: {
    encode(o: { version: number; topics: readonly string[]; userData: Buffer }): Buffer;
    decode(bytes: Buffer): { topics: string[]; userData: Buffer };
  };
  MemberAssignment: {
    encode(o: { version: number; assignment: Record<string, number[]> }): Buffer;
    decode(bytes: Buffer): { assignment: Record<string, number[]> } | null;
  };
};

export interface Assignment {
  readonly memberId: string;
  readonly generation: number;
  readonly partitions: readonly TopicPartition[];
  /** True if this member was in the group in the generation before: nobody else can have read, since then, what it goes on reading. */
  readonly continues: boolean;
}

export interface GroupMemberOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
  readonly logger: Logger;
  /** The member this instance was before it died: sent away, so that nobody waits for its session's time-out. */
  readonly formerMemberId?: string | undefined;
  /** Other connections: on its own a request waits behind a JoinGroup. */
  readonly aside: Cluster;
}

export interface GroupMemberEvents {
  /** After the first heartbeat that the coordinator accepted in the new generation. */
  assigned(assignment: Assignment): void;
  /** Before the member rejoins: finish or give up what is open. */
  rejoining(): Promise<void>;
  /** The group went on without this member: nothing it had is its own any more. */
  lost(): void;
  joined(memberId: string): void;
  problem(error: unknown): void;
}

const PROTOCOL = 'riverrun-sticky';
const RETRY_MS = { first: 100, most: 3000 };
/** The former member goes once the new one has asked to join: a group that is empty in between would hold the join up
 *  for `group.initial.rebalance.delay.ms` (3 s by default). */
const FORMER_LEAVES_AFTER_MS = 200;
/** How often topics are looked at for more partitions. Producers spread keys anew once they know (after minutes, by most clients' defaults), and what is read then no
 *  longer belongs to the states of the partition. */
const LOOK_MS = 10_000;

export class GroupMember {
  private memberId = '';
  private generation = -1;
  private owned: readonly TopicPartition[] = [];
  private stopped = false;
  private wake: (() => void) | undefined;
  private running: Promise<void> = Promise.resolve();
  private coordinator: Broker | undefined;
  private renewing = false;
  private former: string | undefined;
  /** Partitions of each topic as last looked at, and when that was begun. */
  private counts: ReadonlyMap<string, number> = new Map();
  private looked = -Infinity;

  constructor(
    private readonly cluster: Cluster,
    private readonly options: GroupMemberOptions,
    private readonly events: GroupMemberEvents,
  ) {
    this.former = options.formerMemberId;
  }

  start(): void {
    this.running = this.run();
  }

  /** Leaves the group, so that its partitions move at once. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.wake?.();
    // A JoinGroup under way may wait for others: leaving ends it.
    await Promise.race([this.running, new Promise((resolve) => setTimeout(resolve, 300))]);
    if (this.memberId !== '') await this.leave(this.memberId);
  }

  /** Leaves and comes back as another member: requests of this one that are still under way are void then. */
  renew(): void {
    this.renewing = true;
    this.wake?.();
  }

  private async run(): Promise<void> {
    let retry = RETRY_MS.first;
    while (!this.stopped) {
      try {
        await this.join();
        retry = RETRY_MS.first;
        await this.stay();
        if (this.renewing && !this.stopped) {
          this.renewing = false;
          await this.leave(this.memberId);
          this.forget();
        } else if (!this.stopped) await this.events.rejoining();
      } catch (error) {
        const type = kafkaErrorType(error);
        // Expected in a rebalance; everything else is told.
        if (type === 'REBALANCE_IN_PROGRESS') continue;
        if (type === 'UNKNOWN_MEMBER_ID' || type === 'ILLEGAL_GENERATION' || type === 'FENCED_INSTANCE_ID') {
          this.forget();
          continue;
        }
        this.coordinator = undefined;
        this.events.problem(error);
        this.options.logger.warn('the consumer group cannot be reached', { error: errorMessage(error), type });
        await this.sleep(retry);
        retry = Math.min(2 * retry, RETRY_MS.most);
      }
    }
  }

  private async join(): Promise<void> {
    const { groupId, sessionTimeoutMs, topics } = this.options;
    const coordinator = await this.find();
    const { former } = this;
    this.former = undefined;
    if (former !== undefined) setTimeout(() => void this.sendAway(former), FORMER_LEAVES_AFTER_MS);
    const userData = Buffer.from(JSON.stringify({ generation: this.generation, owned: this.owned }));
    const joined = await coordinator.joinGroup({
      groupId,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: Math.max(sessionTimeoutMs, 10_000),
      memberId: this.memberId,
      groupProtocols: [{ name: PROTOCOL, metadata: MemberMetadata.encode({ version: 1, topics, userData }) }],
    });
    const { memberId, generationId } = joined;
    const continues = memberId === this.memberId && generationId === this.generation + 1;
    if (memberId !== this.memberId) this.events.joined(memberId);
    this.memberId = memberId;
    const groupAssignment = joined.leaderId === memberId ? await this.assign(joined.members) : [];
    const { memberAssignment } = await coordinator.syncGroup({
      groupId,
      generationId,
      memberId,
      groupAssignment,
    });
    const { assignment } = MemberAssignment.decode(memberAssignment) ?? { assignment: {} };
    this.generation = generationId;
    this.owned = Object.entries(assignment).flatMap(([topic, partitions]) =>
      partitions.map((partition) => ({ topic, partition })),
    );
    // A process that slept through its session must not act on what it was once given.
    await this.heartbeat();
    this.events.assigned({ memberId, generation: generationId, partitions: this.owned, continues });
  }

  /** Heartbeats until the group rebalances (returns), throws this member out (throws), or the member stops. */
  private async stay(): Promise<void> {
    const interval = Math.min(1000, this.options.sessionTimeoutMs / 5);
    while (!this.stopped) {
      await this.sleep(interval);
      if (this.stopped || this.renewing) return;
      try {
        await this.heartbeat();
      } catch (error) {
        if (kafkaErrorType(error) === 'REBALANCE_IN_PROGRESS') return;
        throw error;
      }
      // Not waited for: heartbeats go on.
      if (performance.now() - this.looked >= LOOK_MS) void this.look();
    }
  }

  private async heartbeat(): Promise<void> {
    const { groupId } = this.options;
    const coordinator = await this.find();
    await coordinator.heartbeat({ groupId, groupGenerationId: this.generation, memberId: this.memberId });
  }

  /** Comes back as another member where a topic has more partitions than before: each takeover then says what is to be done. */
  private async look(): Promise<void> {
    const { aside, topics, logger } = this.options;
    this.looked = performance.now();
    try {
      const counts = await this.count(aside);
      const grown = topics.filter((topic) => counts.get(topic)! > (this.counts.get(topic) ?? Infinity));
      this.counts = counts;
      if (grown.length === 0) return;
      logger.warn('topics have more partitions than before', { topics: grown.join(' ') });
      this.renew();
    } catch (error) {
      // Brokers that do not answer are no news of partitions: the next heartbeat says what there is to say.
      logger.debug('the partitions of the input topics cannot be counted', { error: errorMessage(error) });
    }
  }

  /** Partitions of each input topic, as the brokers say now. */
  private async count(cluster: Cluster): Promise<Map<string, number>> {
    const { topics } = this.options;
    await cluster.addMultipleTargetTopics(topics);
    await cluster.refreshMetadata();
    return new Map(topics.map((topic) => [topic, cluster.findTopicPartitionMetadata(topic).length]));
  }

  private async assign(
    members: readonly { memberId: string; memberMetadata: Buffer }[],
  ): Promise<{ memberId: string; memberAssignment: Buffer }[]> {
    const counts = await this.count(this.cluster);
    const views = members.map(({ memberId, memberMetadata }) => viewOf(memberId, memberMetadata));
    return [...assignPartitions(views, counts)].map(([memberId, partitions]) => {
      const assignment: Record<string, number[]> = {};
      for (const { topic, partition } of partitions) (assignment[topic] ??= []).push(partition);
      return { memberId, memberAssignment: MemberAssignment.encode({ version: 1, assignment }) };
    });
  }

  private async find(): Promise<Broker> {
    return (this.coordinator ??= await this.cluster.findGroupCoordinator({ groupId: this.options.groupId }));
  }

  private leave(memberId: string): Promise<void> {
    return this.leaveOver(() => this.find(), memberId);
  }

  private async sendAway(formerMemberId: string): Promise<void> {
    const { aside, groupId } = this.options;
    if (!this.stopped) await this.leaveOver(() => aside.findGroupCoordinator({ groupId }), formerMemberId);
  }

  private async leaveOver(find: () => Promise<Broker>, memberId: string): Promise<void> {
    try {
      const coordinator = await find();
      await coordinator.leaveGroup({ groupId: this.options.groupId, memberId });
    } catch (error) {
      // It goes by its session's time-out, then.
      this.options.logger.debug('leaving the group failed', { error: errorMessage(error) });
    }
  }

  private forget(): void {
    this.memberId = '';
    this.generation = -1;
    this.owned = [];
    this.events.lost();
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.wake = done;
    });
  }
}

/** A member that says nothing of what it had, had nothing. */
function viewOf(memberId: string, metadata: Buffer): MemberView {
  try {
    const { userData } = MemberMetadata.decode(metadata);
    const { generation, owned } = JSON.parse(userData.toString()) as MemberView;
    return { memberId, generation, owned };
  } catch {
    return { memberId, generation: -1, owned: [] };
  }
}
