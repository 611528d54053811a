/** The built service on real Kafka and Redis, seen from outside: topics, messages, probes, ends. */
import { afterEach, expect, it } from 'vitest';
import type { ModelArtifact } from '#domain/model';
import type { PlainRecord } from '../contract/records.js';
import { activateModel, deployment, readiness, referenceOf } from '../support/deployment.js';
import { createTopic, kafkaClient, produce, readCommitted, type ReadRecord } from '../support/kafka-clients.js';
import { startKafka } from '../support/servers/kafka.js';
import { freePorts } from '../support/servers/ports.js';
import { startRedis } from '../support/servers/redis.js';
import { describeWithServers, kafkaBrokers, redisUrl } from '../support/servers/use.js';
import { Service } from '../support/service.js';

const MINUTES = 180_000;
const PARTITIONS = 3;

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
const service = (...env: Readonly<Record<string, string>>[]): Service => {
  const made = new Service(Object.assign({}, ...env) as Record<string, string>);
  cleanUps.push(() => made.end());
  return made;
};
const kept = <T extends { stop(): Promise<void> }>(server: T): T => {
  cleanUps.push(() => server.stop());
  return server;
};

const jsonOf = (record: ReadRecord): Record<string, unknown> =>
  JSON.parse(record.value!.toString()) as Record<string, unknown>;

/** Some streams' ticks of one partition, from step `from` on. */
const ticksOf = (partition: number, count: number, from = 0): PlainRecord[] =>
  Array.from({ length: count }, (_, i) => {
    const [step, key] = [from + i, `s${partition}-${(from + i) % 4}`];
    const value = JSON.stringify({ ts: 1_700_000_000_000 + 1000 * step, value: Math.sin(step / 3) + partition });
    return { key, value, ts: 1_700_000_000_000 + step };
  });

const inPartition = (
  partition: number,
  records: readonly PlainRecord[],
): (Omit<PlainRecord, 'ts'> & { partition: number; timestamp: number })[] =>
  records.map(({ key, value, ts }) => ({ partition, key, value, timestamp: ts }));

await describeWithServers(['kafka', 'redis'], 'the distributed service', () => {
  it(
    'answers each tick where it came from, in topics it made, and after a stop and a start goes on as if there had been none',
    async () => {
      const [brokers, redis] = [await kafkaBrokers(), await redisUrl()];
      const names = deployment(2);
      const model = await activateModel(redis, names.app);
      const sent = new Map<string, PlainRecord[]>();
      const bad = { key: 'bad', value: '{"value":', ts: 1_700_000_000_000 };
      const send = async (count: number, ...more: PlainRecord[]): Promise<void> => {
        for (const topic of names.inputs)
          for (let partition = 0; partition < PARTITIONS; partition++) {
            const before = sent.get(`${topic}/${partition}`) ?? [];
            const records = [...ticksOf(partition, count, before.length), ...more];
            sent.set(`${topic}/${partition}`, [...before, ...records]);
            await produce(brokers, topic, inPartition(partition, records));
          }
      };
      for (const topic of names.inputs) await createTopic(brokers, topic, PARTITIONS);
      await send(15, bad);
      const s = await service(names.env, { KAFKA_BROKERS: brokers.join(), REDIS_URL: redis }).start();
      await expect.poll(() => readiness(s), { timeout: 30_000 }).toMatch(/^200/);

      const check = async (count: number, options = {}): Promise<void> => {
        const read = await readCommitted(brokers, names.predictions, { until: count, ...options });
        expect(read).toHaveLength(count);
        for (const [source, records] of sent) {
          const [topic, partition] = source.split('/');
          const mine = read.filter((r) => r.partition === Number(partition) && jsonOf(r).topic === topic);
          const reference = await referenceOf(records, model, names, topic);
          const good = reference.flatMap(({ json }, i) => (json === undefined ? [] : [[records[i].key, json]]));
          expect(mine.map((r) => [r.key!.toString(), jsonOf(r)])).toEqual(good);
        }
      };
      await check(2 * PARTITIONS * 15);

      const letters = await readCommitted(brokers, names.deadLetters, { until: 2 * PARTITIONS });
      for (const { key, value, headers, partition } of letters) {
        expect([key!.toString(), value!.toString()]).toEqual([bad.key, bad.value]);
        const where = { topic: headers['source-topic'], partition: String(partition), offset: '15' };
        expect(names.inputs).toContain(where.topic);
        expect(headers).toMatchObject({
          'error-code': 'MALFORMED',
          'source-partition': where.partition,
          'source-offset': where.offset,
          '__streams.errors.exception': 'MALFORMED',
          '__streams.errors.topic': where.topic,
          '__streams.errors.partition': where.partition,
          '__streams.errors.offset': where.offset,
          '__streams.errors.message': headers['error-message'],
        });
      }
      expect(new Set(letters.map((r) => r.headers['source-topic']))).toEqual(new Set(names.inputs));

      const began = performance.now();
      expect(await s.kill('SIGTERM')).toBe(0);
      expect(performance.now() - began).toBeLessThan(5000);
      await send(5);
      await s.start();
      await check(2 * PARTITIONS * 20, { idle: 1000 });

      const { partitions, policy } = await topicsMade(brokers, names.predictions, names.deadLetters, names.checkpoints);
      expect(partitions).toEqual([PARTITIONS, PARTITIONS, PARTITIONS]);
      expect(policy).toBe('compact');
    },
    MINUTES,
  );

  it(
    'at-least-once: kill -9 may repeat outcomes, loses none, and no state advances twice',
    async () => {
      const [brokers, redis] = [await kafkaBrokers(), await redisUrl()];
      const names = deployment();
      const model: ModelArtifact = await activateModel(redis, names.app);
      const [topic] = names.inputs;
      await createTopic(brokers, topic, 1);
      const env = { KAFKA_BROKERS: brokers.join(), REDIS_URL: redis, RIVERRUN_DELIVERY: 'at-least-once' };
      const s = service(names.env, env, { RIVERRUN_MAX_BATCH: '16' });
      const sent: PlainRecord[] = [];
      for (let round = 0; round < 3; round++) {
        await s.start();
        await expect.poll(() => readiness(s), { timeout: 30_000 }).toMatch(/^200/);
        for (let burst = 0; burst < 6; burst++) {
          // All of one time: a tick that is taken twice is not told by its lateness, the next prediction is wrong.
          const records = ticksOf(0, 40, sent.length).map((r) => ({
            ...r,
            value: r.value!.replace(/"ts":\d+/, '"ts":7'),
          }));
          await produce(brokers, topic, inPartition(0, records));
          sent.push(...records);
        }
        if (round < 2) await s.kill('SIGKILL');
      }
      const offsets = (read: readonly ReadRecord[]): Set<unknown> => new Set(read.map((r) => jsonOf(r).offset));
      const read = await readCommitted(brokers, names.predictions, {
        until: (records) => offsets(records).size === sent.length,
        idle: 500,
        timeout: 60_000,
      });
      const reference = (await referenceOf(sent, model, names)).map(({ json }) => json);
      for (const record of read) expect(jsonOf(record)).toEqual(reference[jsonOf(record).offset as number]);
      expect(await readCommitted(brokers, names.deadLetters)).toEqual([]);
    },
    MINUTES,
  );
});

async function topicsMade(
  brokers: readonly string[],
  ...topics: string[]
): Promise<{ partitions: number[]; policy: string }> {
  const admin = kafkaClient(brokers).admin();
  await admin.connect();
  try {
    const { topics: found } = await admin.fetchTopicMetadata({ topics });
    const name = topics.at(-1)!;
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name, configNames: ['cleanup.policy'] }],
    });
    return {
      partitions: topics.map((topic) => found.find((t) => t.name === topic)!.partitions.length),
      policy: resources[0].configEntries[0].configValue,
    };
  } finally {
    await admin.disconnect();
  }
}

await describeWithServers(['own-kafka', 'own-redis'], 'the distributed service and its servers', () => {
  it(
    'is not ready, and says why, while one is not there; makes the input topic; is ready once both are back',
    async () => {
      const [kafkaPort, redisPort] = await freePorts(2);
      const [broker, redisAddress] = [`127.0.0.1:${kafkaPort}`, `127.0.0.1:${redisPort}`];
      const names = deployment();
      const s = await service(names.env, { KAFKA_BROKERS: broker, REDIS_URL: `redis://${redisAddress}` }).start();
      const becomes = (what: RegExp): Promise<void> =>
        expect.poll(() => readiness(s), { timeout: 60_000 }).toMatch(what);
      await becomes(new RegExp(`^503 .*${redisAddress}`));
      const redis = kept(await startRedis({ port: redisPort }));
      await becomes(new RegExp(`^503 .*${broker}`));
      const kafka = kept(await startKafka({ port: kafkaPort }));
      await becomes(/^200/);
      expect((await topicsMade([broker], names.inputs[0], names.predictions)).partitions).toEqual([4, 4]);

      await redis.kill('SIGKILL');
      await produce([broker], names.inputs[0], inPartition(1, ticksOf(1, 1)));
      await becomes(new RegExp(`^503 .*${redisAddress}`));
      await redis.restart();
      await becomes(/^200/);
      await kafka.kill('SIGKILL');
      await becomes(/^503 ./);
      await kafka.restart();
      await becomes(/^200/);
      await produce([broker], names.inputs[0], inPartition(1, ticksOf(1, 1, 1)));
      const read = await readCommitted([broker], names.predictions, { until: 2, idle: 500 });
      expect(read.map((r) => [r.partition, jsonOf(r).offset])).toEqual([
        [1, 0],
        [1, 1],
      ]);
      expect(await s.kill('SIGTERM')).toBe(0);
    },
    MINUTES,
  );
});

await describeWithServers(['own-redis'], 'a Redis that will not do', () => {
  const linesOf = (output: string): string[] => output.split('\n').filter((line) => line.startsWith('riverrun: '));

  it('one that may evict states stops the start with one line', async () => {
    const redis = kept(await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] }));
    const s = service(deployment().env, { KAFKA_BROKERS: '127.0.0.1:1', REDIS_URL: redis.url });
    const { code, output } = await s.startAndFail();
    expect(code).toBe(1);
    expect(linesOf(output)).toEqual([expect.stringMatching(/REDIS_POLICY.*allkeys-lru.*noeviction/)]);
    expect(output).not.toMatch(/\n\s+at /);
  });

  it('a wrong password stops the start with one line that does not hold it', async () => {
    const redis = kept(await startRedis({ users: [{ name: 'app', password: 'right' }] }));
    const url = `redis://app:n0t-this-one@127.0.0.1:${redis.port}`;
    const { code, output } = await service(deployment().env, {
      KAFKA_BROKERS: '127.0.0.1:1',
      REDIS_URL: url,
    }).startAndFail();
    expect(code).toBe(1);
    expect(linesOf(output)).toEqual([expect.stringMatching(/REDIS_AUTH/)]);
    expect(output).not.toMatch(/n0t-this-one|\n\s+at /);
  });
});
