/** Publishes ticks as any other producer would: kafkajs' own, whose default partitioner sends a key to the partition that the Java clients send it to. */
import type { Producer } from 'kafkajs';
import { RiverrunError } from '#domain/errors';
import type { Logger } from '#domain/ports';
import { kafkaError, kafkaErrorType, KafkaClient, type KafkaConnection } from './kafkajs.js';

export interface PublishedTick {
  /** The stream's id. */
  readonly key: string;
  readonly value: string;
}

/** Brokers take 1 MB a batch by default, and compression is not reckoned with. */
const REQUEST_BYTES = 512 * 1024;
/** A broker that is restarted is back within this. */
const RETRY = { initialRetryTime: 50, multiplier: 1.5, maxRetryTime: 1000, retries: 30 };

export class KafkaPublisher {
  private constructor(
    private readonly producer: Producer,
    private readonly connection: KafkaConnection,
    readonly topic: string,
  ) {}

  /** RiverrunError KAFKA_TOPIC where the topic does not exist; KAFKA_UNREACHABLE | KAFKA_AUTH | KAFKA_ACL. */
  static async connect(connection: KafkaConnection, topic: string, logger?: Logger): Promise<KafkaPublisher> {
    const client = new KafkaClient(connection, logger);
    const admin = client.admin();
    const producer = client.producer({ idempotent: true, allowAutoTopicCreation: false, retry: RETRY });
    try {
      await admin.connect();
      await admin.fetchTopicMetadata({ topics: [topic] });
      await producer.connect();
      return new KafkaPublisher(producer, connection, topic);
    } catch (error) {
      await producer.disconnect().catch(() => undefined);
      throw refusal(error, connection, topic);
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }

  /** Resolves once all in-sync replicas have them, each once, a key's in the order given. Await it before the next call. */
  async send(ticks: readonly PublishedTick[]): Promise<void> {
    for (let from = 0; from < ticks.length;) {
      let to = from;
      for (let bytes = 0; to < ticks.length && (to === from || bytes < REQUEST_BYTES); to++)
        bytes += Buffer.byteLength(ticks[to].key) + Buffer.byteLength(ticks[to].value);
      try {
        await this.producer.send({ topic: this.topic, acks: -1, messages: ticks.slice(from, to) });
      } catch (error) {
        throw refusal(error, this.connection, this.topic);
      }
      from = to;
    }
  }

  close(): Promise<void> {
    return this.producer.disconnect();
  }
}

function refusal(error: unknown, connection: KafkaConnection, topic: string): RiverrunError {
  if (kafkaErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION')
    return new RiverrunError(
      'KAFKA_TOPIC',
      `there is no topic ${topic} at ${connection.brokers.join(',')}: start the service, which makes it, or make it with kafka-topics --create --topic ${topic}`,
      { cause: error },
    );
  return kafkaError(error, connection);
}
