/** An app of its own in distributed mode: unique topics, settings, models, and what a spec does with them. */
import { connectRedis, type RedisClient } from '#adapters/redis/redis-client';
import { RedisModelRegistry } from '#adapters/redis/redis-model-registry';
import { createTopic, produce, readCommitted, type ProducedRecord, type ReadRecord } from './kafka-clients.js';
import { gruSpec, randomWeights } from './models.js';
import { runCli, type Finished } from './run-cli.js';
import { deployment } from './deployment.js';
import { Service } from './service.js';
import { kafkaBrokers, redisUrl } from './servers/use.js';

export class DistributedApp {
  /** Starts the built service over a new topic of ticks. */
  static async start(prefix: string, partitions: number): Promise<DistributedApp> {
    const { app, inputs, predictions, deadLetters, env: names } = deployment(1, prefix);
    const [brokers, url] = [await kafkaBrokers(), await redisUrl()];
    const topics = { ticks: inputs[0], predictions, letters: deadLetters };
    await createTopic(brokers, topics.ticks, partitions);
    const env = { ...names, KAFKA_BROKERS: brokers.join(','), REDIS_URL: url };
    const started = new DistributedApp(app, topics, env, brokers, await connectRedis({ url }));
    await started.service.start();
    await started.ready();
    return started;
  }

  readonly service: Service;
  private answered = 0;

  private constructor(
    readonly app: string,
    readonly topics: { readonly ticks: string; readonly predictions: string; readonly letters: string },
    readonly env: Record<string, string>,
    readonly brokers: readonly string[],
    readonly redis: RedisClient,
  ) {
    this.service = new Service(env);
  }

  /** Resolves once the service has its topics and its share of them. */
  async ready(): Promise<void> {
    for (let tries = 0; (await fetch(`${this.service.url}/readyz`)).status !== 200; tries++) {
      if (tries > 600) throw new Error(`not ready: ${this.service.output}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** A pinned raw GRU as the champion; its label. Services meet it within half a second. */
  async serve(seed: number): Promise<string> {
    const registry = new RedisModelRegistry(this.redis, { app: this.app });
    const network = gruSpec(8);
    const { name, version } = await registry.publish(
      {
        name: 'm',
        network,
        scaler: 'none',
        target: 'value',
        warmUp: 0,
        origin: 'imported',
        pinned: true,
        createdAt: '2026-01-01T00:00:00Z',
      },
      randomWeights(network, seed),
    );
    await registry.activate('default', { name, version });
    return `${name}@${version}`;
  }

  /** Publishes records that each get an answer, and waits for the answers. */
  async take(records: readonly ProducedRecord[]): Promise<ReadRecord[]> {
    await produce(this.brokers, this.topics.ticks, records);
    this.answered += records.length;
    return this.answers();
  }

  /** All answers there must be by now. */
  answers(): Promise<ReadRecord[]> {
    return readCommitted(this.brokers, this.topics.predictions, { until: this.answered });
  }

  async cli(...args: string[]): Promise<Finished> {
    return runCli(args, { env: this.env });
  }

  /** The one document that `--json` prints. */
  async json<T>(...args: string[]): Promise<{ code: number | null; stderr: string; json: T }> {
    const { code, stdout, stderr } = await this.cli(...args, '--json');
    if (stdout === '') throw new Error(`riverrun ${args.join(' ')} printed nothing: ${stderr}`);
    return { code, stderr, json: JSON.parse(stdout) as T };
  }

  async end(): Promise<void> {
    await this.service.end();
    await this.redis.close();
  }
}

/** Ticks of `streams` streams in turn, one value a second from `from` on. */
export const ticksOf = (count: number, streams: number, from = 0): ProducedRecord[] =>
  Array.from({ length: count }, (_, i) => {
    const key = `s${i % streams}`;
    const ts = 1_700_000_000_000 + 1000 * (from + i);
    return { key, value: JSON.stringify({ stream: key, ts, value: Math.sin((from + i) / 9) }) };
  });
