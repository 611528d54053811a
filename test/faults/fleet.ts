/** One application under test: topics and keys of its own, a pinned model, as many instances as a test starts, its traffic and its audit. */
import { modelLabel, type ModelArtifact, type ModelManifest } from '#domain/model';
import { connectRedis } from '#adapters/redis/redis-client';
import { RedisModelRegistry } from '#adapters/redis/redis-model-registry';
import { createTopic } from '../support/kafka-clients.js';
import { FEATURES } from '#forecasting/forecast-plan';
import { gruSpec, randomWeights } from '../support/models.js';
import { Service } from '../support/service.js';
import { waitUntil } from '../support/servers/programs.js';
import { uniqueName } from '../support/servers/unique-name.js';
import { Audit } from './audit.js';
import { PARTITIONS, Traffic, type TrafficOptions } from './traffic.js';

/** What the brokers of these tests allow: a dead instance is missed soon. */
export const QUICK_SESSIONS = { 'group.min.session.timeout.ms': 1_000 };
export const SESSION_MS = 2_000;

export interface FleetOptions {
  /** Models forecast: baselines, intervals, a challenger beside the champion. */
  readonly forecasts?: boolean;
  readonly brokers: readonly string[];
  readonly redisUrl: string;
  readonly traffic?: TrafficOptions;
  readonly env?: Readonly<Record<string, string>>;
}

export class Fleet {
  readonly app = uniqueName('fault');
  readonly topics = {
    ticks: `${this.app}-ticks`,
    predictions: `${this.app}-predictions`,
    deadLetters: `${this.app}-dlt`,
  };
  readonly models = new Map<string, ModelArtifact>();
  readonly audit: Audit;
  readonly traffic: Traffic;
  readonly instances: Instance[] = [];

  private constructor(readonly options: FleetOptions) {
    this.audit = new Audit(options.brokers, this.topics, this.models);
    this.traffic = new Traffic(options.brokers, this.topics.ticks, options.traffic);
  }

  /** Topics and model are there; no instance and no traffic yet. */
  static async create(options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options);
    const { ticks, predictions, deadLetters } = fleet.topics;
    await createTopic(options.brokers, ticks, PARTITIONS);
    await createTopic(options.brokers, predictions, PARTITIONS);
    await createTopic(options.brokers, deadLetters, PARTITIONS, { 'max.message.bytes': String(2 * 1024 ** 2) });
    await fleet.activate(1);
    await fleet.audit.start();
    return fleet;
  }

  /** Publishes a model of those random weights and makes it the champion. */
  activate(seed: number): Promise<string> {
    return this.withRegistry(async (registry) => {
      const manifest = await this.publish(registry, seed);
      // The one before goes on beside it where the two can be compared.
      await registry.activate('default', manifest, undefined, true);
      return modelLabel(manifest);
    });
  }

  /** Publishes a model of those random weights and gives it a share of the streams. */
  canary(seed: number, share: number): Promise<string> {
    return this.withRegistry(async (registry) => {
      const manifest = await this.publish(registry, seed);
      const { champion } = await registry.aliases('default');
      await registry.setCanary('default', { model: manifest, share }, champion!);
      return modelLabel(manifest);
    });
  }

  /** Gives all streams to the canary, or to the champion again; the label of who serves them. */
  endCanary(promoted: boolean): Promise<string> {
    return this.withRegistry(async (registry) => {
      const { champion, canary } = await registry.aliases('default');
      const winner = promoted ? canary!.model : champion!;
      await registry.activate('default', winner);
      return modelLabel(winner);
    });
  }

  private async withRegistry<T>(work: (registry: RedisModelRegistry) => Promise<T>): Promise<T> {
    const client = await connectRedis({ url: this.options.redisUrl });
    try {
      return await work(new RedisModelRegistry(client, { app: this.app }));
    } finally {
      await client.close();
    }
  }

  private async publish(registry: RedisModelRegistry, seed: number): Promise<ModelManifest> {
    const network = { ...gruSpec(16), inputSize: this.options.forecasts === true ? FEATURES : 1 };
    // Every third has another season: streams make their plans anew from their windows.
    const forecast = { horizon: 1, season: seed % 3 === 0 ? 7 : 0, timeZone: 'UTC' };
    const raw = { scaler: 'none', origin: 'imported', pinned: true } as const;
    const trained = { scaler: 'standard', origin: 'trained', pinned: false, forecast } as const;
    const manifest = await registry.publish(
      {
        name: 'gru',
        network,
        target: 'value',
        warmUp: 0,
        createdAt: '2026-01-01T00:00:00Z',
        ...(this.options.forecasts === true ? trained : raw),
      },
      randomWeights(network, seed),
    );
    this.models.set(modelLabel(manifest), await registry.load(manifest));
    return manifest;
  }

  /** Starts one more instance; `env` may place it behind a proxy or give it a failpoint. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<Instance> {
    const { brokers, redisUrl } = this.options;
    const instance = new Instance({
      RIVERRUN_MODE: 'distributed',
      RIVERRUN_ROLE: 'predictor',
      RIVERRUN_APP: this.app,
      RIVERRUN_TICKS_TOPIC: this.topics.ticks,
      RIVERRUN_PREDICTIONS_TOPIC: this.topics.predictions,
      RIVERRUN_DEAD_LETTER_TOPIC: this.topics.deadLetters,
      RIVERRUN_FROM: 'earliest',
      RIVERRUN_SESSION_TIMEOUT: `${SESSION_MS}ms`,
      KAFKA_BROKERS: brokers.join(','),
      REDIS_URL: redisUrl,
      ...this.options.env,
      ...env,
    });
    this.instances.push(instance);
    await instance.start();
    return instance;
  }

  /** All is read, nothing is lost, twice or wrong, and the states are as they must be. Traffic is paused. */
  async finish(where: string): Promise<void> {
    await this.traffic.pause();
    await this.traffic.burst(40);
    await this.audit.checkStates(where, { url: this.options.redisUrl, app: this.app });
  }

  async end(): Promise<void> {
    await this.traffic.stop();
    await this.audit.stop();
    await Promise.all(this.instances.map((instance) => instance.end()));
  }
}

export class Instance extends Service {
  /** What keeps it from being ready. */
  async reasons(): Promise<string[]> {
    const { json } = await this.get('/readyz');
    return json.reasons as string[];
  }

  /** It is a member of the group and none of its partitions is stuck. */
  async ready(): Promise<this> {
    let reasons: string[] = [];
    const holds = async (): Promise<boolean> =>
      (reasons = await this.reasons().catch((error: unknown) => [`no answer: ${String(error)}`])).length === 0;
    await waitUntil('the instance is ready', holds, 30_000).catch((error: Error) => {
      throw new Error(`${error.message}: ${reasons.join(', ')}\n${this.output.slice(-2_000)}`);
    });
    return this;
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }
}
