/** `replay --to kafka` against a real Kafka, as any other reader of the topic sees it. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createTopic, readCommitted } from '../support/kafka-clients.js';
import { jsonLines, runCli, type Finished } from '../support/run-cli.js';
import { describeWithServers, kafkaBrokers, uniqueName } from '../support/servers/use.js';

const PARTITIONS = 3;

/** The partition that Kafka's own Java client chooses; the hashes are those of its test of murmur2. */
const JAVA = new Map(
  [
    ['21', -973_932_308],
    ['foobar', -790_332_482],
    ['a-little-bit-long-string', -985_981_536],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58_897_971],
  ].map(([key, hash]) => [key as string, ((hash as number) & 0x7fffffff) % PARTITIONS]),
);

await describeWithServers(['kafka'], 'riverrun replay --to kafka', () => {
  const replay = async (rows: string, args: string[], env: Record<string, string> = {}): Promise<Finished> => {
    const file = join(mkdtempSync(join(tmpdir(), 'riverrun-replay-')), 'rows.csv');
    writeFileSync(file, `id,time,temp,load\n${rows}`);
    const columns = ['--stream-column', 'id', '--time-column', 'time', '--value-column', 'temp,load'];
    return runCli(['replay', file, ...columns, ...args], {
      env: { KAFKA_BROKERS: (await kafkaBrokers()).join(','), ...env },
    });
  };

  it("publishes a file's ticks in order, a stream's to the partition the Java clients choose", async () => {
    const topic = uniqueName('replay');
    await createTopic(await kafkaBrokers(), topic, PARTITIONS);
    const ids = [...JAVA.keys()];
    const rows = Array.from({ length: 5000 }, (_, i) => `${ids[i % ids.length]},${i},${i === 2 ? '' : i / 4},1`);
    const { code, stdout, stderr } = await replay([...rows, 'broken'].join('\n'), ['--json', '--to', 'kafka'], {
      RIVERRUN_TICKS_TOPIC: `${topic},other`,
    });
    expect([code, jsonLines(stderr).map((r) => r.code)]).toEqual([3, ['MALFORMED']]);
    const { predictions, ...summary } = JSON.parse(stdout) as Record<string, unknown>;
    expect(predictions).toBeUndefined();
    expect(summary).toMatchObject({ topic, ticks: 5000, rejected: 1, rejectedByCode: { MALFORMED: 1 } });
    const records = await readCommitted(await kafkaBrokers(), topic, { until: 5000 });
    expect(records).toHaveLength(5000);
    for (const [k, id] of ids.entries()) {
      const own = records.filter(({ key }) => String(key) === id);
      expect(new Set(own.map(({ partition }) => partition))).toEqual(new Set([JAVA.get(id)]));
      expect(own.map(({ value }) => JSON.parse(String(value)) as unknown)).toEqual(
        Array.from({ length: 5000 / ids.length }, (_, j) => {
          const i = j * ids.length + k;
          return { stream: id, ts: i * 1000, values: { temp: i === 2 ? null : i / 4, load: 1 } };
        }),
      );
    }
  });

  it('is where ticks go in distributed mode, at the recorded pace', async () => {
    const topic = uniqueName('replay');
    await createTopic(await kafkaBrokers(), topic);
    const { code, stdout } = await replay('a,0,1,1\na,30,2,1\na,60,3,1', ['--topic', topic, '--speed', '60'], {
      RIVERRUN_MODE: 'distributed',
      REDIS_URL: 'redis://127.0.0.1:1',
    });
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^3 ticks, 0 rejected in /)]);
    const [first, second, third] = await readCommitted(await kafkaBrokers(), topic, { until: 3 });
    // Half a second each, but a busy machine may start late.
    expect(second.timestamp - first.timestamp).toBeGreaterThan(100);
    expect(third.timestamp - second.timestamp).toBeGreaterThan(100);
  });

  it('says in one line what is missing', async () => {
    const args = ['--to', 'kafka', '--topic', uniqueName('never')];
    expect(await replay('a,0,1,1', args)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^riverrun: KAFKA_TOPIC: there is no topic \S+ at .*\n$/) as string,
    });
    expect(await replay('a,0,1,1', args, { KAFKA_BROKERS: '127.0.0.1:1' })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^riverrun: KAFKA_UNREACHABLE: .*\n$/) as string,
    });
    expect(await replay('a,0,1,1', args, { KAFKA_BROKERS: '' })).toMatchObject({
      code: 2,
      stderr: 'riverrun: --to kafka needs KAFKA_BROKERS, as host:port\n',
    });
  });
});
