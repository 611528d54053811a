/** What lies in Redis is not trusted: a model that is not what its digest says is refused before it is loaded, and what serves goes on. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ModelDraft, ModelManifest } from '#domain/model';
import { digestOf } from '#domain/model-digest';
import { ModelKeys } from '#adapters/redis/keys';
import { connectRedis, type RedisClient } from '#adapters/redis/redis-client';
import { RedisModelRegistry } from '#adapters/redis/redis-model-registry';
import { createTopic, produce, readCommitted } from '../support/kafka-clients.js';
import { gruSpec, modelOf, randomWeights } from '../support/models.js';
import { forget } from '../support/redis-server.js';
import { describeWithServers, kafkaBrokers, redisUrl, uniqueName } from '../support/servers/use.js';
import { Service } from '../support/service.js';

const network = gruSpec(4);
const weights = randomWeights(network, 1);
const draft: ModelDraft = { ...modelOf(network, 1).manifest, name: 'tide' };
const bytesOf = (values: Float32Array): Buffer => Buffer.from(values.slice().buffer);
const withNaN = weights.map((w, i) => (i === 5 ? NaN : w));

await describeWithServers(['kafka', 'redis'], 'a model tampered with in Redis', () => {
  const app = uniqueName('tampered');
  const keys = new ModelKeys(app);
  let client: RedisClient;
  let registry: RedisModelRegistry;
  beforeAll(async () => {
    client = await connectRedis({ url: await redisUrl() });
    registry = new RedisModelRegistry(client, { app });
  });
  afterAll(() => forget(client, app));

  describe('is refused', () => {
    type Tamper = (label: string, manifest: ModelManifest) => Promise<unknown>;
    const setWeights =
      (bytes: Buffer): Tamper =>
      (label) =>
        client.call('SET', [keys.weights(label), bytes]);
    const setManifest =
      (change: (manifest: ModelManifest) => unknown): Tamper =>
      (label, manifest) =>
        client.call('HSET', [keys.manifests, label, JSON.stringify(change(manifest))]);
    // Whoever can write to Redis can write a digest that matches: shapes and numbers are looked at all the same.
    const reseal = (manifest: ModelManifest, values: Float32Array): ModelManifest => ({
      ...manifest,
      digest: digestOf(manifest, values),
    });
    const cases: [string, Tamper][] = [
      ['one weight', setWeights(bytesOf(weights.map((w, i) => (i === 7 ? w + 1e-6 : w))))],
      ['weights cut off', setWeights(bytesOf(weights).subarray(0, -4))],
      ['weights cut within a number', setWeights(bytesOf(weights).subarray(0, -1))],
      ['no weights', (label) => client.call('UNLINK', [keys.weights(label)])],
      ['a manifest that warms up sooner', setManifest((m) => ({ ...m, warmUp: 0, scaler: 'standard' }))],
      ['a manifest that is no JSON', (label) => client.call('HSET', [keys.manifests, label, '{'])],
      ["another model's manifest", setManifest((m) => reseal({ ...m, name: 'ebb' }, weights))],
      ['another shape, sealed anew', setManifest((m) => reseal({ ...m, network: gruSpec(5) }, weights))],
      [
        'weights that are not finite, sealed anew',
        async (label, manifest) => {
          await setWeights(bytesOf(withNaN))(label, manifest);
          await setManifest((m) => reseal(m, withNaN))(label, manifest);
        },
      ],
    ];
    afterEach(async () => {
      await client.call('UNLINK', [keys.manifests, keys.versions, keys.digests, keys.aliases]);
    });
    it.each(cases)('%s', async (_, tamper) => {
      const manifest = await registry.publish(draft, weights);
      const label = `tide@${manifest.version}`;
      await tamper(label, manifest);
      await expect(registry.load(manifest)).rejects.toMatchObject({
        code: 'MODEL_CORRUPT',
        message: expect.stringContaining(label) as string,
      });
      await expect(registry.findByDigest(manifest.digest)).rejects.toMatchObject({ code: 'MODEL_CORRUPT' });
    });
  });

  it('does not disturb a predictor: it keeps the champion it serves, says so, and follows once it is whole', async () => {
    const topic = `${app}-ticks`;
    const brokers = await kafkaBrokers();
    const predictions = `${app}-predictions`;
    await createTopic(brokers, topic);
    const good = await registry.publish(draft, weights);
    await registry.activate('default', good);
    const service = await new Service({
      RIVERRUN_MODE: 'distributed',
      RIVERRUN_ROLE: 'predictor',
      RIVERRUN_APP: app,
      RIVERRUN_FROM: 'earliest',
      RIVERRUN_TICKS_TOPIC: topic,
      RIVERRUN_PREDICTIONS_TOPIC: predictions,
      RIVERRUN_DEAD_LETTER_TOPIC: `${app}-dlt`,
      KAFKA_BROKERS: brokers.join(','),
      REDIS_URL: await redisUrl(),
    }).start();
    try {
      await vi.waitFor(async () => expect((await service.get('/readyz')).status).toBe(200), 30_000);
      let ts = 1_700_000_000_000;
      const tick = async (): Promise<unknown> => {
        await produce(brokers, topic, [{ key: 'a', value: JSON.stringify({ ts: (ts += 1000), value: ts % 7 }) }]);
        const count = (ts - 1_700_000_000_000) / 1000;
        const records = await readCommitted(brokers, predictions, { until: count });
        return (JSON.parse(records.at(-1)!.value!.toString()) as { model: unknown }).model;
      };
      expect(await tick()).toBe('tide@1');

      const next = await registry.publish(draft, randomWeights(network, 2));
      await client.call('SET', [keys.weights('tide@2'), bytesOf(withNaN)]);
      await registry.activate('default', next, good);
      await vi.waitFor(() => expect(service.output).toContain('the champion cannot be served'), 10_000);
      await new Promise((resolve) => setTimeout(resolve, 2500));
      const said = service.output.split('\n').filter((line) => line.includes('the champion cannot be served'));
      expect(said).toHaveLength(1);
      expect(said[0]).toContain('MODEL_CORRUPT');
      expect(said[0]).toContain('tide@1');
      expect(await tick()).toBe('tide@1');
      expect((await service.get('/readyz')).status).toBe(200);
      expect((await service.get('/models')).json).toMatchObject({
        serving: { default: 'tide@1' },
        notices: [expect.stringContaining('model tide@2 in Redis is damaged')],
      });

      await client.call('SET', [keys.weights('tide@2'), bytesOf(randomWeights(network, 2))]);
      await vi.waitFor(async () => expect((await service.get('/models')).json.notices).toEqual([]), 10_000);
      expect(await tick()).toBe('tide@2');
    } finally {
      await service.end();
    }
  }, 120_000);
});
