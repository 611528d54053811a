/** The model that ships on Kafka and Redis: several instances, one of which is killed, none of which makes it champion. */
import { afterEach, expect, it } from 'vitest';
import { connectRedis } from '#adapters/redis/redis-client';
import { RedisModelRegistry } from '#adapters/redis/redis-model-registry';
import { loadDefaultModel } from '#default-model/default-model';
import { deployment, referenceOf } from '../support/deployment.js';
import { createTopic, produce, readCommitted, type ProducedRecord } from '../support/kafka-clients.js';
import { Service } from '../support/service.js';
import { describeWithServers, kafkaBrokers, redisUrl } from '../support/servers/use.js';

const PARTITIONS = 2;
const TICKS = 60;

await describeWithServers(['kafka', 'redis'], 'instances without a champion', () => {
  const services: Service[] = [];
  afterEach(() => Promise.all(services.splice(0).map((service) => service.end())));

  it('give each tick the outcome of one uninterrupted pass, whoever dies meanwhile', { timeout: 120_000 }, async () => {
    const [brokers, url] = [await kafkaBrokers(), await redisUrl()];
    const its = deployment(1, 'default');
    for (const topic of [its.inputs[0], its.predictions]) await createTopic(brokers, topic, PARTITIONS);
    const env = {
      ...its.env,
      KAFKA_BROKERS: brokers.join(','),
      REDIS_URL: url,
      RIVERRUN_DEFAULT_MODEL: 'on',
    };
    services.push(new Service(env), new Service(env));
    await Promise.all(services.map((service) => service.start()));
    const tick = (t: number, partition: number): ProducedRecord => ({
      partition,
      key: `s${partition}`,
      value: JSON.stringify({ stream: `s${partition}`, ts: 60_000 * t, value: 10 + Math.sin(t / 3) + partition }),
    });
    const records = Array.from({ length: TICKS }, (_, t) => [tick(t, 0), tick(t, 1)]).flat();
    const half = records.length / 2;
    await produce(brokers, its.inputs[0], records.slice(0, half));
    await readCommitted(brokers, its.predictions, { until: half });
    await services[0].kill('SIGKILL');
    await produce(brokers, its.inputs[0], records.slice(half));
    const answers = await readCommitted(brokers, its.predictions, { until: records.length });
    const shipped = await loadDefaultModel();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const given = records.filter((record) => record.partition === partition);
      const plain = given.map(({ key, value }) => ({ key: String(key), value: String(value), ts: 0 }));
      const expected = await referenceOf(plain, shipped, its);
      expect(
        answers
          .filter((answer) => answer.partition === partition)
          .map(({ value }) => JSON.parse(String(value)) as unknown),
      ).toEqual(expected.map(({ json }) => json));
      expect(expected.at(-1)?.json).toMatchObject({ model: 'default-prior@1', lower: expect.any(Number) as number });
    }
    const client = await connectRedis({ url });
    const registry = new RedisModelRegistry(client, { app: its.app });
    expect(await registry.aliases('default')).toMatchObject({ champion: undefined, previous: undefined });
    expect((await registry.list()).map(({ digest }) => digest)).toEqual([shipped.manifest.digest]);
    await client.close();
  });
});
