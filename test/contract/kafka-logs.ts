/** Kafka's TickLog for the contract suite: one topic of one partition, and a producer beside it as its writing end. */
import type { Producer } from 'kafkajs';
import { KafkaPartitions } from '#adapters/kafka/kafka-partitions';
import type { KafkaTickLog } from '#adapters/kafka/kafka-tick-log';
import type { Logger, TickAppender, TickLog } from '#domain/ports';
import { keyOf, valueOf, type RecordBatch } from '#domain/record-batch';
import { createTopic, kafkaClient } from '../support/kafka-clients.js';
import { kafkaBrokers, uniqueName } from '../support/servers/use.js';
import type { LogAdapter, LogOptions, Subject } from './adapters.js';

type Log = TickLog & TickAppender;

const QUIET: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const ASSIGNED_WITHIN_MS = 20_000;
/** Ticks of any time, kept for good, in one file. */
export const TOPIC = {
  'message.timestamp.after.max.ms': String(2n ** 63n - 1n),
  'retention.ms': '-1',
  'segment.ms': String(2n ** 63n - 1n),
};

/** The partition this member of the group was given. */
export interface Joined {
  readonly partitions: KafkaPartitions;
  readonly log: KafkaTickLog;
}

/** A member of the group `app`, which is the topic's name too; it reads from the topic's start. */
export async function join(brokers: readonly string[], app: string, codec: 'fast' | 'stock'): Promise<Joined> {
  const topics = {
    inputs: [app],
    predictions: `${app}-predictions`,
    deadLetters: `${app}-dlt`,
    checkpoints: `${app}-state-changelog`,
  };
  const options = {
    connection: { brokers, clientId: app, ssl: false },
    ...{ app, topics, codec },
    ...({ delivery: 'exactly-once', from: 'earliest', sessionTimeoutMs: 6000, logger: QUIET } as const),
  };
  let give: (log: KafkaTickLog) => void;
  const assigned = new Promise<KafkaTickLog>((resolve) => (give = resolve));
  const partitions = await KafkaPartitions.start(options, { assigned: (log) => give(log), revoked: () => {} });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no partition assigned: ${partitions.problem}`)), ASSIGNED_WITHIN_MS);
  });
  const log = await Promise.race([assigned, late]).finally(() => clearTimeout(timer));
  return { partitions, log };
}

export async function leave({ log, partitions }: Joined): Promise<void> {
  await log.close();
  await partitions.stop();
}

/** Writes what the log then reads, each record with its own timestamp. */
class TopicAppender {
  private end = 0;

  constructor(
    private readonly producer: Producer,
    private readonly topic: string,
  ) {}

  async append(records: RecordBatch): Promise<number> {
    const first = this.end;
    if (records.count === 0) return first;
    const copy = (part: Uint8Array | null): Buffer | null => (part === null ? null : Buffer.from(part));
    const messages = Array.from({ length: records.count }, (_, i) => ({
      key: copy(keyOf(records, i)),
      value: copy(valueOf(records, i)),
      timestamp: String(records.timestamps[i]),
      partition: 0,
    }));
    const [{ baseOffset }] = await this.producer.send({ topic: this.topic, acks: -1, messages });
    this.end = first + records.count;
    return Number(baseOffset);
  }
}

const together = (log: KafkaTickLog, appender: TopicAppender): Log => ({
  checkpoints: log.checkpoints,
  open: () => log.open(),
  seek: (offset) => log.seek(offset),
  read: (most, below) => log.read(most, below),
  publish: (outcomes) => log.publish(outcomes),
  releaseBelow: (offset) => log.releaseBelow(offset),
  close: () => log.close(),
  append: (records) => appender.append(records),
  sourcePosition: () => Promise.resolve(undefined),
});

async function inKafka(codec: 'fast' | 'stock'): Promise<Subject<Log>> {
  const brokers = await kafkaBrokers();
  const app = uniqueName('contract');
  await createTopic(brokers, app, 1, TOPIC);
  const producer = kafkaClient(brokers).producer();
  await producer.connect();
  const appender = new TopicAppender(producer, app);
  let joined = await join(brokers, app, codec);
  return {
    value: together(joined.log, appender),
    restart: async () => {
      await leave(joined);
      joined = await join(brokers, app, codec);
      return together(joined.log, appender);
    },
    dispose: async () => {
      await leave(joined);
      await producer.disconnect();
    },
  };
}

const missing = await kafkaBrokers().then(
  () => undefined,
  (error: unknown) => (error as Error).message,
);
if (missing !== undefined) console.warn(`tick log on Kafka: skipped, ${missing}`);

export const KAFKA_LOGS: readonly LogAdapter[] = (['fast', 'stock'] as const).map((codec) => ({
  name: `kafka, ${codec} codec`,
  missing,
  runs: 6,
  lacks: {
    appending: 'ticks are written by others',
    topics: 'a partition is of one topic',
    anyTime: 'a record has a time in whole milliseconds from 1970 on',
    dense: 'offsets have gaps where transactions end and compaction deletes',
  },
  create: (options: LogOptions) => {
    void options;
    return inKafka(codec);
  },
}));
