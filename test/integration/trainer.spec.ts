/** Predictors and trainers as processes, each with a data folder of its own: all they share is Kafka and Redis. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { ModelManifest } from '#domain/model';
import { connectToRedis, forget } from '../support/redis-server.js';
import { createTopic, kafkaClient, readCommitted, type ReadRecord } from '../support/kafka-clients.js';
import { describeWithServers, kafkaBrokers, redisUrl, uniqueName } from '../support/servers/use.js';
import { runCli } from '../support/run-cli.js';
import { Service } from '../support/service.js';

const PARTITIONS = 4;
const STREAMS = 16;
/** Values of a stream, phase by phase: what comes next follows from what was, persistence is far off. */
const valueOf = (stream: number, k: number): number => Math.sin(0.7 * k + stream) + 2 * stream;

interface Prediction {
  readonly model: string | null;
  readonly source: string;
}
const predictionOf = ({ value }: ReadRecord): Prediction => JSON.parse(value!.toString()) as Prediction;

/** Labels by partition in the order of the offsets, equal neighbours once. */
function labelsOf(records: readonly ReadRecord[]): Map<number, (string | null)[]> {
  const labels = new Map<number, (string | null)[]>();
  for (const record of records) {
    const { model } = predictionOf(record);
    const seen = labels.get(record.partition) ?? [];
    if (seen.length === 0 || seen.at(-1) !== model) seen.push(model);
    labels.set(record.partition, seen);
  }
  return labels;
}

await describeWithServers(['kafka', 'redis'], 'trainers', () => {
  const app = uniqueName('trainer');
  const topic = `${app}-ticks`;
  const folder = mkdtempSync(join(tmpdir(), 'riverrun-test-'));
  const services: Service[] = [];
  let brokers: string[];
  let env: Record<string, string>;
  let feeding = true;
  let feed: Promise<void>;

  const start = (role: string): Promise<Service> => {
    const service = new Service({ ...env, RIVERRUN_ROLE: role });
    services.push(service);
    return service.start();
  };
  const ready = (service: Service): Promise<void> =>
    vi.waitFor(async () => expect((await service.get('/readyz')).status).toBe(200), 30_000);
  const attempts = async (service: Service): Promise<Record<string, number>> => {
    const text = await (await fetch(`${service.url}/metrics`)).text();
    const counts = text.matchAll(/^riverrun_training_attempts_total\{outcome="(\w+)"\} (\d+)$/gm);
    return Object.fromEntries(Array.from(counts, ([, outcome, count]) => [outcome, Number(count)]));
  };
  const served = async (service: Service): Promise<string | null | undefined> =>
    ((await service.get('/models')).json.serving as Record<string, string | null>).default;

  beforeAll(async () => {
    brokers = await kafkaBrokers();
    const config = join(folder, 'riverrun.yaml');
    writeFileSync(
      config,
      `pipelines: [{ name: default, topics: [${topic}], model: { cell: simple-rnn, hidden: 6 }, retrain: 2s }]\n`,
    );
    env = {
      RIVERRUN_MODE: 'distributed',
      RIVERRUN_APP: app,
      RIVERRUN_CONFIG: config,
      RIVERRUN_FROM: 'earliest',
      RIVERRUN_PREDICTIONS_TOPIC: `${app}-predictions`,
      RIVERRUN_DEAD_LETTER_TOPIC: `${app}-dlt`,
      KAFKA_BROKERS: brokers.join(','),
      REDIS_URL: await redisUrl(),
    };
    await createTopic(brokers, topic, PARTITIONS);
    const producer = kafkaClient(brokers).producer();
    await producer.connect();
    feed = (async () => {
      for (let k = 0; feeding; k++) {
        const messages = Array.from({ length: STREAMS }, (_, s) => ({
          partition: s % PARTITIONS,
          key: `s${s}`,
          value: JSON.stringify({ stream: `s${s}`, ts: 1_700_000_000_000 + 1000 * k, value: valueOf(s, k) }),
        }));
        await producer.send({ topic, messages });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await producer.disconnect();
    })();
  }, 60_000);

  afterAll(async () => {
    feeding = false;
    await feed;
    for (const service of services) await service.end();
    rmSync(folder, { recursive: true, force: true });
    await forget(await connectToRedis({ url: await redisUrl() }), app);
  }, 60_000);

  it('train what predictors elsewhere then serve, each partition from one batch on, and never the same twice', async () => {
    const predictors = await Promise.all([start('predictor'), start('predictor')]);
    const trainers = await Promise.all([start('trainer'), start('trainer')]);
    await Promise.all([...predictors, ...trainers].map(ready));

    // Each of the predictors has its share and serves the trained model.
    await vi.waitFor(
      async () => {
        for (const predictor of predictors) expect(await served(predictor)).toMatch(/^default@\d+$/);
      },
      { timeout: 120_000, interval: 500 },
    );
    const labels = (records: readonly ReadRecord[]): boolean =>
      new Set(records.filter((r) => predictionOf(r).model !== null).map((r) => r.partition)).size === PARTITIONS;
    await readCommitted(brokers, env.RIVERRUN_PREDICTIONS_TOPIC, { until: labels, timeout: 60_000 });
    // A second model: it runs beside the first in all partitions.
    await vi.waitFor(
      async () => {
        const done = (await Promise.all(trainers.map(attempts))).flatMap((counts) => Object.values(counts));
        expect(done.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(2);
        expect(Object.keys((await predictors[0].get('/models')).json.trials as object).length).toBeGreaterThan(0);
      },
      { timeout: 120_000, interval: 500 },
    );
    for (const trainer of trainers) expect(await trainer.kill('SIGTERM')).toBe(0);
    const { json } = await predictors[0].get('/models');
    const models = json.models as ModelManifest[];
    const newest = models.at(-1)!;
    // So that there is a switch from one to another.
    const activated = await runCli(['model', 'activate', `default@${newest.version}`], { env });
    expect(activated.code).toBe(0);
    await vi.waitFor(
      async () => {
        for (const predictor of predictors) expect(await served(predictor)).toBe(`default@${newest.version}`);
      },
      { timeout: 20_000, interval: 200 },
    );
    const isServed = (records: readonly ReadRecord[]): boolean =>
      Array.from(labelsOf(records).values()).filter((seen) => seen.at(-1) === `default@${newest.version}`).length ===
      PARTITIONS;
    await readCommitted(brokers, env.RIVERRUN_PREDICTIONS_TOPIC, { until: isServed, timeout: 60_000 });
    feeding = false;
    await feed;
    const records = await readCommitted(brokers, env.RIVERRUN_PREDICTIONS_TOPIC, { idle: 1000 });

    // No partition goes back to a model it has left.
    for (const seen of labelsOf(records).values()) {
      expect(seen[0]).toBeNull();
      const versions = seen.map((label) => (label === null ? 0 : Number(/^default@(\d+)$/.exec(label)![1])));
      expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
    }
    // The seed is the attempt's number: every attempt had its own.
    const seeds = models.map((model) => model.training!.seed);
    expect(new Set(seeds).size).toBe(seeds.length);
    expect(models.every(({ origin, training }) => origin === 'trained' && training!.streams > STREAMS / 2)).toBe(true);
  }, 300_000);

  it('have operations of their own, and predictors say that training is not done there', async () => {
    const trainer = await start('trainer');
    await ready(trainer);
    expect((await trainer.get('/livez')).json).toEqual({ status: 'ok' });
    expect(await served(trainer)).toMatch(/^default@\d+$/);
    for (const path of ['/streams', '/live', '/predictions', '/']) expect((await trainer.get(path)).status).toBe(404);
    const [predictor] = services;
    expect(await attempts(predictor)).toEqual({});
    const live = (await fetch(`${predictor.url}/live`)).body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!/^data: .*\n/m.test(text)) text += (await live.read()).value ?? '';
    await live.cancel();
    const frame = JSON.parse(/^data: (.*)$/m.exec(text)![1]) as { training: unknown };
    expect(frame.training).toMatchObject({ state: 'off', detail: 'training is not done here' });
  }, 60_000);
});
