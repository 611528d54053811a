/** Transactions of stock kafkajs through the proxy: what the broker got, and what the client was told. */
import type { Producer } from 'kafkajs';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { QUICK_RETRY, createTopic, kafkaClient, produce, readCommitted } from './kafka-clients.js';
import { Api } from './kafka-frames.js';
import type { KafkaProxy } from './kafka-proxy.js';
import { startKafkaBehindProxy, type KafkaBehindProxy } from './servers/kafka-behind-proxy.js';
import { describeWithServers, uniqueName } from './servers/use.js';

await describeWithServers(['own-kafka'], 'Kafka behind its proxy', () => {
  let server: KafkaBehindProxy;
  let proxy: KafkaProxy;
  let topic: string;
  const producers: Producer[] = [];

  beforeAll(async () => {
    server = await startKafkaBehindProxy({ proxies: 2 });
    proxy = server.proxy;
  }, 120_000);
  afterAll(() => server?.stop());
  afterEach(async () => {
    proxy.reset();
    for (const producer of producers.splice(0)) await producer.disconnect();
  });

  async function transactional(id: string, brokers = server.brokers): Promise<Producer> {
    const client = kafkaClient({ brokers, requestTimeout: 500 });
    const producer = client.producer({
      transactionalId: id,
      idempotent: true,
      maxInFlightRequests: 1,
      retry: QUICK_RETRY,
    });
    producers.push(producer);
    await producer.connect();
    return producer;
  }

  /** A transaction with one record, up to the commit. */
  async function commitOne(producer: Producer, value: string): Promise<unknown> {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ value, partition: 0 }] });
    return transaction.commit().then(
      () => 'committed',
      () => 'failed',
    );
  }

  const valuesRead = async (): Promise<string[]> =>
    (await readCommitted(server.kafka.brokers, topic)).map(({ value }) => value!.toString());

  async function freshTopic(): Promise<void> {
    topic = uniqueName('proxied');
    await createTopic(server.kafka.brokers, topic);
    // The first transaction of a broker waits for the coordinator's topic to be made.
    await commitOne(await transactional(uniqueName('warm')), 'warm').catch(() => undefined);
    proxy.reset();
  }

  it('hides the broker: all goes through the proxy, and is counted by API key', async () => {
    await freshTopic();
    await produce(server.brokers, topic, [{ value: 'a' }, { value: 'b' }]);
    expect([proxy.count(Api.Produce), proxy.count(Api.EndTxn)]).toEqual([1, 0]);
    expect(server.proxies[1].proxy.count(Api.Produce)).toBe(0);
    await produce(server.proxies[1].brokers, topic, [{ value: 'c' }]);
    expect([proxy.count(Api.Produce), server.proxies[1].proxy.count(Api.Produce)]).toEqual([1, 1]);
    expect(await valuesRead()).toEqual(expect.arrayContaining(['a', 'b', 'c']));
  });

  it.each([
    ['drop-response', 'there'],
    ['close-instead-of-response', 'there'],
    ['swallow-request', 'not there'],
    ['close-before-request', 'not there'],
  ] as const)('%s of the second EndTxn: the client fails, the record is %s', async (fault, there) => {
    await freshTopic();
    const rule = proxy.on(Api.EndTxn, fault, { nth: 2 });
    const producer = await transactional(uniqueName('faulty'));
    expect([await commitOne(producer, 'one'), rule.hits]).toEqual(['committed', 0]);
    expect([await commitOne(producer, 'two'), rule.hits]).toEqual(['failed', 1]);
    const read = await valuesRead();
    expect(read).toContain('one');
    expect(read.includes('two')).toBe(there === 'there');
  });

  it('close-after-request: the client fails, and the broker had the request', async () => {
    await freshTopic();
    proxy.on(Api.EndTxn, 'close-after-request');
    expect(await commitOne(await transactional(uniqueName('cut')), 'one')).toBe('failed');
    await expect.poll(valuesRead).toContain('one');
  });

  it('a held EndTxn arrives after its client has been fenced, and changes nothing', async () => {
    await freshTopic();
    const id = uniqueName('zombie');
    const rule = proxy.on(Api.EndTxn, 'hold-request', { where: ({ body }) => body.includes(id) });
    const zombie = await transactional(id);
    const late = commitOne(zombie, 'zombie');
    expect((await rule.hit).api).toBe(Api.EndTxn);
    const other = await transactional(id, server.proxies[1].brokers);
    expect(await commitOne(other, 'owner')).toBe('committed');
    rule.release();
    expect(await late).toBe('failed');
    const read = await valuesRead();
    expect([read.includes('owner'), read.includes('zombie')]).toEqual([true, false]);
  });

  it('delays responses of one API key', async () => {
    await freshTopic();
    const rule = proxy.on(Api.Produce, { delayResponse: 300 }, { times: Infinity });
    const start = performance.now();
    await produce(server.brokers, topic, [{ value: 'late' }]);
    expect(performance.now() - start).toBeGreaterThan(295);
    expect(rule.hits).toBe(1);
    rule.remove();
  });
});
