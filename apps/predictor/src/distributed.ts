/** Composes the distributed service: ticks and outcomes in Kafka, states and models in Redis, a pipeline service for each partition the group gives this instance.
 *  A trainer has neither Kafka nor partitions: it works from Redis alone. */
import type { Config } from '#config/config';
import { kafkaConnection, redisConnection, topicNames } from '#config/connections';
import { RiverrunError, errorMessage } from '#domain/errors';
import { SEGMENT_ROWS, type Logger, type ModelRegistry, type StateStore, type WindowStore } from '#domain/ports';
import type { OnStep } from '#domain/step';
import { KafkaPartitions } from '#adapters/kafka/kafka-partitions';
import type { KafkaTickLog } from '#adapters/kafka/kafka-tick-log';
import { connectRedis, type RedisClient } from '#adapters/redis/redis-client';
import { RedisModelRegistry } from '#adapters/redis/redis-model-registry';
import { RedisStateStore } from '#adapters/redis/redis-state-store';
import { RedisTurns } from '#adapters/redis/redis-turns';
import { Pipeline } from '#pipeline/pipeline';
import { keepCheckpoints } from './checkpoints.js';
import { createFailpoint } from './failpoint.js';
import { MemberFile } from './member-file.js';
import { ModelCache } from './model-cache.js';
import { PipelineService } from './pipeline-service.js';
import { RedisTrainingSource } from './redis-training.js';
import type { Running, ServiceObserver } from './running.js';
import { Services } from './services.js';
import { standInFrom, type StandIn } from './stand-in.js';
import type { Metrics } from '#telemetry/metrics';

const FIRST_RETRY_MS = 500;
const MOST_RETRY_MS = 10_000;
const PING_MS = 1000;
/** What waiting may mend. Wrong credentials, a wrong policy or a wrong topic stop the start. */
const PASSING = new Set(['KAFKA_UNREACHABLE', 'REDIS_UNREACHABLE']);

export class Distributed implements Running {
  readonly services = new Services();
  readonly titles = new Map();
  private redis: RedisClient | undefined;
  private partitions: KafkaPartitions | undefined;
  private models: { registry: RedisModelRegistry; standIn: StandIn; cache: ModelCache } | undefined;
  private member: MemberFile | undefined;
  private trouble: string | undefined = 'connecting';
  private stopping = false;
  private ping: NodeJS.Timeout | undefined;
  private readonly byLog = new Map<KafkaTickLog, { service: PipelineService; stopCheckpoints: () => void }>();
  private readonly onStep: OnStep | undefined;

  constructor(
    private readonly config: Config,
    private readonly logger: Logger,
    private readonly observer: ServiceObserver,
    private readonly metrics: Metrics,
    private readonly onFatal: (error: unknown) => void,
  ) {
    this.onStep = createFailpoint(config.failpoint);
  }

  readonly registry: ModelRegistry = {
    publish: (draft, weights) => this.connected().publish(draft, weights),
    load: (model) => this.connected().load(model),
    list: () => this.connected().list(),
    aliases: (pipeline) => this.connected().aliases(pipeline),
    activate: (...change) => this.connected().activate(...change),
    challenge: (...change) => this.connected().challenge(...change),
    setCanary: (...change) => this.connected().setCanary(...change),
  };

  get training(): Running['training'] {
    const { pipelines, app } = this.config;
    const client = (): RedisClient => this.client();
    const standIn: StandIn = async (spec) => this.known().standIn(spec);
    return {
      sources: pipelines.map((spec) => new RedisTrainingSource(spec, app, client, this.registry, standIn)),
      turns: { take: async (pipeline) => new RedisTurns(client(), { app }).take(pipeline) },
    };
  }

  problems(): string[] {
    const problem = this.trouble ?? this.partitions?.problem;
    return problem === undefined ? [] : [problem];
  }

  deadLetters(): [] {
    return [];
  }

  /** Connects in the background, for as long as it takes: /readyz says why it is not ready. */
  start(): Promise<void> {
    this.connect().catch((error: unknown) => this.onFatal(error));
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    for (const { stopCheckpoints } of this.byLog.values()) stopCheckpoints();
    clearInterval(this.ping);
    await Promise.all(this.services.all.map((service) => service.stop()));
    await this.partitions?.stop();
    this.member?.close();
    await this.redis?.close();
  }

  private async connect(): Promise<void> {
    const { config, logger } = this;
    const redis = await this.retrying(() =>
      connectRedis({
        ...redisConnection(config),
        onCommand: (name, seconds) => this.metrics.redisCommand(name, seconds),
      }),
    );
    if (redis === undefined) return;
    this.redis = redis;
    for (const warning of redis.warnings) logger.warn(warning);
    const registry = new RedisModelRegistry(redis, { app: config.app });
    const standIn = standInFrom(registry, config.defaultModel, logger);
    this.models = { registry, standIn, cache: new ModelCache(registry, standIn) };
    if (config.role === 'trainer') {
      this.trouble = undefined;
      this.ping = setInterval(() => void this.askRedis(redis), PING_MS);
      return;
    }
    const member = await MemberFile.open(config.dataDir, config.app, logger);
    this.member = member;
    const options = {
      connection: kafkaConnection(config),
      app: config.app,
      topics: topicNames(config),
      delivery: config.delivery,
      from: config.from,
      sessionTimeoutMs: config.sessionTimeout,
      codec: config.kafkaCodec,
      logger,
      onStep: this.onStep,
      formerMemberId: member.former(),
    };
    this.partitions = await this.retrying(() =>
      KafkaPartitions.start(options, {
        assigned: (log, partitions) => this.assigned(log, partitions),
        revoked: (log) => this.revoked(log),
        joined: (memberId) => member.write(memberId),
        rebalanced: () => this.metrics.rebalanced(),
        transaction: (outcome, seconds) => this.metrics.transaction(outcome, seconds),
      }),
    );
    this.trouble = undefined;
  }

  /** A predictor's partitions say by themselves what keeps them; a trainer may have nothing to ask Redis for minutes. */
  private async askRedis(redis: RedisClient): Promise<void> {
    try {
      await redis.call('PING', []);
      this.trouble = undefined;
    } catch (error) {
      if (this.trouble === undefined && !this.stopping) this.logger.warn(errorMessage(error));
      this.trouble = errorMessage(error);
    }
  }

  /** undefined once the service stops. */
  private async retrying<T>(connect: () => Promise<T>): Promise<T | undefined> {
    for (let pause = FIRST_RETRY_MS; !this.stopping; pause = Math.min(2 * pause, MOST_RETRY_MS)) {
      try {
        return await connect();
      } catch (error) {
        if (!(error instanceof RiverrunError && PASSING.has(error.code))) throw error;
        if (this.trouble !== error.message) this.logger.warn(`${error.message}: trying again`);
        this.trouble = error.message;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    return undefined;
  }

  private assigned(log: KafkaTickLog, partitions: number): void {
    const { config, logger } = this;
    const { topic, partition } = log.source;
    const spec = config.pipelines.find(({ topics }) => topics.includes(topic))!;
    const states: StateStore & WindowStore = new RedisStateStore(this.redis!, {
      app: config.app,
      topic,
      partition,
      windowSegments: Math.ceil(spec.window / SEGMENT_ROWS),
    });
    const { cache } = this.models!;
    // An instance may come to read all partitions: each gets its share of the memory from the start.
    const pipeline = Pipeline.create(
      spec,
      { log, states, windows: states, models: cache },
      (digest) => cache.findByDigest(digest),
      {
        hotBytes: config.hotBytes / partitions,
        maxBatch: config.maxBatch,
        maxRecordBytes: config.maxRecordBytes,
        nameTopic: topicNames(config).inputs.length > 1,
        delivery: config.delivery,
        overlap: true,
        onStep: this.onStep,
        stateTtlMs: config.stateTtl,
      },
    );
    const close = (): Promise<void> => states.close();
    const label = `${spec.name} ${topic}/${partition}`;
    const service = new PipelineService(pipeline, log, cache, logger, close, undefined, label, partitions);
    this.services.add(service);
    this.observer.added(service, { topic, partition, lag: () => log.lag });
    service.start(false);
    const { checkpointInterval } = config;
    const stopCheckpoints =
      checkpointInterval === null ? (): void => undefined : keepCheckpoints(service, checkpointInterval, logger);
    this.byLog.set(log, { service, stopCheckpoints });
  }

  private revoked(log: KafkaTickLog): void {
    const known = this.byLog.get(log);
    if (known === undefined) return;
    const { service, stopCheckpoints } = known;
    stopCheckpoints();
    this.byLog.delete(log);
    this.services.remove(service);
    this.observer.removed(service);
    void service.abandon();
  }

  private connected(): ModelRegistry {
    return this.known().registry;
  }

  private known(): NonNullable<Distributed['models']> {
    if (this.models === undefined) throw this.unavailable('the registry');
    return this.models;
  }

  private client(): RedisClient {
    if (this.redis === undefined) throw this.unavailable('Redis');
    return this.redis;
  }

  private unavailable(what: string): RiverrunError {
    return new RiverrunError('UNAVAILABLE', `${what} cannot be reached: ${this.trouble ?? 'no connection'}`);
  }
}
