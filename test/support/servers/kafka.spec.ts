import { existsSync, readFileSync } from 'node:fs';
import type { KafkaConfig, SASLOptions } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTopic, kafkaClient, produce, readCommitted } from '../kafka-clients.js';
import { KAFKA_VERSIONS } from './kafka-install.js';
import { startSecureKafka, type SecureKafka } from './kafka-secure.js';
import { startKafka } from './kafka.js';
import { describeWithServers } from './use.js';

const START = 180_000;

async function topicsOf(config: KafkaConfig): Promise<string[]> {
  const admin = kafkaClient({ ...config, connectionTimeout: 2_000, retry: { retries: 1 } }).admin();
  try {
    await admin.connect();
    return await admin.listTopics();
  } finally {
    await admin.disconnect();
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

await describeWithServers(['own-kafka'], 'a broker of its own', () => {
  it.each(KAFKA_VERSIONS)(
    '%s: keeps its data over SIGKILL, can be held, and leaves nothing',
    async (version) => {
      const kafka = await startKafka({ version, config: { 'message.max.bytes': 4_000_000 } });
      try {
        await createTopic(kafka.brokers, 'kept');
        await produce(kafka.brokers, 'kept', [{ value: 'a' }]);
        const [pid, folder] = [kafka.process.pid!, kafka.process.folder];
        await kafka.kill('SIGKILL');
        expect([kafka.process.pid, isAlive(pid)]).toEqual([undefined, false]);
        await kafka.restart();
        expect((await readCommitted(kafka.brokers, 'kept', { until: 1 }))[0].value!.toString()).toBe('a');

        await kafka.kill('SIGSTOP');
        const held = { brokers: kafka.brokers, requestTimeout: 300, retry: { retries: 0 } };
        await expect(topicsOf(held)).rejects.toThrow();
        await kafka.kill('SIGCONT');
        expect(await topicsOf({ brokers: kafka.brokers })).toContain('kept');

        const last = kafka.process.pid!;
        await kafka.kill('SIGSTOP');
        await kafka.stop();
        expect([isAlive(last), existsSync(folder)]).toEqual([false, false]);
      } finally {
        await kafka.stop();
      }
    },
    START,
  );

  describe('secured', () => {
    let kafka: SecureKafka;
    let ca: string[];
    beforeAll(async () => {
      kafka = await startSecureKafka();
      ca = [readFileSync(kafka.certificates.ca, 'utf8')];
    }, START);
    afterAll(() => kafka?.stop());

    it('TLS: with the right CA only', async () => {
      expect(await topicsOf({ brokers: kafka.tls, ssl: { ca } })).toEqual([]);
      await expect(topicsOf({ brokers: kafka.tls, ssl: true })).rejects.toThrow('certificate');
    });

    it('mutual TLS: with a certificate only', async () => {
      const cert = readFileSync(kafka.certificates.clientCert, 'utf8');
      const key = readFileSync(kafka.certificates.clientKey, 'utf8');
      expect(await topicsOf({ brokers: kafka.mutualTls, ssl: { ca, cert, key } })).toEqual([]);
      await expect(topicsOf({ brokers: kafka.mutualTls, ssl: { ca } })).rejects.toThrow();
    });

    it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)('SASL %s, plain and over TLS', async (mechanism) => {
      // A new object each time: kafkajs keeps an authenticator with the credentials in the one it is given.
      const sasl = (password = kafka.user.password): SASLOptions => ({
        mechanism,
        username: kafka.user.username,
        password,
      });
      expect(await topicsOf({ brokers: kafka.sasl, sasl: sasl() })).toEqual([]);
      expect(await topicsOf({ brokers: kafka.saslTls, sasl: sasl(), ssl: { ca } })).toEqual([]);
      await expect(topicsOf({ brokers: kafka.sasl, sasl: sasl('wrong') })).rejects.toThrow(/auth/i);
    });
  });
});
