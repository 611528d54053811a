/** Redis that dies, sleeps, forgets a part, everything, or the newest: all of it comes again, from the log and its checkpoints. */
import { Redis } from 'ioredis';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, it } from 'vitest';
import { startKafka, type OwnKafka } from '../support/servers/kafka.js';
import { startRedis, type OwnRedis } from '../support/servers/redis.js';
import { describeWithServers } from '../support/servers/use.js';
import { Fleet, QUICK_SESSIONS, type Instance } from './fleet.js';
import { dump, restore } from './redis-moments.js';
import { rounds } from './rounds.js';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

await describeWithServers(['own-kafka', 'own-redis'], 'Redis in trouble while most streams are cold', () => {
  let kafka: OwnKafka;
  let redis: OwnRedis;
  let client: Redis;
  let fleet: Fleet;

  beforeAll(async () => {
    [kafka, redis] = await Promise.all([startKafka({ config: QUICK_SESSIONS }), startRedis()]);
    client = new Redis(redis.url);
    client.on('error', () => undefined);
    fleet = await Fleet.create({
      brokers: kafka.brokers,
      redisUrl: redis.url,
      // Some 470 of a partition's 1,000 streams fit in memory.
      env: { RIVERRUN_HOT_BYTES: '1MB', RIVERRUN_MAX_BATCH: '32' },
      traffic: { streams: 4_000, perSecond: 2_000 },
    });
    const instance = await fleet.start();
    await fleet.traffic.start();
    await instance.ready();
    await fleet.traffic.burst(8_000);
    await fleet.audit.check('at first');
  }, 120_000);
  afterAll(async () => {
    await fleet?.end();
    client?.disconnect();
    await Promise.all([kafka?.stop(), redis?.stop()]);
  }, 60_000);

  it('no state older than the watermark is stepped from', { timeout: rounds(1, 20) * 60_000 }, async () => {
    for (let round = 0; round < rounds(1, 20); round++) {
      const pattern = `{${fleet.app}:*`;
      const dumps = await dump(client, pattern);
      await pause(2_000);
      await restore(client, pattern, dumps);
      await pause(500);
      await fleet.audit.check('older states');
      await fleet.finish('older states');
      fleet.traffic.go();
    }
  });
});

await describeWithServers(['own-kafka', 'own-redis'], 'Redis in trouble', () => {
  let kafka: OwnKafka;
  let redis: OwnRedis;
  let client: Redis;
  let fleet: Fleet;
  let instances: Instance[] = [];

  const begin = async (): Promise<void> => {
    fleet = await Fleet.create({ brokers: kafka.brokers, redisUrl: redis.url });
    instances = await Promise.all([fleet.start(), fleet.start()]);
    await fleet.traffic.start();
    await Promise.all(instances.map((instance) => instance.ready()));
    await fleet.audit.check('at first');
  };
  const hit = async (where: string, fault: () => Promise<unknown>): Promise<void> => {
    await fault();
    await pause(500);
    await fleet.audit.check(where);
    await fleet.finish(where);
    fleet.traffic.go();
  };
  /** What only the checkpoints bring back. `silence`: before ticks come again; rounds of checkpoints go on. */
  const loses = async (where: string, fault: () => Promise<unknown>, silence = 0): Promise<void> => {
    await fleet.traffic.pause();
    await fleet.finish(where);
    fleet.audit.windowsLost = true;
    await fault();
    // Hot states still serve, and are right; new owners have nothing hot and meet the loss.
    await Promise.all(instances.map((instance) => instance.kill('SIGKILL')));
    if (silence === 0) fleet.traffic.go();
    instances = await Promise.all([fleet.start(), fleet.start()]);
    if (silence === 0) await Promise.all(instances.map((instance) => instance.ready()));
    else await pause(silence);
    fleet.traffic.go();
    await hit(where, () => Promise.resolve());
  };

  beforeAll(async () => {
    [kafka, redis] = await Promise.all([startKafka({ config: QUICK_SESSIONS }), startRedis()]);
    client = new Redis(redis.url);
    client.on('error', () => undefined);
    await begin();
  }, 120_000);
  afterEach(() => fleet.traffic.go());
  afterAll(async () => {
    await fleet?.end();
    client?.disconnect();
    await Promise.all([kafka?.stop(), redis?.stop()]);
  }, 60_000);

  const limit = { timeout: rounds(1, 20) * 60_000 };
  const repeated = async (work: () => Promise<void>): Promise<void> => {
    for (let round = 0; round < rounds(1, 20); round++) await work();
  };

  it('is killed, and starts on its append-only file', limit, () =>
    repeated(() =>
      hit('SIGKILL', async () => {
        await redis.kill('SIGKILL');
        await pause(700);
        await redis.restart();
      }),
    ),
  );

  it('sleeps for three seconds', limit, () =>
    repeated(() =>
      hit('SIGSTOP', async () => {
        await redis.kill('SIGSTOP');
        await pause(3_000);
        await redis.kill('SIGCONT');
      }),
    ),
  );

  it('closes connections', limit, () =>
    repeated(() =>
      hit('CLIENT KILL', async () => {
        for (let i = 0; i < 5; i++) {
          await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
          await pause(100);
        }
      }),
    ),
  );

  it('fails over to a replica that lacks the newest writes of one partition', limit, () =>
    repeated(() =>
      hit('suffix lost', async () => {
        const pattern = `{${fleet.app}:${fleet.topics.ticks}:1}:*`;
        const dumps = await dump(client, pattern);
        await pause(700);
        await restore(client, pattern, dumps);
      }),
    ),
  );

  it('comes back as an old snapshot', limit, () =>
    repeated(() =>
      hit('old snapshot', async () => {
        const folder = redis.process.folder;
        const copy = join(folder, 'copy');
        cpSync(join(folder, 'appendonlydir'), copy, { recursive: true });
        await pause(1_000);
        await redis.kill('SIGKILL');
        rmSync(join(folder, 'appendonlydir'), { recursive: true });
        cpSync(copy, join(folder, 'appendonlydir'), { recursive: true });
        rmSync(copy, { recursive: true });
        await redis.restart();
      }),
    ),
  );

  // Of each partition one: whichever the dying instance has, its heir meets the gap.
  const loseBuckets = async (): Promise<void> => {
    for (let partition = 0; partition < 4; partition++) {
      const [key] = await client.keys(`{${fleet.app}:${fleet.topics.ticks}:${partition}}:s:*`);
      await client.unlink(key);
    }
  };

  it('loses one bucket', { timeout: 90_000 }, () => loses('bucket', loseBuckets));

  it('loses one bucket, and a checkpoint meets that before a tick does', { timeout: 90_000 }, () =>
    loses('bucket in a silence', loseBuckets, 10_000),
  );

  it('loses everything', { timeout: 90_000 }, async () => {
    await fleet.end();
    await begin();
    await loses('FLUSHALL', () => client.flushall());
  });
});
