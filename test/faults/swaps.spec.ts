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

interface Setup {
  redis: OwnRedis;
  fleet: Fleet;
  instances: Instance[];
}

/** Servers, a fleet of two and its traffic, for the tests of one `describe`. */
function setUp(forecasts: boolean): Setup {
  const setup = {} as Setup;
  let kafka: OwnKafka;
  beforeAll(async () => {
    [kafka, setup.redis] = await Promise.all([startKafka({ config: QUICK_SESSIONS }), startRedis()]);
    const fleet = (setup.fleet = await Fleet.create({ brokers: kafka.brokers, redisUrl: setup.redis.url, forecasts }));
    setup.instances = await Promise.all([fleet.start(), fleet.start()]);
    await fleet.traffic.start();
    await Promise.all(setup.instances.map((instance) => instance.ready()));
    await fleet.audit.check('at first');
  }, 120_000);
  afterAll(async () => {
    await setup.fleet?.end();
    await Promise.all([kafka?.stop(), setup.redis?.stop()]);
  }, 60_000);
  return setup;
}

const serves = (fleet: Fleet, label: string): Promise<void> =>
  waitUntil(`${label} serves everywhere`, () => ALL.every((p) => fleet.audit.labelOfLast(p) === label), 20_000);

/** Swaps with one of two instances killed at some moment around each; returns the seed of the last model. */
async function killAroundSwaps({ fleet, instances }: Setup, from: number): Promise<number> {
  let seed = from;
  for (let round = 0; round < rounds(4, 20); round++) {
    const label = await fleet.activate(++seed);
    // Champions are looked for once a second.
    await pause(300 + 250 * (round % 4));
    await instances.shift()!.kill('SIGKILL');
    instances.push(await fleet.start());
    await serves(fleet, label);
    await fleet.audit.check(`swap ${round}`);
  }
  return seed;
}

/** Canaries that begin, and are promoted or ended, with one of two instances killed at some moment around each. */
async function killAroundCanaries({ fleet, instances }: Setup, from: number): Promise<void> {
  let seed = from;
  const kill = async (after: number): Promise<void> => {
    await pause(after);
    await instances.shift()!.kill('SIGKILL');
    instances.push(await fleet.start());
  };
  for (let round = 0; round < rounds(2, 20); round++) {
    // Another season could not share the streams.
    seed += seed % 3 === 2 ? 2 : 1;
    const canary = await fleet.canary(seed, 0.4);
    await kill(300 + 250 * (round % 4));
    await waitUntil(
      `${canary} serves some streams everywhere`,
      () => ALL.every((p) => fleet.audit.labelsOf(p).slice(-2).includes(canary)),
      20_000,
    );
    await fleet.audit.check(`canary ${round}`);
    const winner = await fleet.endCanary(round % 2 === 0);
    await kill(300 + 250 * ((round + 1) % 4));
    await waitUntil(
      `${winner} serves all streams`,
      () => ALL.every((p) => fleet.audit.labelsOfLast(p, 40).every((label) => label === winner)),
      20_000,
    );
    await fleet.audit.check(`canary ${round} over`);
  }
}

await describeWithServers(['own-kafka', 'own-redis'], 'models swapped under traffic', () => {
  const setup = setUp(false);
  let seed = 1;

  it('with kills around the swap', { timeout: rounds(4, 20) * 40_000 }, async () => {
    const { fleet } = setup;
    seed = await killAroundSwaps(setup, seed);
    await fleet.finish('swaps');
    fleet.traffic.go();
  });

  it('a swap between the snapshot of Redis that comes back and now', { timeout: rounds(1, 20) * 60_000 }, async () => {
    const { redis, fleet } = setup;
    const client = new Redis(redis.url);
    try {
      for (let round = 0; round < rounds(1, 20); round++) {
        const pattern = `{${fleet.app}:${fleet.topics.ticks}:2}:*`;
        const before = await dump(client, pattern);
        for (let i = 0; i < 2; i++) {
          await serves(fleet, await fleet.activate(++seed));
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
    for (const partition of ALL) expect(new Set(setup.fleet.audit.labelsOf(partition)).size).toBe(seed);
  });

  it('canaries, with kills around their beginning and end', { timeout: rounds(2, 20) * 80_000 }, async () => {
    const { fleet } = setup;
    fleet.traffic.go();
    await killAroundCanaries(setup, seed);
    await fleet.finish('canaries');
  });
});

await describeWithServers(['own-kafka', 'own-redis'], 'models that forecast, swapped under traffic', () => {
  const setup = setUp(true);

  it('with challengers beside them, and kills around the swap', { timeout: rounds(4, 20) * 40_000 }, async () => {
    const seed = await killAroundSwaps(setup, 1);
    await setup.fleet.finish('swaps of models that forecast');
    setup.fleet.traffic.go();
    // Its season is what canaries have to share.
    await setup.fleet.activate(3 * seed + 1);
    await killAroundCanaries(setup, 3 * seed + 1);
    await setup.fleet.finish('canaries that forecast');
  });
});
