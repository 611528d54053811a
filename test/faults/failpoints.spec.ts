/** SIGKILL at each step of the protocol, one instance after the other, under steady traffic and beside one that lives on. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { STEPS } from '#domain/step';
import { startKafka, type OwnKafka } from '../support/servers/kafka.js';
import { startRedis, type OwnRedis } from '../support/servers/redis.js';
import { describeWithServers } from '../support/servers/use.js';
import { Fleet, QUICK_SESSIONS } from './fleet.js';
import { rounds } from './rounds.js';

await describeWithServers(['own-kafka', 'own-redis'], 'SIGKILL at a step', () => {
  let kafka: OwnKafka;
  let redis: OwnRedis;
  let fleet: Fleet;

  beforeAll(async () => {
    [kafka, redis] = await Promise.all([startKafka({ config: QUICK_SESSIONS }), startRedis()]);
    // Small batches: a replay takes several.
    fleet = await Fleet.create({ brokers: kafka.brokers, redisUrl: redis.url, env: { RIVERRUN_MAX_BATCH: '64' } });
    await fleet.start();
    await fleet.traffic.start();
  }, 120_000);
  afterAll(async () => {
    await fleet?.end();
    await Promise.all([kafka?.stop(), redis?.stop()]);
  }, 60_000);

  const steps = STEPS.filter((step) => step !== 'mid-replay');
  // Of four partitions an instance beside another claims two.
  const times = (step: string, i: number): number => (step === 'after-claim' ? 1 + (i % 2) : 1 + i);
  const cases = Array.from({ length: rounds(1, 20) }, (_, i) =>
    steps.map((step) => `${step}:${times(step, i)}`),
  ).flat();

  it.each(cases)('%s', { timeout: 60_000 }, async (failpoint) => {
    const instance = await fleet.start({ RIVERRUN_FAILPOINT: failpoint });
    expect(await instance.ended, instance.output).toBeNull();
    expect(instance.output).toContain(`failpoint ${failpoint}`);
    await fleet.audit.check(failpoint);
  });

  it('mid-replay: what died before it saved is replayed, and dies in that', { timeout: 90_000 }, async () => {
    const [survivor] = fleet.instances;
    await survivor.kill('SIGKILL');
    const first = await fleet.start({ RIVERRUN_FAILPOINT: 'before-save:9' });
    expect(await first.ended, first.output).toBeNull();
    const second = await fleet.start({ RIVERRUN_FAILPOINT: 'mid-replay' });
    expect(await second.ended, second.output).toBeNull();
    expect(second.output).toContain('failpoint mid-replay');
    await fleet.start();
    await fleet.audit.check('mid-replay');
  });

  it('and after all of it every state is that of one pass', { timeout: 60_000 }, async () => {
    await fleet.finish('failpoints');
    expect(fleet.audit.compared).toBeGreaterThan(1000);
  });
});
