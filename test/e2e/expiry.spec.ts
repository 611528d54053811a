/** RIVERRUN_STATE_TTL on real servers: quiet streams leave Redis, and start over when they come back. */
import { expect, it } from 'vitest';
import { connectRedis } from '#adapters/redis/redis-client';
import { RedisStateStore } from '#adapters/redis/redis-state-store';
import { createTopic, produce, readCommitted, type ReadRecord } from '../support/kafka-clients.js';
import { describeWithServers, kafkaBrokers, redisUrl } from '../support/servers/use.js';
import { deployment } from '../support/deployment.js';
import { Service } from '../support/service.js';

const HOUR = 3_600_000;

await describeWithServers(['kafka', 'redis'], 'RIVERRUN_STATE_TTL', () => {
  it('removes streams that have gone quiet, and starts them over', { timeout: 60_000 }, async () => {
    const brokers = await kafkaBrokers();
    const {
      app,
      inputs: [ticks],
      predictions,
      env,
    } = deployment(1, 'expiry');
    for (const topic of [ticks, predictions]) await createTopic(brokers, topic);
    const service = new Service({
      ...env,
      KAFKA_BROKERS: brokers.join(','),
      REDIS_URL: await redisUrl(),
      RIVERRUN_STATE_TTL: '1h',
      RIVERRUN_CHECKPOINT_INTERVAL: '1s',
    });
    const began = Date.now() - 4 * HOUR;
    const publish = (...records: [stream: string, ts: number][]): Promise<void> =>
      produce(
        brokers,
        ticks,
        records.map(([stream, ts]) => ({ key: stream, value: JSON.stringify({ stream, ts, value: 1 }) })),
      );
    const outcomes = async (count: number): Promise<Record<string, unknown>[]> =>
      (await readCommitted(brokers, predictions, { until: count })).map(
        ({ value }: ReadRecord) => JSON.parse(String(value)) as Record<string, unknown>,
      );
    const streams = async (): Promise<string[]> =>
      ((await service.get('/streams')).json.streams as { id: string }[]).map(({ id }) => id).sort();
    const redis = await connectRedis({ url: await redisUrl() });
    const store = new RedisStateStore(redis, { app, topic: ticks, partition: 0, windowSegments: 1 });
    try {
      await service.start();
      await publish(['a', began], ['b', began], ['a', began + 1000]);
      await outcomes(3);
      await expect.poll(streams, { timeout: 10_000 }).toEqual(['a', 'b']);
      // a is as old as may be then, b too old.
      await publish(['c', began + HOUR + 1000]);
      await expect.poll(streams, { timeout: 10_000 }).toEqual(['a', 'c']);
      await expect
        .poll(async () => (await store.list(undefined, 10)).ids.sort(), { timeout: 10_000 })
        .toEqual(['a', 'c']);
      await publish(['a', began + 2000], ['b', began + 2000]);
      const [, , , , a, b] = await outcomes(6);
      expect(a).toMatchObject({ stream: 'a', targetTs: began + 3000 });
      expect(b).toMatchObject({ stream: 'b' });
      expect(b).not.toHaveProperty('targetTs');
      // And what a restart finds is the same.
      await service.kill('SIGKILL');
      await service.start();
      await publish(['c', began + HOUR + 3000], ['a', began + 3000]);
      const last = (await outcomes(8)).at(-1);
      expect(last).toMatchObject({ stream: 'a' });
      expect(last).not.toHaveProperty('targetTs');
    } finally {
      await redis.close();
      await service.end();
    }
  });
});
