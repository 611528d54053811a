/** Models that change under traffic, with instances dying around it: every tick by the model its outcome names, every state by the models of the whole log. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startKafka, type OwnKafka } from '../support/servers/kafka.js';
import { waitUntil } from '../support/servers/programs.js';
import { startRedis, type OwnRedis } from '../support/servers/redis.js';
import { describeWithServers } from '../support/servers/use.js';
import { Fleet, QUICK_SESSIONS, type Instance } from './fleet.js';
import { dump, restore } from './redis-moments.js';
import { rounds } from './rounds.js';
import { PARTITIONS } from './traffic.js';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const ALL = Array.from({ length: PARTITIONS }, (_, partition) => partition);

await describeWithServers(['own-kafka', 'own-redis'], 'models swapped under traffic', () => {
  let kafka: OwnKafka;
  let redis: OwnRedis;
  let fleet: Fleet;
  let instances: Instance[] = [];
  let seed = 1;
  const serves = (label: string): Promise<void> =>
    waitUntil(`${label} serves everywhere`, () => ALL.every((p) => fleet.audit.labelOfLast(p) === label), 20_000);

  beforeAll(async () => {
    [kafka, redis] = await Promise.all([startKafka({ config: QUICK_SESSIONS }), startRedis()]);
    fleet = await Fleet.create({ brokers: kafka.brokers, redisUrl: redis.url });
    instances = await Promise.all([fleet.start(), fleet.start()]);
    await fleet.traffic.start();
    await Promise.all(instances.map((instance) => instance.ready()));
    await fleet.audit.check('at first');
  }, 120_000);
  afterAll(async () => {
    await fleet?.end();
    await Promise.all([kafka?.stop(), redis?.stop()]);
  }, 60_000);

  it('with kills around the swap', { timeout: rounds(4, 20) * 40_000 }, async () => {
    for (let round = 0; round < rounds(4, 20); round++) {
      const label = await fleet.activate(++seed);
      // Champions are looked for once a second.
      await pause(300 + 250 * (round % 4));
      await instances.shift()!.kill('SIGKILL');
      instances.push(await fleet.start());
      await serves(label);
      await fleet.audit.check(`swap ${round}`);
    }
    await fleet.finish('swaps');
    fleet.traffic.go();
  });

  it('a swap between the snapshot of Redis that comes back and now', { timeout: rounds(1, 20) * 60_000 }, async () => {
    const client = new Redis(redis.url);
    try {
      for (let round = 0; round < rounds(1, 20); round++) {
        const pattern = `{${fleet.app}:${fleet.topics.ticks}:2}:*`;
        const before = await dump(client, pattern);
        for (let i = 0; i < 2; i++) {
          await serves(await fleet.activate(++seed));
          await pause(300);
        }
        await restore(client, pattern, before);
        await pause(500);
        await fleet.audit.check(`snapshot from before two swaps ${round}`);
        await fleet.finish(`snapshot from before two swaps ${round}`);
        fleet.traffic.go();
      }
    } finally {
      client.disconnect();
    }
  });

  it('all of them spoke', () => {
    for (const partition of ALL) expect(new Set(fleet.audit.labelsOf(partition)).size).toBe(seed);
  });
});

await describeWithServers(['own-kafka', 'own-redis'], 'models that forecast, swapped under traffic', () => {
  let kafka: OwnKafka;
  let redis: OwnRedis;
  let fleet: Fleet;
  let instances: Instance[] = [];
  let seed = 1;

  beforeAll(async () => {
    [kafka, redis] = await Promise.all([startKafka({ config: QUICK_SESSIONS }), startRedis()]);
    fleet = await Fleet.create({ brokers: kafka.brokers, redisUrl: redis.url, forecasts: true });
    instances = await Promise.all([fleet.start(), fleet.start()]);
    await fleet.traffic.start();
    await Promise.all(instances.map((instance) => instance.ready()));
    await fleet.audit.check('at first');
  }, 120_000);
  afterAll(async () => {
    await fleet?.end();
    await Promise.all([kafka?.stop(), redis?.stop()]);
  }, 60_000);

  it('with challengers beside them, and kills around the swap', { timeout: rounds(4, 20) * 40_000 }, async () => {
    for (let round = 0; round < rounds(4, 20); round++) {
      const label = await fleet.activate(++seed);
      await pause(300 + 250 * (round % 4));
      await instances.shift()!.kill('SIGKILL');
      instances.push(await fleet.start());
      await waitUntil(
        `${label} serves everywhere`,
        () => ALL.every((p) => fleet.audit.labelOfLast(p) === label),
        20_000,
      );
      await fleet.audit.check(`swap ${round}`);
    }
    await fleet.finish('swaps of models that forecast');
  });
});
