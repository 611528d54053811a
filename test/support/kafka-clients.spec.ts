import { expect, it } from 'vitest';
import { QUICK_RETRY, createTopic, kafkaClient, produce, readCommitted } from './kafka-clients.js';
import { describeWithServers, kafkaBrokers, uniqueName } from './servers/use.js';

await describeWithServers(['kafka'], 'helpers over kafkajs', () => {
  it('reads what was produced, as it was, by partition and offset', async () => {
    const [brokers, topic] = [await kafkaBrokers(), uniqueName('helpers')];
    await createTopic(brokers, topic, 3, { 'max.message.bytes': '1234567' });
    const bytes = Buffer.from([0, 255, 128]);
    await produce(brokers, topic, [
      { partition: 2, key: 'b', value: bytes, headers: { code: 'X' }, timestamp: 1_700_000_000_000 },
      { partition: 0, key: 'a', value: null },
      { partition: 2, value: 'second' },
    ]);
    const read = await readCommitted(brokers, topic, { until: 3 });
    const told = read.map(({ partition, offset, key, value }) => [partition, offset, key?.toString(), value]);
    expect(told).toEqual([
      [0, 0, 'a', null],
      [2, 0, 'b', bytes],
      [2, 1, undefined, Buffer.from('second')],
    ]);
    expect([read[1].headers, read[1].timestamp]).toEqual([{ code: 'X' }, 1_700_000_000_000]);
    const admin = kafkaClient(brokers).admin();
    const resources = [{ type: 2, name: topic, configNames: ['max.message.bytes'] }];
    const { resources: described } = await admin.describeConfigs({ resources, includeSynonyms: false });
    await admin.disconnect();
    expect(described[0].configEntries[0].configValue).toBe('1234567');
  });

  it('leaves out what was aborted or is open, and waits for as many as it is told', async () => {
    const [brokers, topic] = [await kafkaBrokers(), uniqueName('helpers')];
    await createTopic(brokers, topic);
    const options = { transactionalId: topic, idempotent: true, maxInFlightRequests: 1, retry: QUICK_RETRY };
    const producer = kafkaClient(brokers).producer(options);
    await producer.connect();
    const aborted = await producer.transaction();
    await aborted.send({ topic, messages: [{ value: 'aborted' }] });
    await aborted.abort();
    const committed = await producer.transaction();
    await committed.send({ topic, messages: [{ value: 'committed' }] });
    await committed.commit();
    const open = await producer.transaction();
    await open.send({ topic, messages: [{ value: 'open' }] });

    const values = async (uncommitted: boolean): Promise<string[]> =>
      (await readCommitted(brokers, topic, { uncommitted })).map(({ value }) => value!.toString());
    expect(await values(false)).toEqual(['committed']);
    expect(await values(true)).toEqual(['aborted', 'committed', 'open']);
    await expect(readCommitted(brokers, topic, { until: 2, timeout: 1_000 })).rejects.toThrow('read 1 records');

    const both = readCommitted(brokers, topic, { until: 2 });
    await open.commit();
    await producer.disconnect();
    expect((await both).length).toBe(2);
  });
});
