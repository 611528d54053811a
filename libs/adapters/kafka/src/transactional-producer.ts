/** One transactional id: transactions that hold records for any partitions and offsets of the consumer group (KIP-98, KIP-447).
 *
 *  Offsets go before records: they are what a stale member is refused by, and so it never leaves a record behind that readers would have to wait for
 *  (test/model). After any error the outcome is unknown: `init` must run, which lets the coordinator finish or abort what is open, before anything is read or
 *  written again. */
import { RiverrunError } from '#domain/errors';
import type { OnStep } from '#domain/step';
import type { BatchWriter } from './codec/codec.js';
import { decodeProduceResponse, encodeProduceRequest } from './codec/produce.js';
import { kafkaErrorType, send, type Broker, type Cluster } from './kafkajs.js';
import { partitionKey } from './assign-partitions.js';
import { txnOffsetCommit, type OffsetToCommit } from './requests.js';

export interface ProducedPartition {
  readonly topic: string;
  readonly partition: number;
  /** Each becomes one record batch, in this order. */
  readonly writers: readonly BatchWriter[];
}

export interface TransactionContent {
  readonly records: readonly ProducedPartition[];
  readonly offsets: readonly OffsetToCommit[];
  readonly member: { readonly memberId: string; readonly generation: number };
}

export interface ProducerOptions {
  readonly transactionalId: string;
  readonly groupId: string;
  readonly transactionTimeoutMs: number;
  /** Told of each step passed: for fault tests. */
  readonly onStep?: OnStep | undefined;
}

/** What passes by itself: the coordinator still ends the former transaction, loads, or has moved. */
const RETRIABLE = new Set([
  'CONCURRENT_TRANSACTIONS',
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
  'COORDINATOR_LOAD_IN_PROGRESS',
]);
const RETRY_FOR_MS = 8000;
const REQUEST_TIMEOUT_MS = 8000;

export class TransactionalProducer {
  private identity: { producerId: bigint; producerEpoch: number } | undefined;
  private readonly sequences = new Map<string, number>();
  private transactions: Broker | undefined;
  private group: Broker | undefined;

  constructor(
    private readonly cluster: Cluster,
    private readonly options: ProducerOptions,
  ) {}

  get transactionalId(): string {
    return this.options.transactionalId;
  }

  /** True from the first `init` until an error. */
  get ready(): boolean {
    return this.identity !== undefined;
  }

  /** Ends what this transactional id may have left open, and fences whoever else uses it. */
  async init(): Promise<void> {
    this.identity = undefined;
    this.sequences.clear();
    const { transactionalId, transactionTimeoutMs } = this.options;
    const { producerId, producerEpoch } = await this.retrying(async () =>
      (await this.coordinator()).initProducerId({ transactionalId, transactionTimeout: transactionTimeoutMs }),
    );
    this.identity = { producerId: BigInt(producerId), producerEpoch };
  }

  /** Commits all of it or nothing. After an error `ready` is false, and whether it was committed is for the committed offsets to tell. */
  async commit(content: TransactionContent): Promise<void> {
    if (this.identity === undefined) throw new RiverrunError('KAFKA_TRANSACTION', 'the producer has to be initialised');
    const identity = this.identity;
    this.identity = undefined;
    try {
      await this.transact(content, identity);
    } catch (error) {
      this.transactions = this.group = undefined;
      throw error;
    }
    this.identity = identity;
  }

  private async transact(
    { records, offsets, member }: TransactionContent,
    identity: { producerId: bigint; producerEpoch: number },
  ): Promise<void> {
    const { transactionalId, groupId, onStep } = this.options;
    onStep?.('before-transaction');
    const producer = {
      transactionalId,
      producerId: String(identity.producerId),
      producerEpoch: identity.producerEpoch,
    };
    const topics = new Map<string, number[]>();
    for (const { topic, partition } of records) topics.set(topic, [...(topics.get(topic) ?? []), partition]);
    const added = this.retrying(async () => {
      await (
        await this.coordinator()
      ).addPartitionsToTxn({
        ...producer,
        topics: [...topics].map(([topic, partitions]) => ({ topic, partitions })),
      });
      onStep?.('after-add-partitions');
    });
    const joined = this.retrying(async () => (await this.coordinator()).addOffsetsToTxn({ ...producer, groupId }));
    // Both must be over before anything fails, so that no request of ours is under way behind our back.
    await settled([added, joined]);
    await this.commitOffsets(offsets, member, identity);
    onStep?.('after-offsets');
    await this.produce(records, identity);
    onStep?.('after-produce');
    onStep?.('before-end');
    await this.retrying(async () => (await this.coordinator()).endTxn({ ...producer, transactionResult: true }));
    onStep?.('after-end');
  }

  private async commitOffsets(
    offsets: readonly OffsetToCommit[],
    member: TransactionContent['member'],
    identity: { producerId: bigint; producerEpoch: number },
  ): Promise<void> {
    const { transactionalId, groupId } = this.options;
    await this.retrying(async () => {
      this.group ??= await this.cluster.findGroupCoordinator({ groupId });
      const code = await send(
        this.group,
        txnOffsetCommit({ transactionalId, ...identity }, { groupId, ...member }, offsets),
      );
      if (code !== 0) throw codedError('TxnOffsetCommit', code);
    });
  }

  /** One record batch for each partition a request: those with several take several rounds. */
  private async produce(
    records: readonly ProducedPartition[],
    identity: { producerId: bigint; producerEpoch: number },
  ): Promise<void> {
    const rounds = Math.max(0, ...records.map(({ writers }) => writers.length));
    for (let round = 0; round < rounds; round++) {
      const byLeader = new Map<number, { topic: string; partition: number; records: Buffer }[]>();
      for (const { topic, partition, writers } of records) {
        if (round >= writers.length) continue;
        const key = partitionKey({ topic, partition });
        const baseSequence = this.sequences.get(key) ?? 0;
        const { count } = writers[round];
        const bytes = await writers[round].finish({
          ...identity,
          baseSequence,
          transactional: true,
          timestamp: Date.now(),
        });
        this.sequences.set(key, (baseSequence + count) % 2 ** 31);
        const leader = this.cluster.findTopicPartitionMetadata(topic).find((p) => p.partitionId === partition)?.leader;
        if (leader === undefined)
          throw new RiverrunError('KAFKA_TOPIC', `topic ${topic} has no partition ${partition} to write to`);
        byLeader.set(leader, [...(byLeader.get(leader) ?? []), { topic, partition, records: bytes }]);
      }
      await settled(
        [...byLeader].map(async ([leader, partitions]) => {
          const broker = await this.cluster.findBroker({ nodeId: leader });
          await produceTo(broker, this.options.transactionalId, partitions);
        }),
      );
    }
  }

  private async coordinator(): Promise<Broker> {
    return (this.transactions ??= await this.cluster.findGroupCoordinator({
      groupId: this.options.transactionalId,
      coordinatorType: 1,
    }));
  }

  private async retrying<T>(work: () => Promise<T>): Promise<T> {
    for (let waited = 0, pause = 1; ; pause = Math.min(2 * pause, 50)) {
      try {
        return await work();
      } catch (error) {
        const type = kafkaErrorType(error);
        if (!RETRIABLE.has(type) || waited >= RETRY_FOR_MS) throw error;
        // The commit before this one is still being written to its partitions: a matter of milliseconds.
        if (type !== 'CONCURRENT_TRANSACTIONS') this.transactions = this.group = undefined;
        await new Promise((resolve) => setTimeout(resolve, pause));
        waited += pause;
      }
    }
  }
}

/** Produce v7 to one leader, acknowledged by all in-sync replicas. */
export async function produceTo(
  broker: Broker,
  transactionalId: string | null,
  partitions: readonly { topic: string; partition: number; records: Buffer }[],
): Promise<void> {
  const answers = await send(broker, {
    apiKey: 0,
    apiVersion: 7,
    apiName: 'Produce',
    headroom: true,
    body: encodeProduceRequest({ transactionalId, acks: -1, timeoutMs: REQUEST_TIMEOUT_MS, partitions }),
    decode: decodeProduceResponse,
  });
  for (const { topic, partition, errorCode } of answers)
    // A repeated sequence is one whose acknowledgement was lost.
    if (errorCode !== 0 && errorCode !== DUPLICATE_SEQUENCE_NUMBER)
      throw codedError(`Produce to ${topic}/${partition}`, errorCode);
}

const DUPLICATE_SEQUENCE_NUMBER = 46;

const TYPES: Readonly<Record<number, string>> = {
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  6: 'NOT_LEADER_FOR_PARTITION',
  10: 'MESSAGE_TOO_LARGE',
  14: 'GROUP_LOAD_IN_PROGRESS',
  15: 'GROUP_COORDINATOR_NOT_AVAILABLE',
  16: 'NOT_COORDINATOR_FOR_GROUP',
  22: 'ILLEGAL_GENERATION',
  25: 'UNKNOWN_MEMBER_ID',
  27: 'REBALANCE_IN_PROGRESS',
  29: 'TOPIC_AUTHORIZATION_FAILED',
  30: 'GROUP_AUTHORIZATION_FAILED',
  47: 'INVALID_PRODUCER_EPOCH',
  48: 'INVALID_TXN_STATE',
  51: 'CONCURRENT_TRANSACTIONS',
  88: 'UNSTABLE_OFFSET_COMMIT',
  90: 'PRODUCER_FENCED',
};

export class KafkaCodeError extends RiverrunError {
  readonly type: string;

  constructor(what: string, errorCode: number) {
    const type = TYPES[errorCode] ?? `error ${errorCode}`;
    super('KAFKA_TRANSACTION', `${what} was refused: ${type}`);
    this.type = type;
  }
}

export const codedError = (what: string, errorCode: number): KafkaCodeError => new KafkaCodeError(what, errorCode);

/** Waits for all of them, also after one has failed; then the first failure is thrown. */
async function settled(work: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}
