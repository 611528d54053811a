/** The usual things a test does with a topic, over stock kafkajs. */
import { Kafka, logLevel, type Batch, type IHeaders, type KafkaConfig, type KafkaMessage } from 'kafkajs';
import { uniqueName } from './servers/unique-name.js';

/** Back-to-back transactions crawl under kafkajs' default of 300 ms. */
export const QUICK_RETRY = { initialRetryTime: 10, multiplier: 1.5, maxRetryTime: 1_000, retries: 30 };

export type Brokers = readonly string[] | KafkaConfig;

export interface ProducedRecord {
  readonly partition?: number;
  readonly key?: string | Buffer | null;
  /** null: a tombstone. */
  readonly value: string | Buffer | null;
  readonly headers?: IHeaders;
  /** ms since 1970. */
  readonly timestamp?: number;
}

export interface ReadRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** ms since 1970. */
  readonly timestamp: number;
}

export interface ReadOptions {
  /** Ends once so many records are there, or once it says so of those read. */
  readonly until?: number | ((records: readonly ReadRecord[]) => boolean);
  /** Ends after so many ms without a record, in which the broker was asked more than once. Default 500 without `until`; with it, `until` has to hold first. */
  readonly idle?: number;
  /** Error, with what was read, after so many ms. Default 30 s. */
  readonly timeout?: number;
  /** Records of open and aborted transactions too. */
  readonly uncommitted?: boolean;
}

/** Stock kafkajs, quiet and quick to try again. */
export const kafkaClient = (brokers: Brokers, clientId = 'test'): Kafka =>
  new Kafka({
    clientId,
    logLevel: logLevel.NOTHING,
    retry: QUICK_RETRY,
    ...('brokers' in brokers ? brokers : { brokers: [...brokers] }),
  });

/** Resolves once the topic's partitions have leaders. */
export async function createTopic(
  brokers: Brokers,
  topic: string,
  partitions = 1,
  config: Readonly<Record<string, string>> = {},
): Promise<void> {
  const admin = kafkaClient(brokers).admin();
  await admin.connect();
  try {
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    await admin.createTopics({
      waitForLeaders: true,
      topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }],
    });
  } finally {
    await admin.disconnect();
  }
}

/** All of them acknowledged (acks=all) when it resolves; records without a partition go where their key says. */
export async function produce(brokers: Brokers, topic: string, records: readonly ProducedRecord[]): Promise<void> {
  const producer = kafkaClient(brokers).producer({ retry: QUICK_RETRY, allowAutoTopicCreation: false });
  await producer.connect();
  try {
    const messages = records.map(({ timestamp, ...record }) => ({
      ...record,
      ...(timestamp === undefined ? {} : { timestamp: String(timestamp) }),
    }));
    await producer.send({ topic, acks: -1, messages });
  } finally {
    await producer.disconnect();
  }
}

/** The topic's committed records from its start, by partition and offset. */
export async function readCommitted(brokers: Brokers, topic: string, options: ReadOptions = {}): Promise<ReadRecord[]> {
  const { until, idle = until === undefined ? 500 : undefined, timeout = 30_000 } = options;
  const consumer = kafkaClient(brokers).consumer({
    groupId: uniqueName('reader'),
    readUncommitted: options.uncommitted ?? false,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 100,
    retry: QUICK_RETRY,
  });
  const records: ReadRecord[] = [];
  const isEnough = (): boolean =>
    until === undefined || (typeof until === 'number' ? records.length >= until : until(records));
  let quietSince = Infinity;
  let quietRounds = 0;
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`read ${records.length} records of ${topic} in ${timeout} ms, and more were to come`)),
        timeout,
      );
      const end = (error?: Error): void => {
        clearTimeout(late);
        if (error === undefined) resolve();
        else reject(error);
      };
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        // It starts again by itself where that may help, e.g. while a coordinator loads.
        if (!payload.restart) end(payload.error);
      });
      // One answer of the broker. If it holds anything, control records and aborted ones too, processing starts after it.
      consumer.on(consumer.events.START_BATCH_PROCESS, () => (quietRounds = 0));
      consumer.on(consumer.events.FETCH, () => {
        if (quietRounds === 0) quietSince = performance.now();
        quietRounds += 1;
        if (idle !== undefined && quietRounds > 2 && performance.now() - quietSince >= idle && isEnough()) end();
      });
      const eachBatch = ({ batch }: { batch: Batch }): Promise<void> => {
        for (const message of batch.messages) records.push(recordOf(batch.partition, message));
        if (idle === undefined && isEnough()) end();
        return Promise.resolve();
      };
      consumer.run({ autoCommit: false, eachBatch }).catch(end);
    });
  } finally {
    await consumer.disconnect();
  }
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

export const recordOf = (partition: number, message: KafkaMessage): ReadRecord => ({
  partition,
  offset: Number(message.offset),
  key: message.key,
  value: message.value,
  headers: Object.fromEntries(Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)])),
  timestamp: Number(message.timestamp),
});
