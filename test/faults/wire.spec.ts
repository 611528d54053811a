/** Lost, late and cut-off messages between instances and Kafka, and a broker that dies or sleeps. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Api } from '../support/kafka-frames.js';
import type { KafkaFault } from '../support/kafka-proxy.js';
import { startKafkaBehindProxy, type KafkaBehindProxy } from '../support/servers/kafka-behind-proxy.js';
import { startRedis, type OwnRedis } from '../support/servers/redis.js';
import { describeWithServers } from '../support/servers/use.js';
import { Fleet, QUICK_SESSIONS, SESSION_MS, type Instance } from './fleet.js';
import { rounds } from './rounds.js';

/** One for each instance, which reads one partition. */
const PROXIES = 4;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type ApiName = keyof typeof Api;

/** Requests of every transaction, and what becomes of one of them. Those of one row happen at the same time, each to another instance. */
const IN_TRANSACTIONS: readonly (readonly [ApiName, KafkaFault])[][] = [
  [
    ['EndTxn', 'drop-response'],
    ['TxnOffsetCommit', 'drop-response'],
    ['Produce', 'drop-response'],
    ['AddPartitionsToTxn', 'drop-response'],
  ],
  [
    ['EndTxn', { delayResponse: 3_000 }],
    ['EndTxn', 'close-after-request'],
    ['TxnOffsetCommit', 'close-after-request'],
    ['Produce', 'close-after-request'],
  ],
  [
    ['EndTxn', 'close-instead-of-response'],
    ['EndTxn', 'close-before-request'],
    ['AddOffsetsToTxn', 'close-instead-of-response'],
    ['Produce', 'close-instead-of-response'],
  ],
];

/** What an instance sends before it begins. */
const AT_THE_START: readonly (readonly [ApiName, KafkaFault])[] = [
  ['OffsetCommit', 'close-instead-of-response'],
  ['OffsetFetch', 'close-after-request'],
  ['InitProducerId', 'close-instead-of-response'],
  ['SyncGroup', 'close-instead-of-response'],
];

const nameOf = ([api, fault]: readonly [ApiName, KafkaFault]): string => `${api} ${JSON.stringify(fault)}`;

await describeWithServers(['own-kafka', 'own-redis'], 'trouble on the wire', () => {
  let behind: KafkaBehindProxy;
  let redis: OwnRedis;
  let fleet: Fleet;
  const instances: Instance[] = [];
  const start = (proxy: number): Promise<Instance> =>
    fleet.start({ KAFKA_BROKERS: behind.proxies[proxy].brokers.join(',') });

  beforeAll(async () => {
    [behind, redis] = await Promise.all([
      startKafkaBehindProxy({ config: QUICK_SESSIONS, proxies: PROXIES }),
      startRedis(),
    ]);
    fleet = await Fleet.create({ brokers: behind.kafka.brokers, redisUrl: redis.url });
    instances.push(...(await Promise.all(behind.proxies.map((_, i) => start(i)))));
    await fleet.traffic.start();
    await Promise.all(instances.map((instance) => instance.ready()));
    await fleet.audit.check('at first');
  }, 120_000);
  afterEach(() => {
    for (const { proxy } of behind.proxies) proxy.reset();
    fleet.traffic.go();
  });
  afterAll(async () => {
    await fleet?.end();
    await Promise.all([behind?.stop(), redis?.stop()]);
  }, 60_000);

  const rows = IN_TRANSACTIONS.map((row) => [row.map(nameOf).join(', '), row] as const);
  it.each(rows)('%s', { timeout: rounds(1, 20) * 90_000 }, async (name, row) => {
    for (let round = 0; round < rounds(1, 20); round++) {
      const rules = row.map(([api, fault], i) => behind.proxies[i].proxy.on(Api[api], fault));
      await Promise.all(rules.map((rule) => rule.hit));
      await fleet.audit.check(`${name} ${round}`);
      for (const rule of rules) rule.remove();
    }
  });

  it(
    'the last transaction before a silence: its outcomes come without another tick',
    { timeout: 120_000 },
    async () => {
      await fleet.traffic.pause();
      await fleet.audit.check('before the silence');
      const faults: KafkaFault[] = ['close-instead-of-response', 'close-before-request', 'close-after-request'];
      const rules = faults.map((fault, i) => behind.proxies[i].proxy.on(Api.EndTxn, fault));
      await fleet.traffic.burst(20);
      await Promise.all(rules.map((rule) => rule.hit));
      await fleet.audit.check('silence');
      fleet.traffic.go();
    },
  );

  it.each(['AddPartitionsToTxn', 'TxnOffsetCommit', 'EndTxn'] as const)(
    'a %s that arrives after its sender has lost the partition',
    { timeout: rounds(1, 20) * 90_000 },
    async (api) => {
      for (let round = 0; round < rounds(1, 20); round++) {
        const { proxy } = behind.proxies[0];
        const rule = proxy.on(Api[api], 'hold-request');
        await rule.hit;
        instances[0].signal('SIGSTOP');
        await pause(SESSION_MS + 1_500);
        await fleet.audit.check(`${api} is held back`);
        instances[0].signal('SIGCONT');
        rule.remove();
        await pause(500);
        await fleet.audit.check(`${api} arrives late`);
        await instances[0].ready();
      }
    },
  );

  it('an answer lost at the start', { timeout: rounds(1, 20) * 90_000 }, async () => {
    for (let round = 0; round < rounds(1, 20); round++) {
      for (const [i, [api, fault]] of AT_THE_START.entries()) {
        await instances[i].kill('SIGKILL');
        behind.proxies[i].proxy.on(Api[api], fault);
      }
      for (const i of AT_THE_START.keys()) instances[i] = await start(i);
      await Promise.all(instances.map((instance) => instance.ready()));
      await fleet.audit.check('start');
      for (const { proxy } of behind.proxies) proxy.reset();
    }
  });

  it('an instance that cannot reach Kafka for a while', { timeout: rounds(1, 20) * 90_000 }, async () => {
    for (let round = 0; round < rounds(1, 20); round++) {
      const { proxy } = behind.proxies[round % PROXIES];
      proxy.cut();
      await pause(SESSION_MS + 1_000);
      await fleet.audit.check('cut off');
      expect(await instances[round % PROXIES].reasons()).not.toEqual([]);
      proxy.resume();
      await instances[round % PROXIES].ready();
      await fleet.audit.check('connected again');
    }
  });

  it('the broker is killed and comes back', { timeout: rounds(1, 20) * 120_000 }, async () => {
    for (let round = 0; round < rounds(1, 20); round++) {
      await behind.kafka.kill('SIGKILL');
      await pause(500);
      await behind.kafka.restart();
      await Promise.all(instances.map((instance) => instance.ready()));
      await fleet.audit.check(`broker killed ${round}`, 60_000);
    }
  });

  it('the broker sleeps', { timeout: rounds(1, 20) * 120_000 }, async () => {
    for (let round = 0; round < rounds(1, 20); round++) {
      await behind.kafka.kill('SIGSTOP');
      await pause(SESSION_MS + 1_000);
      await behind.kafka.kill('SIGCONT');
      await fleet.audit.check(`broker slept ${round}`, 60_000);
      await Promise.all(instances.map((instance) => instance.ready()));
    }
  });

  it('and after all of it every state is that of one pass', { timeout: 60_000 }, async () => {
    await fleet.finish('wire');
  });
});
