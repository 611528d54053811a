/** Records that nobody should send, amid those that everybody sends: each has its outcome, and its neighbours are exact. */
import type { Admin } from 'kafkajs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { QUICK_RETRY, kafkaClient, produce, type ProducedRecord } from '../support/kafka-clients.js';
import { startKafka, type OwnKafka } from '../support/servers/kafka.js';
import { startRedis, type OwnRedis } from '../support/servers/redis.js';
import { describeWithServers } from '../support/servers/use.js';
import { Fleet, QUICK_SESSIONS } from './fleet.js';

const MEGABYTE = 1024 ** 2;
const padded = (size: number): string => {
  const json = '{"stream":"p","value":0.5,"pad":""}';
  return json.replace('""', `"${'x'.repeat(size - json.length)}"`);
};

/** What is sent, and what becomes of it: a code of a dead letter, or a prediction. */
const POISON: readonly (readonly [name: string, record: Omit<ProducedRecord, 'partition'>, outcome: string])[] = [
  ['not JSON', { key: 'p', value: 'stream=p value=1' }, 'MALFORMED'],
  ['cut off', { key: 'p', value: '{"stream":"p","value":1' }, 'MALFORMED'],
  ['not an object', { key: 'p', value: '[1,2,3]' }, 'MALFORMED'],
  ['null', { key: 'p', value: 'null' }, 'MALFORMED'],
  ['a text for a value', { key: 'p', value: '{"stream":"p","value":"1"}' }, 'VALUE'],
  ['an object for a time', { key: 'p', value: '{"stream":"p","ts":{},"value":1}' }, 'TIMESTAMP'],
  ['a number for a stream', { key: 'p', value: '{"stream":1,"value":1}' }, 'STREAM_ID'],
  ['NaN', { key: 'p', value: '{"stream":"p","value":NaN}' }, 'MALFORMED'],
  ['Infinity as text', { key: 'p', value: '{"stream":"p","value":"Infinity"}' }, 'VALUE'],
  ['1e400', { key: 'p', value: '{"stream":"p","value":1e400}' }, 'VALUE'],
  ['-1e39, beyond float32', { key: 'p', value: '{"stream":"p","value":-1e39}' }, 'VALUE'],
  ['an empty stream id', { key: '', value: '{"stream":"","value":1}' }, 'STREAM_ID'],
  ['another key', { key: 'q', value: '{"stream":"p","value":1}' }, 'KEY_MISMATCH'],
  ['neither key nor stream', { key: null, value: '{"value":1}' }, 'STREAM_ID'],
  ['no key, but a stream', { key: null, value: '{"stream":"p","value":0.1}' }, 'prediction'],
  ['a depth of 10,000', { key: 'p', value: `{"stream":"p","value":${'['.repeat(1e4)}${']'.repeat(1e4)}}` }, 'VALUE'],
  ['__proto__', { key: 'p', value: '{"__proto__":{"stream":"x"},"stream":"p","value":0.2}' }, 'prediction'],
  ['__proto__ as a stream', { key: '__proto__', value: '{"stream":"__proto__","value":0.2}' }, 'prediction'],
  ['a value that is not UTF-8', { key: 'p', value: Buffer.from([0x7b, 0xff, 0xfe, 0x7d]) }, 'MALFORMED'],
  ['a key that is not UTF-8', { key: Buffer.from([0xff, 0xfe]), value: '{"value":1}' }, 'STREAM_ID'],
  ['a tombstone', { key: 'p', value: null }, 'TOMBSTONE'],
  ['a tombstone without a key', { key: null, value: null }, 'TOMBSTONE'],
  ['an empty value', { key: 'p', value: '' }, 'MALFORMED'],
  ['a time from the future', { key: 'p', value: '{"stream":"p","ts":9e15,"value":1}' }, 'TIMESTAMP'],
  ['1 MB, the limit', { key: 'p', value: padded(MEGABYTE) }, 'prediction'],
  ['a byte more', { key: 'p', value: padded(MEGABYTE + 1) }, 'TOO_LARGE'],
  ['3 MB, more than the dead letters take', { key: 'p', value: padded(3 * MEGABYTE) }, 'TOO_LARGE'],
];

await describeWithServers(['own-kafka', 'own-redis'], 'poison', () => {
  let kafka: OwnKafka;
  let redis: OwnRedis;
  let fleet: Fleet;
  let admin: Admin;
  const partition = 1;

  const setTopic = (name: string, value: string): Promise<unknown> =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: 2,
          name: fleet.topics.ticks,
          configEntries: [
            { name: 'max.message.bytes', value: String(5 * MEGABYTE) },
            { name, value },
          ],
        },
      ],
    });

  beforeAll(async () => {
    const config = { ...QUICK_SESSIONS, 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 500 };
    [kafka, redis] = await Promise.all([startKafka({ config }), startRedis()]);
    admin = kafkaClient(kafka.brokers).admin();
    await admin.connect();
    fleet = await Fleet.create({ brokers: kafka.brokers, redisUrl: redis.url, traffic: { perSecond: 200 } });
    await setTopic('compression.type', 'producer');
    await fleet.start();
    await fleet.traffic.start();
  }, 120_000);
  afterAll(async () => {
    await fleet?.end();
    await admin?.disconnect();
    await Promise.all([kafka?.stop(), redis?.stop()]);
  }, 60_000);

  it('each has its outcome, with the bytes it came with', { timeout: 60_000 }, async () => {
    const first = await endOf(partition);
    for (const [name, record] of POISON)
      await produce(kafka.brokers, fleet.topics.ticks, [{ ...record, partition, headers: { 'x-test': name } }]);
    await fleet.traffic.pause();
    await fleet.traffic.burst(40);
    await fleet.audit.check('poison');
    const outcomes = fleet.audit.outcomesFrom(partition, first);
    const ticks = fleet.audit.ticksFrom(partition, first);
    for (const [name, , expected] of POISON) {
      // The audit has compared key and bytes; here it is the code.
      const { headers, value } = outcomes.get(ticks.find((tick) => tick.headers['x-test'] === name)!.offset)!;
      expect([name, headers['error-code'] ?? 'prediction']).toEqual([name, expected]);
      if (name.startsWith('3 MB')) expect([headers.truncated, value]).toEqual(['true', null]);
      else expect(headers.truncated).toBeUndefined();
    }
    fleet.traffic.go();
  });

  it.each(['gzip', 'snappy', 'lz4', 'zstd'])('batches compressed with %s', { timeout: 30_000 }, async (type) => {
    await setTopic('compression.type', type);
    await fleet.traffic.burst(200);
    await fleet.traffic.pause();
    await fleet.traffic.burst(40);
    await fleet.audit.check(type);
    await setTopic('compression.type', 'producer');
    fleet.traffic.go();
  });

  it(
    'an upstream transaction that is aborted, and one that is left open for a while',
    { timeout: 60_000 },
    async () => {
      const producer = kafkaClient(kafka.brokers).producer({
        transactionalId: fleet.app,
        idempotent: true,
        maxInFlightRequests: 1,
        transactionTimeout: 2_000,
        retry: QUICK_RETRY,
      });
      await producer.connect();
      const message = { partition, key: 'p', value: '{"stream":"p","value":9}' };
      const aborted = await producer.transaction();
      await aborted.send({ topic: fleet.topics.ticks, messages: [message] });
      await aborted.abort();
      const committed = await producer.transaction();
      await committed.send({ topic: fleet.topics.ticks, messages: [message] });
      await committed.commit();
      const open = await producer.transaction();
      await open.send({ topic: fleet.topics.ticks, messages: [message] });
      await producer.disconnect();
      // Ticks behind it wait until the broker ends it.
      await fleet.audit.check('upstream transactions');
      await fleet.finish('poison');
    },
  );

  async function endOf(p: number): Promise<number> {
    const offsets = await admin.fetchTopicOffsets(fleet.topics.ticks);
    return Number(offsets.find((o) => o.partition === p)!.high);
  }
});
