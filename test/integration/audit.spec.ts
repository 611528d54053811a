/** `riverrun audit` on what the built service has done with real servers, and on what was bent afterwards. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectRedis, type RedisClient } from '#adapters/redis/redis-client';
import { createTopic, produce, readCommitted } from '../support/kafka-clients.js';
import { runCli, type Finished } from '../support/run-cli.js';
import { Service } from '../support/service.js';
import { describeWithServers, kafkaBrokers, redisUrl, uniqueName } from '../support/servers/use.js';

interface Report {
  ok: boolean;
  total: Record<string, number>;
  partitions: { partition: number; notes: string[]; examples: { kind: string; stream: string }[] }[];
}

const STREAMS = 20;
const TICKS = 2000;
const BAD = 5;

await describeWithServers(['kafka', 'redis'], 'riverrun audit', () => {
  const app = uniqueName('audit');
  const topics = { ticks: `${app}-ticks`, predictions: `${app}-predictions`, letters: `${app}-dlt` };
  let env: Record<string, string>;
  let brokers: string[];
  let redis: RedisClient;
  let service: Service;

  beforeAll(async () => {
    brokers = await kafkaBrokers();
    redis = await connectRedis({ url: await redisUrl() });
    env = {
      RIVERRUN_MODE: 'distributed',
      RIVERRUN_APP: app,
      RIVERRUN_TICKS_TOPIC: topics.ticks,
      RIVERRUN_PREDICTIONS_TOPIC: topics.predictions,
      RIVERRUN_DEAD_LETTER_TOPIC: topics.letters,
      RIVERRUN_FROM: 'earliest',
      KAFKA_BROKERS: brokers.join(','),
      REDIS_URL: await redisUrl(),
    };
    await createTopic(brokers, topics.ticks, 2);
    service = await new Service(env).start();
    const ticks = Array.from({ length: TICKS }, (_, i) => {
      const key = `s${i % STREAMS}`;
      return { key, value: JSON.stringify({ stream: key, ts: 1_700_000_000_000 + i, value: Math.sin(i / 9) }) };
    });
    await produce(brokers, topics.ticks, [
      ...ticks,
      { key: 's1', value: '{"stream":"s1","control":"reset"}' },
      ...Array.from({ length: BAD }, () => ({ key: 's2', value: 'no JSON' })),
    ]);
    await readCommitted(brokers, topics.predictions, { until: TICKS + 1 });
    await readCommitted(brokers, topics.letters, { until: BAD });
  }, 120_000);
  afterAll(async () => {
    await service.end();
    await redis.close();
  });

  async function audit(...args: string[]): Promise<Finished & { report: Report }> {
    const finished = await runCli(['audit', '--json', ...args], { env });
    return { ...finished, report: JSON.parse(finished.stdout) as Report };
  }

  it('finds nothing amiss beside the running service, and says what it compared', async () => {
    const { code, report, stderr } = await audit();
    expect(stderr).toBe('');
    expect(report).toMatchObject({
      ok: true,
      total: { records: TICKS + 1 + BAD, predictions: TICKS + 1, deadLetters: BAD, lost: 0, duplicated: 0, wrong: 0 },
    });
    expect(report.total).toMatchObject({ statesCompared: STREAMS, statesDiffering: 0 });
    expect(code).toBe(0);
    const table = await runCli(['audit'], { env });
    expect(table.stdout).toMatch(/^PARTITION +RECORDS/);
    expect(table.stderr).toContain('nothing is amiss');
  }, 60_000);

  it('after a kill -9 and a restart too', async () => {
    await service.kill('SIGKILL');
    await service.start();
    await produce(brokers, topics.ticks, [{ key: 's1', value: '{"ts":1800000000000,"value":4}' }]);
    await readCommitted(brokers, topics.predictions, { until: TICKS + 2 });
    expect((await audit()).report).toMatchObject({ ok: true, total: { records: TICKS + 2 + BAD } });
  }, 60_000);

  it('counts only from --since on, and says so', async () => {
    const { code, report } = await audit('--partition', '0', '--since', '10');
    expect(code).toBe(0);
    expect(report.partitions).toHaveLength(1);
    expect(report.partitions[0].notes.join()).toContain('not recomputed');
  }, 60_000);

  it('sees a duplicate outcome and a changed state', async () => {
    await service.kill('SIGTERM');
    const [one] = await readCommitted(brokers, topics.predictions, { until: 1 });
    await produce(brokers, topics.predictions, [{ partition: one.partition, key: one.key, value: one.value }]);
    const { code, report } = await audit();
    expect(code).toBe(1);
    expect(report).toMatchObject({ ok: false, total: { duplicated: 1, lost: 0, wrong: 0, statesDiffering: 0 } });

    const [key, field, state] = await storedState(`{${app}:${topics.ticks}:`);
    state[state.length - 1] ^= 1;
    await redis.call('HSET', [key, field, state]);
    const changed = await audit();
    expect(changed.code).toBe(1);
    expect(changed.report.total).toMatchObject({ duplicated: 1, statesDiffering: 1 });
    const examples = changed.report.partitions.flatMap((partition) => partition.examples);
    expect(examples).toContainEqual(expect.objectContaining({ kind: 'state', stream: field.subarray(1).toString() }));
  }, 60_000);

  it('says in one line what it cannot do', async () => {
    for (const [args, given, text] of [
      [['audit', '--topic', 'other'], env, 'other is no input topic'],
      [['audit', '--since', 'x'], env, 'Expected an integer'],
      [['audit'], {}, 'RIVERRUN_MODE=distributed'],
    ] as const) {
      const { code, stdout, stderr } = await runCli(args, { env: given });
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(stderr).toContain(text);
    }
  });

  async function storedState(prefix: string): Promise<[key: string, field: Buffer, state: Buffer]> {
    for (const partition of [0, 1])
      for (let bucket = 0; bucket < 256; bucket++) {
        const key = `${prefix}${partition}}:s:${bucket}`;
        const [field, state] = (await redis.call('HGETALL', [key])) as Buffer[];
        if (field !== undefined) return [key, field, state];
      }
    throw new Error('no state is stored');
  }
});
