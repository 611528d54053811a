/** States as a file: back into their log, into another mode, over more partitions. Real servers. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FileModelRegistry } from '#adapters/files/file-model-registry';
import { RedisModelRegistry } from '#adapters/redis/redis-model-registry';
import { DistributedApp, ticksOf } from '../support/distributed.js';
import { kafkaClient } from '../support/kafka-clients.js';
import { runCli } from '../support/run-cli.js';
import { Service, temporaryFolder } from '../support/service.js';
import { describeWithServers } from '../support/servers/use.js';

interface View {
  readonly id: string;
  readonly partition: number;
  readonly ticks: number;
}
interface Audit {
  readonly ok: boolean;
  readonly total: Record<string, number>;
  readonly partitions: readonly { readonly notes: readonly string[] }[];
}

const STREAMS = 9;

await describeWithServers(['kafka', 'redis'], 'riverrun state export and import', () => {
  const file = join(temporaryFolder(), 'states.ndjson');
  let app: DistributedApp;
  const list = async (): Promise<View[]> => (await app.json<{ streams: View[] }>('state', 'ls')).json.streams;
  const ticks = async (): Promise<number> => (await list()).reduce((sum, view) => sum + view.ticks, 0);

  beforeAll(async () => {
    app = await DistributedApp.start('transfer', 2);
    await app.serve(1);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await app.take(ticksOf(40 * STREAMS, STREAMS));
  }, 120_000);
  afterAll(() => app.end());

  it('exports beside the service, and the file is checked when it is read', async () => {
    await expect.poll(ticks, { timeout: 15_000 }).toBe(40 * STREAMS);
    const { code, json } = await app.json<object>('state', 'export', file);
    expect(json).toEqual({ pipeline: 'default', file, streams: STREAMS });
    expect(code).toBe(0);
    const running = await app.cli('state', 'import', file);
    expect(running.stderr).toMatch(/^riverrun: GROUP_ACTIVE: .*\n$/);
    const text = readFileSync(file, 'utf8');
    for (const [damaged, why] of [
      [text.slice(0, -20), 'not JSON'],
      [text.split('\n').slice(0, -3).join('\n'), 'is cut off'],
      [text.replace('"stream":"s3"', '"stream":"x3"'), 'checksum differs'],
      ['{}', 'no file of states'],
    ]) {
      writeFileSync(`${file}.bad`, damaged);
      const { code: failed, stderr } = await app.cli('state', 'import', `${file}.bad`, '--replace');
      expect(stderr).toContain(why);
      expect(failed).toBe(1);
    }
  }, 60_000);

  it('goes into an embedded service, which goes on with the very same prediction', async () => {
    await app.service.kill('SIGTERM');
    const service = new Service();
    try {
      const env = { RIVERRUN_DATA_DIR: service.dataDir, RIVERRUN_DEMO: 'off' };
      const registry = new RedisModelRegistry(app.redis, { app: app.app });
      const files = new FileModelRegistry(join(service.dataDir, 'models'));
      const { manifest, weights } = await registry.load({ name: 'm' });
      const { version: _, digest: __, format: ___, ...draft } = manifest;
      await files.activate('default', await files.publish(draft, weights));
      const imported = await runCli(['state', 'import', file, '--json'], { env });
      expect(JSON.parse(imported.stdout)).toMatchObject({ streams: STREAMS, adopted: true });
      expect(imported.stderr).toBe('');
      await service.start();
      const [tick] = ticksOf(1, STREAMS, 40 * STREAMS);
      const { json } = await service.post(tick.value as string);
      await app.service.start();
      await app.ready();
      const answers = await app.take([tick]);
      const last = answers.map(({ value }) => JSON.parse(value!.toString()) as { stream: string; ts: number });
      const { offset: _o, ...there } = last.filter(({ stream }) => stream === 's0').at(-1) as unknown as {
        offset: number;
      };
      expect(json).toMatchObject(there);
      expect(there).toMatchObject({ source: 'model', model: 'm@1' });
    } finally {
      await service.end();
    }
  }, 120_000);

  it('goes back into its own log: the service replays what came since, and the audit finds nothing amiss', async () => {
    await app.take(ticksOf(20 * STREAMS, STREAMS, 40 * STREAMS + 1));
    await app.service.kill('SIGTERM');
    const there = await app.cli('state', 'import', file);
    expect(there.stderr).toMatch(/^riverrun: STATES_EXIST: 9 streams .*--replace .*\n$/);
    const { json } = await app.json<object>('state', 'import', file, '--replace');
    expect(json).toMatchObject({ streams: STREAMS, adopted: false });
    expect(await ticks()).toBe(40 * STREAMS);
    await app.service.start();
    await app.ready();
    await expect.poll(ticks, { timeout: 15_000 }).toBe(60 * STREAMS + 1);
    const { json: report } = await app.json<Audit>('audit');
    expect(report).toMatchObject({ ok: true, total: { wrong: 0, statesCompared: STREAMS } });
  }, 120_000);

  it('repartition moves every stream to where its ticks come from now', async () => {
    await app.service.kill('SIGTERM');
    expect((await app.cli('repartition')).stderr).toContain('no topic has changed');
    const admin = kafkaClient(app.brokers).admin();
    await admin.connect();
    const topicPartitions = Object.values(app.topics).map((topic) => ({ topic, count: 5 }));
    await admin.createPartitions({
      topicPartitions: [...topicPartitions, { topic: `${app.app}-state-changelog`, count: 5 }],
    });
    await admin.disconnect();
    const before = await list();
    const { code, json, stderr } = await app.json<{ topics: { moved: number }[] }>(
      ...['repartition', '--backup', join(temporaryFolder(), 'backup')],
    );
    expect(stderr).toBe('');
    expect(json.topics).toMatchObject([{ before: 2, now: 5, streams: STREAMS, unprocessed: 0 }]);
    expect(code).toBe(0);
    const after = await list();
    const place = (views: readonly View[]) => new Map(views.map(({ id, partition }) => [id, partition]));
    const moved = after.filter(({ id, partition }) => place(before).get(id) !== partition);
    expect(moved).toHaveLength(json.topics[0].moved);
    expect(moved.length).toBeGreaterThan(0);
    await app.service.start();
    await app.ready();
    await app.take(ticksOf(10 * STREAMS, STREAMS, 70 * STREAMS));
    await expect.poll(ticks, { timeout: 15_000 }).toBe(70 * STREAMS + 1);
    expect(await list()).toHaveLength(STREAMS);
    const { json: report } = await app.json<Audit>('audit');
    expect(report).toMatchObject({ ok: true, total: { lost: 0, records: 10 * STREAMS } });
    expect(report.partitions[0].notes.join()).toContain('its states were imported');
  }, 120_000);
});
