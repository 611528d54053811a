/** Instances that die, sleep, leave and come back under steady traffic. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { seeded } from '../support/models.js';
import { startKafka, type OwnKafka } from '../support/servers/kafka.js';
import { waitUntil } from '../support/servers/programs.js';
import { startRedis, type OwnRedis } from '../support/servers/redis.js';
import { describeWithServers } from '../support/servers/use.js';
import { Fleet, QUICK_SESSIONS, SESSION_MS, type Instance } from './fleet.js';
import { rounds } from './rounds.js';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

await describeWithServers(['own-kafka', 'own-redis'], 'instances in trouble', () => {
  let kafka: OwnKafka;
  let redis: OwnRedis;
  let fleet: Fleet;
  /** Those that live. */
  let instances: Instance[] = [];

  beforeAll(async () => {
    [kafka, redis] = await Promise.all([startKafka({ config: QUICK_SESSIONS }), startRedis()]);
    fleet = await Fleet.create({ brokers: kafka.brokers, redisUrl: redis.url });
    instances = await Promise.all([fleet.start(), fleet.start(), fleet.start()]);
    await fleet.traffic.start();
    await Promise.all(instances.map((instance) => instance.ready()));
  }, 120_000);
  afterAll(async () => {
    await fleet?.end();
    await Promise.all([kafka?.stop(), redis?.stop()]);
  }, 60_000);

  it('SIGKILL of one of three, at any time, again and again', { timeout: rounds(10, 200) * 30_000 }, async () => {
    const random = seeded(7);
    for (let round = 0; round < rounds(10, 200); round++) {
      await pause(200 + 600 * random());
      const [victim] = instances.splice(Math.floor(random() * instances.length), 1);
      await victim.kill('SIGKILL');
      instances.push(await fleet.start());
      if (round % 5 === 4) await fleet.audit.check(`kill ${round}`);
    }
    await fleet.audit.check('kills');
  });

  it(
    'SIGSTOP beyond the session, then SIGCONT: the zombie does no harm',
    { timeout: rounds(1, 20) * 90_000 },
    async () => {
      for (let round = 0; round < rounds(2, 20); round++) {
        const zombie = instances[round % instances.length];
        zombie.signal('SIGSTOP');
        await pause(SESSION_MS + 1_500);
        await fleet.audit.check(`zombie ${round} sleeps`);
        zombie.signal('SIGCONT');
        await pause(500);
        await fleet.audit.check(`zombie ${round} wakes`);
        await zombie.ready();
      }
    },
  );

  it('a zombie that wakes in a silence: what it still had to save is refused', { timeout: 60_000 }, async () => {
    for (const zombie of instances) {
      // Committed by now, and for the most part not saved yet.
      await fleet.traffic.pause();
      await pause(40);
      zombie.signal('SIGSTOP');
      fleet.traffic.go();
      await pause(SESSION_MS + 1_500);
      await fleet.finish('the zombie sleeps');
      zombie.signal('SIGCONT');
      await pause(1_000);
      await fleet.audit.checkStates('the zombie is awake', { url: redis.url, app: fleet.app });
      await zombie.ready();
      fleet.traffic.go();
      await pause(300);
    }
  });

  it('SIGTERM: it leaves in order, and the others take over at once', { timeout: rounds(1, 20) * 90_000 }, async () => {
    for (let round = 0; round < rounds(1, 20); round++) {
      const leaving = instances.shift()!;
      const began = performance.now();
      expect(await leaving.kill('SIGTERM'), leaving.output.slice(-2000)).toBe(0);
      expect(performance.now() - began).toBeLessThan(4_500);
      await fleet.audit.check('SIGTERM');
      instances.push(await fleet.start());
    }
  });

  it('a rolling restart', { timeout: rounds(1, 20) * 90_000 }, async () => {
    for (let round = 0; round < rounds(1, 20); round++) {
      for (const old of [...instances]) {
        instances.splice(instances.indexOf(old), 1);
        expect(await old.kill('SIGTERM'), old.output.slice(-2000)).toBe(0);
        instances.push(await (await fleet.start()).ready());
      }
      await fleet.audit.check('rolling restart');
    }
  });

  it('a lone zombie: nobody took over, and it goes on where it was', { timeout: 120_000 }, async () => {
    const [last, ...others] = instances;
    await Promise.all(others.map((instance) => instance.kill('SIGTERM')));
    instances = [last];
    await waitUntil('it has all partitions', async () => (await last.reasons()).length === 0, 20_000);
    last.signal('SIGSTOP');
    await pause(SESSION_MS + 1_500);
    last.signal('SIGCONT');
    await fleet.audit.check('a lone zombie');
  });

  it('and after all of it every state is that of one pass', { timeout: 60_000 }, async () => {
    await fleet.finish('processes');
  });
});
