/** What a process of each role needs, and what it says when that is away. */
import { afterEach, expect, it, vi } from 'vitest';
import { createTopic, produce, readCommitted } from '../support/kafka-clients.js';
import { connectToRedis, forget } from '../support/redis-server.js';
import { freePorts } from '../support/servers/ports.js';
import { startRedis } from '../support/servers/redis.js';
import { describeWithServers, kafkaBrokers, redisUrl, uniqueName } from '../support/servers/use.js';
import { Service } from '../support/service.js';

const services: Service[] = [];
afterEach(async () => {
  for (const service of services.splice(0)) await service.end();
});
const serviceOf = (env: Record<string, string>): Service => {
  const service = new Service({ RIVERRUN_MODE: 'distributed', ...env });
  services.push(service);
  return service;
};
const readiness = async (service: Service): Promise<string> => {
  const { status, json } = await service.get('/readyz');
  return `${status} ${(json.reasons as string[]).join()}`;
};

await describeWithServers(['own-redis'], 'a trainer', () => {
  it('is ready while Redis is there, and needs no Kafka', async () => {
    const [port] = await freePorts(1);
    const trainer = await serviceOf({
      RIVERRUN_ROLE: 'trainer',
      RIVERRUN_RETRAIN_INTERVAL: '1s',
      KAFKA_BROKERS: '127.0.0.1:1',
      REDIS_URL: `redis://127.0.0.1:${port}`,
    }).start();
    await vi.waitFor(
      async () => expect(await readiness(trainer)).toMatch(/^503 Redis at .* cannot be reached/),
      20_000,
    );
    const models = await fetch(`${trainer.url}/models`);
    expect(models.status).toBe(503);
    const redis = await startRedis({ port });
    try {
      await vi.waitFor(async () => expect(await readiness(trainer)).toBe('200 '), 20_000);
      expect((await trainer.get('/models')).json).toMatchObject({
        models: [],
        serving: { default: null },
        notices: [],
      });
      await redis.kill('SIGTERM');
      await vi.waitFor(async () => expect(await readiness(trainer)).toMatch(/^503 Redis/), 20_000);
      expect((await trainer.get('/livez')).status).toBe(200);
      await redis.restart();
      await vi.waitFor(async () => expect(await readiness(trainer)).toBe('200 '), 20_000);
      // Without Redis nothing was tried: no attempt has failed.
      expect(await (await fetch(`${trainer.url}/metrics`)).text()).not.toContain('training_attempts_total{');
      expect(await trainer.kill('SIGTERM')).toBe(0);
    } finally {
      await redis.stop();
    }
  }, 90_000);
});

await describeWithServers(['kafka', 'redis'], 'all roles in one process', () => {
  it('predict, train and serve what was trained', async () => {
    const app = uniqueName('roles');
    const topic = `${app}-ticks`;
    const brokers = await kafkaBrokers();
    const predictions = `${app}-predictions`;
    await createTopic(brokers, topic, 2);
    const tick = (k: number): { partition: number; key: string; value: string }[] =>
      ['a', 'b', 'c', 'd'].map((key, s) => ({
        partition: s % 2,
        key,
        value: JSON.stringify({ ts: 1_700_000_000_000 + 1000 * k, value: Math.sin(0.7 * k + s) }),
      }));
    await produce(brokers, topic, Array.from({ length: 120 }, (_, k) => tick(k)).flat());
    const env = {
      RIVERRUN_ROLE: 'all',
      RIVERRUN_APP: app,
      RIVERRUN_FROM: 'earliest',
      RIVERRUN_TICKS_TOPIC: topic,
      RIVERRUN_PREDICTIONS_TOPIC: predictions,
      RIVERRUN_DEAD_LETTER_TOPIC: `${app}-dlt`,
      RIVERRUN_RETRAIN_INTERVAL: '1h',
      KAFKA_BROKERS: brokers.join(','),
      REDIS_URL: await redisUrl(),
    };
    const service = await serviceOf(env).start();
    const serving = async (): Promise<unknown> => (await service.get('/models')).json.serving;
    await vi.waitFor(async () => expect(await serving()).toEqual({ default: 'default@1' }), {
      timeout: 60_000,
      interval: 500,
    });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await produce(brokers, topic, tick(120));
    const records = await readCommitted(brokers, predictions, { until: 484 });
    const newest = records.filter(({ offset }) => offset >= 240);
    expect(newest).toHaveLength(4);
    for (const { value } of newest)
      // What the network says of it counts from its first truths on.
      expect(JSON.parse(value!.toString())).toMatchObject({ model: 'default@1' });
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toContain('riverrun_training_attempts_total{outcome="activated"} 1');
    // Started again it knows of the attempt, and does not make the same one once more.
    expect(await service.kill('SIGTERM')).toBe(0);
    const again = await serviceOf(env).start();
    await new Promise((resolve) => setTimeout(resolve, 4000));
    expect(await (await fetch(`${again.url}/metrics`)).text()).not.toContain('training_attempts_total{');
    await again.end();
    await forget(await connectToRedis({ url: await redisUrl() }), app);
  }, 150_000);
});
