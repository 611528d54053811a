/** This instance's share of the input topics: joins the group and hands out a KafkaTickLog for each partition it is given, until the group takes it away. */
import { randomUUID } from 'node:crypto';
import { RiverrunError } from '#domain/errors';
import type { Logger } from '#domain/ports';
import type { OnStep } from '#domain/step';
import { partitionKey, type TopicPartition } from './assign-partitions.js';
import { fastCodec, stockCodec } from './codec/codec.js';
import { Committer, type CommitterEvents } from './committer.js';
import { Fetcher } from './fetcher.js';
import { GroupMember, type Assignment } from './group-member.js';
import { KafkaTickLog, type KafkaTickLogParts } from './kafka-tick-log.js';
import { KafkaClient, kafkaError, type Cluster, type KafkaConnection } from './kafkajs.js';
import { PlainProducer } from './plain-producer.js';
import { Takeover } from './takeover.js';
import { prepareTopics, type TopicNames } from './topics.js';
import { TransactionalProducer } from './transactional-producer.js';

export interface KafkaPartitionsOptions {
  readonly connection: KafkaConnection;
  /** Consumer group, and prefix of the transactional ids. */
  readonly app: string;
  readonly topics: TopicNames;
  readonly delivery: 'exactly-once' | 'at-least-once';
  readonly from: 'earliest' | 'latest';
  readonly sessionTimeoutMs: number;
  /** stock: kafkajs' own encoding and decoding of records, a way back from ours. */
  readonly codec: 'fast' | 'stock';
  readonly logger: Logger;
  /** As `joined` told it to the process before this one, if that is dead. */
  readonly formerMemberId?: string | undefined;
  /** Told of each step passed: for fault tests. */
  readonly onStep?: OnStep | undefined;
}

export interface PartitionEvents extends CommitterEvents {
  /** `partitions`: of all input topics together. */
  assigned(log: KafkaTickLog, partitions: number): void;
  /** The log is closed by then. */
  revoked(log: KafkaTickLog): void;
  /** Keep it for `formerMemberId`. */
  joined?(memberId: string): void;
  rebalanced?(): void;
}

/** The group waits for a rejoining member, but not for ever. */
const FINISH_WITHIN_MS = 3000;
const BUFFER_BYTES = 32 << 20;
const TRANSACTION_TIMEOUT_MS = 10_000;

export class KafkaPartitions {
  private readonly logs = new Map<string, KafkaTickLog>();
  private readonly member: GroupMember;
  private assignment: Assignment | undefined;
  private settled: Promise<void> = Promise.resolve();
  private settle: () => void = () => undefined;
  private trouble: string | undefined = 'joining the consumer group';

  /** Connects, makes missing topics and joins the group. RiverrunError KAFKA_UNREACHABLE, KAFKA_AUTH, KAFKA_ACL, KAFKA_TOPIC. */
  static async start(options: KafkaPartitionsOptions, events: PartitionEvents): Promise<KafkaPartitions> {
    const { connection, topics, logger, delivery, app } = options;
    const client = new KafkaClient(connection, logger);
    // One set of connections to read and write, one for the group: a JoinGroup holds up what is sent behind it.
    const [data, group] = [client.cluster(), client.cluster()];
    try {
      const admin = client.admin();
      await admin.connect();
      const prepared = await prepareTopics(admin, topics, logger).finally(() => admin.disconnect());
      await Promise.all([data.connect(), group.connect()]);
      await data.addMultipleTargetTopics([
        ...topics.inputs,
        topics.predictions,
        topics.deadLetters,
        topics.checkpoints,
      ]);
      const instance = `${app}-${randomUUID()}`;
      const owner: { current?: KafkaPartitions } = {};
      const assignment = (): Assignment | undefined => owner.current?.assignment;
      const sink =
        delivery === 'exactly-once'
          ? new Committer(
              new TransactionalProducer(data, {
                transactionalId: instance,
                groupId: app,
                transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
                onStep: options.onStep,
              }),
              assignment,
              events,
            )
          : new PlainProducer(data, app, instance, assignment, logger);
      const codec = options.codec === 'fast' ? fastCodec : stockCodec;
      const outputs = {
        predictions: topics.predictions,
        deadLetters: topics.deadLetters,
        checkpoints: topics.checkpoints,
        deadLetterMaxBytes: prepared.deadLetterMaxBytes,
      };
      const takeover = new Takeover(data, {
        groupId: app,
        transactionalId: instance,
        from: options.from,
        outputs: [topics.predictions, topics.deadLetters, topics.checkpoints],
        codec,
        logger,
        onClaimUnknown: () => owner.current?.member.renew(),
        onStep: options.onStep,
      });
      const fetcher = new Fetcher(data, { codec, logger, maxBufferedBytes: BUFFER_BYTES });
      const settled = (): Promise<void> => owner.current!.settled;
      const parts = { fetcher, takeover, sink, codec, outputs, assignment, settled };
      owner.current = new KafkaPartitions(options, events, parts, sink, { data, group });
      owner.current.member.start();
      return owner.current;
    } catch (error) {
      await Promise.allSettled([data.disconnect(), group.disconnect()]);
      throw kafkaError(error, connection);
    }
  }

  private constructor(
    private readonly options: KafkaPartitionsOptions,
    private readonly events: PartitionEvents,
    private readonly parts: KafkaTickLogParts,
    private readonly sink: Committer | PlainProducer,
    private readonly clusters: { readonly data: Cluster; readonly group: Cluster },
  ) {
    const { app, topics, sessionTimeoutMs, logger, formerMemberId, connection } = options;
    this.member = new GroupMember(
      clusters.group,
      { groupId: app, topics: topics.inputs, sessionTimeoutMs, logger, formerMemberId, aside: clusters.data },
      {
        assigned: (assignment) => this.assigned(assignment),
        rejoining: () => this.rejoining(),
        lost: () => this.lost(),
        joined: (memberId) => events.joined?.(memberId),
        problem: (error) => (this.trouble = kafkaError(error, connection).message),
      },
    );
  }

  /** Why no partitions are read at present; undefined while all is well, also for an instance that the group has nothing to do for. */
  get problem(): string | undefined {
    return this.trouble;
  }

  /** Leaves the group. Close the logs' readers first: see `KafkaTickLog.close`. */
  async stop(): Promise<void> {
    if (this.sink instanceof PlainProducer) await this.sink.flush();
    else await within(FINISH_WITHIN_MS, this.sink.pause());
    await this.member.stop();
    // Whoever still waits for a commit hears that there will be none.
    this.assignment = undefined;
    for (const log of this.logs.values()) log.revoke();
    if (this.sink instanceof Committer) this.sink.resume();
    await this.parts.fetcher.close();
    await Promise.allSettled([this.clusters.data.disconnect(), this.clusters.group.disconnect()]);
  }

  private assigned(assignment: Assignment): void {
    this.trouble = undefined;
    this.assignment = assignment;
    this.events.rebalanced?.();
    const wanted = new Map(assignment.partitions.map((part) => [partitionKey(part), part]));
    for (const [key, log] of this.logs) if (!wanted.has(key)) this.drop(key, log);
    const { generation, continues } = assignment;
    this.options.logger.info('partitions assigned', { generation, partitions: [...wanted.keys()].join(' ') });
    for (const [key, part] of wanted) {
      const kept = this.logs.get(key);
      if (kept === undefined) this.add(key, part);
      else if (!continues) kept.rejoined();
    }
    if (this.sink instanceof Committer) this.sink.resume();
    this.settle();
  }

  /** What is under way ends in the old generation; nothing else begins until the new one is known. */
  private async rejoining(): Promise<void> {
    this.settle();
    this.settled = new Promise((resolve) => (this.settle = resolve));
    if (this.sink instanceof Committer) await within(FINISH_WITHIN_MS, this.sink.pause());
    else await this.sink.flush();
  }

  private lost(): void {
    this.assignment = undefined;
    this.trouble = 'the consumer group went on without this instance: joining again';
    for (const [key, log] of this.logs) this.drop(key, log);
    if (this.sink instanceof Committer) this.sink.resume();
    this.settle();
  }

  private add(key: string, part: TopicPartition): void {
    const log = new KafkaTickLog(part, this.parts);
    this.logs.set(key, log);
    const { inputs } = this.options.topics;
    const partitions = inputs.map((topic) => this.clusters.data.findTopicPartitionMetadata(topic).length);
    this.events.assigned(
      log,
      Math.max(
        1,
        partitions.reduce((sum, n) => sum + n, 0),
      ),
    );
  }

  private drop(key: string, log: KafkaTickLog): void {
    this.logs.delete(key);
    log.revoke();
    this.events.revoked(log);
  }
}

/** Waits for `work`, but not longer. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}

export const isRevoked = (error: unknown): boolean => error instanceof RiverrunError && error.code === 'REVOKED';
