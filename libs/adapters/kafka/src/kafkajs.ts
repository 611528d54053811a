/** The door to kafkajs: its client for configuration and administration, its Cluster and Broker for connections, authentication, metadata and coordinators.
 *  The hot requests (Fetch, Produce) and those that kafkajs does not know (OffsetFetch v7, TxnOffsetCommit v3, DescribeTransactions) are encoded by us and
 *  sent through its connections. That seam is not public: kafkajs is pinned, and another version is refused. */
import { createRequire } from 'node:module';
import { HEADROOM, type RequestBody } from './frame-request.js';
import kafkajs, {
  type Admin,
  type Kafka,
  type KafkaConfig,
  type LogEntry,
  type Producer,
  type ProducerConfig,
  type SASLOptions,
} from 'kafkajs';
import { RiverrunError, errorMessage } from '#domain/errors';
import type { Logger } from '#domain/ports';

const PINNED = '2.2.4';

export interface KafkaSecurity {
  readonly ssl: boolean;
  /** PEM. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly sasl?:
    | {
        readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
        readonly username: string;
        readonly password: string;
      }
    | undefined;
}

export interface KafkaConnection extends KafkaSecurity {
  readonly brokers: readonly string[];
  readonly clientId: string;
}

/** What kafkajs' own request builders and ours have in common. */
export interface WireRequest<T> {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly apiName: string;
  /** Body behind the request header; with `headroom`, HEADROOM bytes before it are free. */
  readonly body: Buffer;
  readonly headroom?: boolean;
  readonly decode: (payload: Buffer) => T | Promise<T>;
}

interface ProtocolRequest {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<RequestBody>;
  };
  readonly response: { decode(payload: Buffer): Promise<unknown>; parse(data: unknown): Promise<unknown> };
  readonly logResponseError?: boolean;
}

export interface TopicPartitions<P> {
  readonly topic: string;
  readonly partitions: readonly P[];
}

export { kafkajs };

/** The parts of kafkajs' Broker in use. */
export interface Broker {
  readonly nodeId: number;
  readonly connectionPool: { send(request: ProtocolRequest): Promise<unknown> };
  joinGroup(o: {
    groupId: string;
    sessionTimeout: number;
    rebalanceTimeout: number;
    memberId: string;
    groupProtocols: readonly { name: string; metadata: Buffer }[];
  }): Promise<{
    generationId: number;
    memberId: string;
    leaderId: string;
    members: readonly { memberId: string; memberMetadata: Buffer }[];
  }>;
  syncGroup(o: {
    groupId: string;
    generationId: number;
    memberId: string;
    groupAssignment: readonly { memberId: string; memberAssignment: Buffer }[];
  }): Promise<{ memberAssignment: Buffer }>;
  heartbeat(o: { groupId: string; groupGenerationId: number; memberId: string }): Promise<unknown>;
  leaveGroup(o: { groupId: string; memberId: string }): Promise<unknown>;
  offsetCommit(o: {
    groupId: string;
    groupGenerationId: number;
    memberId: string;
    topics: readonly TopicPartitions<{ partition: number; offset: string; metadata: string }>[];
  }): Promise<unknown>;
  listOffsets(o: {
    isolationLevel: number;
    topics: readonly TopicPartitions<{ partition: number; timestamp: number }>[];
  }): Promise<{ responses: readonly TopicPartitions<{ partition: number; offset: string }>[] }>;
  initProducerId(o: { transactionalId: string; transactionTimeout: number }): Promise<{
    producerId: string;
    producerEpoch: number;
  }>;
  addPartitionsToTxn(o: {
    transactionalId: string;
    producerId: string;
    producerEpoch: number;
    topics: readonly TopicPartitions<number>[];
  }): Promise<unknown>;
  addOffsetsToTxn(o: {
    transactionalId: string;
    producerId: string;
    producerEpoch: number;
    groupId: string;
  }): Promise<unknown>;
  endTxn(o: {
    transactionalId: string;
    producerId: string;
    producerEpoch: number;
    transactionResult: boolean;
  }): Promise<unknown>;
}

/** The parts of kafkajs' Cluster in use. */
export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  findBroker(o: { nodeId: number | string }): Promise<Broker>;
  /** coordinatorType: 0 group, 1 transaction. */
  findGroupCoordinator(o: { groupId: string; coordinatorType?: 0 | 1 }): Promise<Broker>;
  findTopicPartitionMetadata(topic: string): readonly { partitionId: number; leader: number }[];
  isConnected(): boolean;
}

type CreateCluster = (o: {
  metadataMaxAge: number;
  allowAutoTopicCreation: boolean;
  isolationLevel: number;
}) => Cluster;

export class KafkaClient {
  private readonly kafka: Kafka;

  /** RiverrunError KAFKAJS_VERSION where another kafkajs than the pinned one is installed. */
  constructor(connection: KafkaConnection, logger?: Logger) {
    const { version } = createRequire(import.meta.url)('kafkajs/package.json') as { version: string };
    if (version !== PINNED)
      throw new RiverrunError(
        'KAFKAJS_VERSION',
        `kafkajs ${version} is installed, this version works with ${PINNED} only: run npm ci`,
      );
    this.kafka = new kafkajs.Kafka(configOf(connection, logger));
  }

  admin(): Admin {
    return this.kafka.admin();
  }

  /** kafkajs' own producer; ours are for outcomes. */
  producer(config: ProducerConfig): Producer {
    return this.kafka.producer(config);
  }

  /** A set of connections of its own. */
  cluster(): Cluster {
    const key = Object.getOwnPropertySymbols(this.kafka).find((s) => s.description === 'private:Kafka:createCluster')!;
    const create = (this.kafka as unknown as Record<symbol, CreateCluster>)[key];
    return create({ metadataMaxAge: 300_000, allowAutoTopicCreation: false, isolationLevel: 1 });
  }
}

/** Sends one of our own requests. */
export function send<T>(
  broker: Broker,
  { apiKey, apiVersion, apiName, body, headroom, decode }: WireRequest<T>,
): Promise<T> {
  const encoded = { buf: body, buffer: body, headroom: headroom === true ? HEADROOM : 0 };
  return broker.connectionPool.send({
    request: { apiKey, apiVersion, apiName, encode: () => Promise.resolve(encoded) },
    response: { decode: async (payload) => decode(payload), parse: (data) => Promise.resolve(data) },
    logResponseError: false,
  }) as Promise<T>;
}

/** The type of a Kafka error (`ILLEGAL_GENERATION`), or the name of kafkajs' own. */
export function kafkaErrorType(error: unknown): string {
  const { type, name, code } = error as { type?: unknown; name?: unknown; code?: unknown };
  return typeof type === 'string' ? type : typeof code === 'string' ? code : String(name);
}

/** One line for people: what was tried, with whom, and what to do. Never holds a secret: kafkajs' messages do not. */
export function kafkaError(error: unknown, { brokers, sasl }: KafkaConnection): RiverrunError {
  if (error instanceof RiverrunError) return error;
  const type = kafkaErrorType(error);
  const text = errorMessage(error).replaceAll('\n', ' ');
  if (/SASL|Authentication/i.test(type) || /SASL|authentication/i.test(text))
    return new RiverrunError(
      'KAFKA_AUTH',
      `Kafka at ${brokers.join(',')} refuses the credentials${sasl === undefined ? '' : ` of ${sasl.username} (${sasl.mechanism})`}: check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD`,
      { cause: error },
    );
  if (/AUTHORIZATION_FAILED/.test(type))
    return new RiverrunError('KAFKA_ACL', `Kafka denies it: ${text}: see docs/operations.md for the ACLs it needs`, {
      cause: error,
    });
  if (/Connection|Closed|ECONN|ENOTFOUND|EAI_AGAIN|NumberOfRetries|BrokerNotFound|Timeout/i.test(`${type} ${text}`))
    return new RiverrunError('KAFKA_UNREACHABLE', `Kafka at ${brokers.join(',')} cannot be reached: ${text}`, {
      cause: error,
    });
  return new RiverrunError('KAFKA', `Kafka: ${text} (${type})`, { cause: error });
}

function configOf({ brokers, clientId, ssl, ca, cert, key, sasl }: KafkaConnection, logger?: Logger): KafkaConfig {
  return {
    clientId,
    brokers: [...brokers],
    connectionTimeout: 3000,
    requestTimeout: 10_000,
    // Long waits are ours to decide: a pipeline recovers and says why, it does not hang in a client.
    retry: { initialRetryTime: 50, multiplier: 1.5, maxRetryTime: 1000, retries: 4 },
    ...(ssl && { ssl: { ...(ca !== undefined && { ca: [ca] }), ...(cert !== undefined && { cert, key: key! }) } }),
    ...(sasl !== undefined && {
      sasl: {
        mechanism: sasl.mechanism.toLowerCase(),
        username: sasl.username,
        password: sasl.password,
      } as SASLOptions,
    }),
    logLevel: kafkajs.logLevel.WARN,
    logCreator:
      () =>
      ({ namespace, log }: LogEntry) =>
        logger?.debug(`kafkajs ${namespace}: ${log.message}`),
  };
}
