/** Logs and offsets that do not belong to the states any more: refused with a code, on the partitions concerned only, and nothing wrong is published. */
import type { Admin } from 'kafkajs';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { KafkaClient } from '#adapters/kafka/kafkajs';
import { createTopic, kafkaClient, produce, readCommitted } from '../support/kafka-clients.js';
import { startKafka, type OwnKafka } from '../support/servers/kafka.js';
import { waitUntil } from '../support/servers/programs.js';
import { startRedis, type OwnRedis } from '../support/servers/redis.js';
import { describeWithServers } from '../support/servers/use.js';
import { Fleet, QUICK_SESSIONS, type FleetOptions, type Instance } from './fleet.js';
import { PARTITIONS } from './traffic.js';

/** As the codes come up in /readyz, by partition. */
async function refusals(instance: Instance): Promise<Record<string, string>> {
  const reasons = await instance.reasons();
  const found = reasons.map((reason) => /\/(\d+): ([A-Z_]+): /.exec(reason)).filter((match) => match !== null);
  return Object.fromEntries(found.map(([, partition, code]) => [partition, code]));
}

async function expectRefusals(instance: Instance, expected: Record<string, string>): Promise<void> {
  let seen = {};
  const same = async (): Promise<boolean> =>
    JSON.stringify((seen = await refusals(instance))) === JSON.stringify(expected);
  await waitUntil(`/readyz says ${JSON.stringify(expected)}`, same, 20_000).catch(() => expect(seen).toEqual(expected));
}

const everywhere = (code: string, partitions = PARTITIONS): Record<string, string> =>
  Object.fromEntries(Array.from({ length: partitions }, (_, p) => [String(p), code]));

await describeWithServers(['own-kafka', 'own-redis'], 'a log that does not fit', () => {
  let kafka: OwnKafka;
  let redis: OwnRedis;
  let fleet: Fleet;
  let admin: Admin;
  const begin = async (options: Partial<FleetOptions> = {}): Promise<Instance> => {
    fleet = await Fleet.create({ brokers: kafka.brokers, redisUrl: redis.url, ...options });
    await fleet.traffic.start();
    await fleet.traffic.pause();
    const instance = await (await fleet.start()).ready();
    await fleet.traffic.burst(400);
    await fleet.finish('before');
    return instance;
  };
  const committed = async (): Promise<Map<number, number>> => {
    const [{ partitions }] = await admin.fetchOffsets({ groupId: fleet.app, topics: [fleet.topics.ticks] });
    return new Map(partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  };
  const refuseAll = async (): Promise<void> => {
    for (const [partition, offset] of await committed()) fleet.audit.refuse(partition, offset);
  };
  const published = async (): Promise<number> =>
    (await readCommitted(kafka.brokers, fleet.topics.predictions, { idle: 300 })).length;

  beforeAll(async () => {
    [kafka, redis] = await Promise.all([startKafka({ config: QUICK_SESSIONS }), startRedis()]);
    admin = kafkaClient(kafka.brokers).admin();
    await admin.connect();
  }, 120_000);
  afterEach(() => fleet.end());
  afterAll(async () => {
    await admin?.disconnect();
    await Promise.all([kafka?.stop(), redis?.stop()]);
  }, 60_000);

  it('more partitions: PARTITION_COUNT on all of them, the new ones too', { timeout: 90_000 }, async () => {
    const instance = await begin();
    await instance.kill('SIGTERM');
    await refuseAll();
    const { ticks, predictions, deadLetters } = fleet.topics;
    const topics = [ticks, predictions, deadLetters, `${fleet.app}-state-changelog`];
    await admin.createPartitions({ topicPartitions: topics.map((topic) => ({ topic, count: PARTITIONS + 2 })) });
    for (const partition of [4, 5]) fleet.audit.refuse(partition, 0);
    const again = await fleet.start();
    await produce(kafka.brokers, ticks, [{ partition: 4, key: 's1', value: '{"stream":"s1","value":1}' }]);
    await fleet.traffic.burst(100);
    await expectRefusals(again, everywhere('PARTITION_COUNT', PARTITIONS + 2));
    await fleet.audit.check('more partitions');
    const all = await readCommitted(kafka.brokers, predictions, { idle: 300 });
    expect(all.filter(({ partition }) => partition >= PARTITIONS)).toEqual([]);
  });

  it('more partitions under a running instance: the same, before producers know', { timeout: 90_000 }, async () => {
    const instance = await begin();
    await refuseAll();
    const { ticks, predictions, deadLetters } = fleet.topics;
    const topics = [ticks, predictions, deadLetters, `${fleet.app}-state-changelog`];
    await admin.createPartitions({ topicPartitions: topics.map((topic) => ({ topic, count: PARTITIONS + 2 })) });
    for (const partition of [4, 5]) fleet.audit.refuse(partition, 0);
    await expectRefusals(instance, everywhere('PARTITION_COUNT', PARTITIONS + 2));
    await fleet.traffic.burst(100);
    await produce(kafka.brokers, ticks, [{ partition: 4, key: 's1', value: '{"stream":"s1","value":1}' }]);
    await fleet.audit.check('more partitions while it runs');
  });

  it.each(['earliest', 'latest'])('offsets deleted, from=%s: OFFSET_MISSING', { timeout: 90_000 }, async (from) => {
    const instance = await begin();
    await instance.kill('SIGTERM');
    await refuseAll();
    const before = await committed();
    await admin.deleteGroups([fleet.app]);
    await fleet.traffic.burst(100);
    const again = await fleet.start({ RIVERRUN_FROM: from });
    await expectRefusals(again, everywhere('OFFSET_MISSING'));
    await fleet.audit.check('offsets deleted');
    // The way back: the offsets as they were.
    await again.kill('SIGTERM');
    const partitions = [...before].map(([partition, offset]) => ({ partition, offset: String(offset) }));
    await admin.setOffsets({ groupId: fleet.app, topic: fleet.topics.ticks, partitions });
    for (const partition of before.keys()) fleet.audit.refuse(partition, Infinity);
    await fleet.start();
    await fleet.audit.check('offsets put back');
    await fleet.finish('offsets put back');
  });

  it('records deleted below c and below the end: the other partitions go on', { timeout: 90_000 }, async () => {
    const instance = await begin();
    await instance.kill('SIGTERM');
    const before = await committed();
    // What this one publishes it does not save: of some partition W stays behind c.
    const dying = await fleet.start({ RIVERRUN_FAILPOINT: 'before-save' });
    await fleet.traffic.burst(400);
    expect(await dying.ended).toBeNull();
    await fleet.traffic.burst(100);
    const offsets = await committed();
    const ends = new Map((await admin.fetchTopicOffsets(fleet.topics.ticks)).map((o) => [o.partition, o.high]));
    const behind = [...offsets.keys()].find((partition) => offsets.get(partition)! > before.get(partition)!)!;
    const other = behind === 0 ? 1 : 0;
    for (const partition of [behind, other]) fleet.audit.refuse(partition, offsets.get(partition)!);
    await admin.deleteTopicRecords({
      topic: fleet.topics.ticks,
      partitions: [
        { partition: behind, offset: String(offsets.get(behind)!) },
        { partition: other, offset: ends.get(other)! },
      ],
    });
    const again = await fleet.start();
    await expectRefusals(again, { [String(behind)]: 'STATE_MISSING', [String(other)]: 'LOG_START' });
    await fleet.finish('records deleted');
  });

  it('a topic made anew while nobody looks: OFFSET_MISSING', { timeout: 90_000 }, async () => {
    const instance = await begin();
    await instance.kill('SIGTERM');
    await recreateTopic();
    const before = await published();
    const again = await fleet.start();
    await expectRefusals(again, everywhere('OFFSET_MISSING'));
    expect(await published()).toBe(before);
  });

  it('a topic made anew under a running instance: OFFSET_MISSING', { timeout: 90_000 }, async () => {
    const instance = await begin();
    const before = await published();
    await recreateTopic();
    await expectRefusals(instance, everywhere('OFFSET_MISSING'));
    expect(await published()).toBe(before);
  });

  it('offsets set behind the end, and into another log: TOPIC_RECREATED', { timeout: 90_000 }, async () => {
    const instance = await begin();
    await instance.kill('SIGTERM');
    const topic = fleet.topics.ticks;
    const [{ partitions }] = await admin.fetchOffsets({ groupId: fleet.app, topics: [topic] });
    await recreateTopic(100);
    // A backup of the offsets put back, metadata and all.
    await commitAsGiven(partitions);
    const before = await published();
    const again = await fleet.start();
    await expectRefusals(again, everywhere('TOPIC_RECREATED'));
    await fill(2_000);
    await expectRefusals(again, everywhere('TOPIC_RECREATED'));
    expect(await published()).toBe(before);
  });

  /** kafkajs' own way leaves the metadata out. */
  async function commitAsGiven(
    offsets: readonly { partition: number; offset: string; metadata: string | null }[],
  ): Promise<void> {
    const cluster = new KafkaClient({ brokers: kafka.brokers, clientId: 'test', ssl: false }).cluster();
    await cluster.connect();
    const partitions = offsets.map(({ partition, offset, metadata }) => ({
      partition,
      offset,
      metadata: metadata ?? '',
    }));
    const topics = [{ topic: fleet.topics.ticks, partitions }];
    const coordinator = await cluster.findGroupCoordinator({ groupId: fleet.app });
    await coordinator.offsetCommit({ groupId: fleet.app, groupGenerationId: -1, memberId: '', topics });
    await cluster.disconnect();
  }

  /** Deleted, and at once there again with as many records as you like: more than before, unless told otherwise. */
  async function recreateTopic(records = 2_000): Promise<void> {
    await fleet.audit.stop();
    await admin.deleteTopics({ topics: [fleet.topics.ticks] });
    await waitUntil('the topic is gone', async () => !(await admin.listTopics()).includes(fleet.topics.ticks), 10_000);
    await createTopic(kafka.brokers, fleet.topics.ticks, PARTITIONS);
    await fill(records);
  }
  async function fill(records: number): Promise<void> {
    const record = (i: number): { partition: number; key: string; value: string } => ({
      partition: i % PARTITIONS,
      key: `s${i % PARTITIONS}`,
      value: JSON.stringify({ stream: `s${i % PARTITIONS}`, value: i }),
    });
    await produce(
      kafka.brokers,
      fleet.topics.ticks,
      Array.from({ length: records }, (_, i) => record(i)),
    );
  }
});
