/** The built service against secured and other servers: a handful of ticks through each, and refusals that keep secrets. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { deployment, readiness } from '../support/deployment.js';
import { createTopic, produce, readCommitted } from '../support/kafka-clients.js';
import { startSecureKafka, type SecureKafka } from '../support/servers/kafka-secure.js';
import { startKafka } from '../support/servers/kafka.js';
import { startRedisCluster, startSentinel } from '../support/servers/redis-topologies.js';
import { startRedis, startRedisReplica, type OwnRedis } from '../support/servers/redis.js';
import { describeWithServers, kafkaBrokers } from '../support/servers/use.js';
import { Service, temporaryFolder } from '../support/service.js';

const MINUTES = 120_000;
const TICKS = 3;

type Env = Readonly<Record<string, string>>;

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
const kept = <T extends { stop(): Promise<void> }>(server: T): T => {
  cleanUps.push(() => server.stop());
  return server;
};
const service = (env: Env): Service => {
  const made = new Service({ ...env });
  cleanUps.push(() => made.end());
  return made;
};

/** A few ticks in and their predictions out, by the broker's plain listener; then a stop in order. */
async function passesTicks(brokers: readonly string[], env: Env): Promise<void> {
  const names = deployment();
  await createTopic(brokers, names.inputs[0], 1);
  const ticks = Array.from({ length: TICKS }, (_, i) => ({ key: 's', value: JSON.stringify({ ts: i, value: i }) }));
  await produce(brokers, names.inputs[0], ticks);
  const s = await service({ ...names.env, ...env }).start();
  await expect.poll(() => readiness(s), { timeout: 30_000, message: s.output }).toMatch(/^200/);
  const read = await readCommitted(brokers, names.predictions, { until: TICKS }).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${s.output}`);
  });
  expect(read.map(({ value }) => (JSON.parse(value!.toString()) as { prediction: number }).prediction)).toEqual([
    0,
    1,
    expect.any(Number),
  ]);
  expect(await s.kill('SIGTERM')).toBe(0);
}

await describeWithServers(['own-kafka', 'own-redis'], 'secured servers', () => {
  let kafka: SecureKafka;
  let redis: OwnRedis;
  let files: string;
  const inFile = (name: string, text: string): string => {
    const path = join(files, name);
    writeFileSync(path, `${text}\n`);
    return path;
  };
  beforeAll(async () => {
    files = temporaryFolder();
    const users = [
      { name: 'admin', password: 'admin-secret' },
      { name: 'app', password: 'app-s3cret', rules: ['~*', '+@all', '-@dangerous', '+info'] },
    ];
    [kafka, redis] = await Promise.all([startSecureKafka(), startRedis({ tls: 'server', users })]);
  }, MINUTES);
  afterAll(async () => {
    await Promise.all([kafka?.stop(), redis?.stop()]);
  });

  const redisEnv = (password = 'app-s3cret'): Env => ({
    REDIS_URL_FILE: inFile('redis-url', `rediss://app:${password}@127.0.0.1:${redis.port}`),
    REDIS_TLS_CA: redis.certificates!.ca,
  });
  const tls = (): Env => ({ KAFKA_SSL: 'true', KAFKA_SSL_CA: kafka.certificates.ca });
  const sasl = (mechanism: string, password = kafka.user.password): Env => ({
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: kafka.user.username,
    KAFKA_SASL_PASSWORD_FILE: inFile('kafka-password', password),
  });

  const cases: [string, () => Env][] = [
    ['TLS', () => ({ KAFKA_BROKERS: kafka.tls.join(), ...tls() })],
    [
      'mutual TLS',
      () => ({
        KAFKA_BROKERS: kafka.mutualTls.join(),
        ...tls(),
        KAFKA_SSL_CERT: kafka.certificates.clientCert,
        KAFKA_SSL_KEY_FILE: kafka.certificates.clientKey,
      }),
    ],
    ['SASL PLAIN', () => ({ KAFKA_BROKERS: kafka.sasl.join(), ...sasl('PLAIN') })],
    ...['SCRAM-SHA-256', 'SCRAM-SHA-512'].map((mechanism): [string, () => Env] => [
      `${mechanism} over TLS`,
      () => ({ KAFKA_BROKERS: kafka.saslTls.join(), ...tls(), ...sasl(mechanism) }),
    ]),
  ];
  it.each(cases)(
    'Kafka with %s, Redis with TLS and a user of few rights',
    (_, env) => passesTicks(kafka.brokers, { ...redisEnv(), ...env() }),
    MINUTES,
  );

  const refused: [string, RegExp, () => Env][] = [
    [
      'SASL PLAIN',
      /KAFKA_AUTH/,
      () => ({ ...redisEnv(), KAFKA_BROKERS: kafka.sasl.join(), ...sasl('PLAIN', 'wr0ng-one') }),
    ],
    [
      'SCRAM-SHA-512 over TLS',
      /KAFKA_AUTH/,
      () => ({ ...redisEnv(), KAFKA_BROKERS: kafka.saslTls.join(), ...tls(), ...sasl('SCRAM-SHA-512', 'wr0ng-one') }),
    ],
    ['Redis over TLS', /REDIS_AUTH/, () => ({ ...redisEnv('wr0ng-one'), KAFKA_BROKERS: kafka.tls.join(), ...tls() })],
  ];
  it.each(refused)(
    'a wrong password with %s stops the start with one line that does not hold it',
    async (_, code, env) => {
      const ended = await service({ ...deployment().env, ...env() }).startAndFail();
      expect(ended.code).toBe(1);
      expect(ended.output.split('\n').filter((line) => line.startsWith('riverrun: '))).toEqual([
        expect.stringMatching(code),
      ]);
      expect(ended.output).not.toMatch(/wr0ng-one|\n\s+at /);
    },
    MINUTES,
  );
});

await describeWithServers(['own-kafka', 'own-redis'], 'Kafka 3.9.1', () => {
  it(
    'serves the service as 4.1 does',
    async () => {
      const [kafka, redis] = await Promise.all([startKafka({ version: '3.9.1' }), startRedis()]);
      kept(kafka);
      kept(redis);
      await passesTicks(kafka.brokers, { KAFKA_BROKERS: kafka.brokers.join(), REDIS_URL: redis.url });
    },
    MINUTES,
  );
});

await describeWithServers(['kafka', 'own-redis'], 'Redis in other shapes', () => {
  const kafkaEnv = async (): Promise<Env> => ({ KAFKA_BROKERS: (await kafkaBrokers()).join() });

  it(
    'Sentinel',
    async () => {
      const master = kept(await startRedis());
      kept(await startRedisReplica(master));
      const sentinel = kept(await startSentinel(master));
      const env = { REDIS_MODE: 'sentinel', REDIS_NODES: sentinel.address, REDIS_URL: `redis://${sentinel.name}` };
      await passesTicks(await kafkaBrokers(), { ...(await kafkaEnv()), ...env });
    },
    MINUTES,
  );

  it(
    'Cluster',
    async () => {
      const cluster = kept(await startRedisCluster());
      const env = { REDIS_MODE: 'cluster', REDIS_NODES: cluster.addresses.join() };
      await passesTicks(await kafkaBrokers(), { ...(await kafkaEnv()), ...env });
    },
    MINUTES,
  );
});
