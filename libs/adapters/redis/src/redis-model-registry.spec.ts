import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  NO_REDIS,
  connectToRedis,
  forget,
  ownApp,
  redisUrl,
  skipWithout,
} from '../../../../test/support/redis-server.js';
import { gruSpec, randomWeights } from '../../../../test/support/models.js';
import type { ModelDraft } from '#domain/model';
import { ModelKeys } from './keys.js';
import type { RedisClient } from './redis-client.js';
import { RedisModelRegistry } from './redis-model-registry.js';

const url = await redisUrl();
const network = gruSpec(4);
const weights = randomWeights(network, 1);
const draft: ModelDraft = {
  name: 'tide',
  network,
  scaler: 'none',
  target: 'value',
  warmUp: 0,
  origin: 'imported',
  pinned: true,
  createdAt: '2026-01-01T00:00:00Z',
};

describe('models in redis', () => {
  let app: string;
  let client: RedisClient;
  let registry: RedisModelRegistry;
  beforeEach(async (context) => {
    skipWithout(context, url === undefined ? NO_REDIS : undefined);
    app = ownApp();
    client = await connectToRedis();
    registry = new RedisModelRegistry(client, { app });
  });
  afterEach(async () => {
    if (url !== undefined) await forget(client, app);
  });

  it('finds the model that a watermark names', async () => {
    const manifest = await registry.publish(draft, weights);
    await registry.publish(draft, weights);
    expect(await registry.findByDigest(manifest.digest)).toEqual({ manifest, weights });
    await expect(registry.findByDigest('0'.repeat(64))).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
  });

  it('refuses what was damaged, and still lists the others', async () => {
    const keys = new ModelKeys(app);
    for (let i = 0; i < 4; i++) await registry.publish(draft, weights);
    const bytes = Buffer.from(weights.slice().buffer);
    bytes[5] ^= 1;
    await client.call('SET', [keys.weights('tide@1'), bytes]);
    await client.call('UNLINK', [keys.weights('tide@2')]);
    await client.call('HSET', [keys.manifests, 'tide@3', '{']);
    for (const version of [1, 2, 3])
      await expect(registry.load({ name: 'tide', version })).rejects.toMatchObject({ code: 'MODEL_CORRUPT' });
    expect((await registry.load({ name: 'tide' })).manifest.version).toBe(4);
    expect((await registry.list()).map(({ version }) => version)).toEqual([1, 2, 4]);
  });
});
