/** `riverrun state` in distributed mode: states in Redis, offsets in Kafka, real servers. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DistributedApp, ticksOf } from '../support/distributed.js';
import { produce, readCommitted } from '../support/kafka-clients.js';
import { describeWithServers } from '../support/servers/use.js';

interface View {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly ticks: number;
  readonly offset: number;
  readonly value: number;
}

const STREAMS = 7;
const TICKS = 140;

await describeWithServers(['kafka', 'redis'], 'riverrun state, distributed', () => {
  let app: DistributedApp;

  beforeAll(async () => {
    app = await DistributedApp.start('state', 3);
    await app.take(ticksOf(TICKS, STREAMS));
  }, 120_000);
  afterAll(() => app.end());

  /** Until states stand where the log does. */
  const saved = async (): Promise<void> =>
    expect
      .poll(async () => (await list()).reduce((sum, { ticks }) => sum + ticks, 0), { timeout: 15_000 })
      .toBeGreaterThanOrEqual(TICKS);
  const list = async (): Promise<View[]> => (await app.json<{ streams: View[] }>('state', 'ls')).json.streams;
  const partitionOf = async (stream: string): Promise<View> => (await list()).find(({ id }) => id === stream)!;

  it('lists every stream of every partition, page by page, beside the service', async () => {
    await saved();
    const seen: View[] = [];
    let cursor: string | null = null;
    do {
      const args: string[] = cursor === null ? [] : ['--cursor', cursor];
      const { code, json } = await app.json<{ streams: View[]; cursor: string | null }>(
        ...['state', 'ls', '--limit', '2', ...args],
      );
      expect(code).toBe(0);
      expect(json.streams.length).toBeLessThanOrEqual(2);
      seen.push(...json.streams);
      cursor = json.cursor;
    } while (cursor !== null);
    expect(seen.map(({ id }) => id).sort()).toEqual(Array.from({ length: STREAMS }, (_, i) => `s${i}`));
    for (const view of seen) expect(view).toMatchObject({ ticks: TICKS / STREAMS, topic: app.topics.ticks });
    const { stdout } = await app.cli('state', 'ls', '--limit', '1');
    expect(stdout).toMatch(/^STREAM +TICKS .*\ns\d /);
  }, 60_000);

  it('shows one, or says that there is none', async () => {
    const { json } = await app.json<View>('state', 'show', 's3');
    expect(json).toMatchObject({ id: 's3', ticks: 20, value: Math.sin(136 / 9), pipeline: 'default' });
    const none = await app.cli('state', 'show', 'nobody');
    expect(none).toMatchObject({ code: 1, stdout: '' });
    expect(none.stderr).toMatch(/^riverrun: STREAM_NOT_FOUND: .*"nobody"\n$/);
  }, 60_000);

  it('has a stream start over, by a control record in its own partition', async () => {
    const { partition } = await partitionOf('s4');
    const { code, json } = await app.json<object>('state', 'reset', 's4');
    expect(code).toBe(0);
    expect(json).toEqual({ stream: 's4', control: 'reset', topic: app.topics.ticks, partition });
    await expect.poll(async () => (await partitionOf('s4')).ticks, { timeout: 15_000 }).toBe(0);
    expect((await app.json<{ ok: boolean }>('audit')).json.ok).toBe(true);
  }, 60_000);

  it('has a partition start anew: only once nobody runs, only with --yes, and the service goes on from there', async () => {
    const { partition, offset } = await partitionOf('s1');
    const others = (await list()).filter((view) => view.partition !== partition).map(({ id }) => id);
    const from = offset - 1;
    const reset = ['state', 'reset', '--topic', app.topics.ticks, '--partition', String(partition)];
    const running = await app.cli(...reset, '--from', String(from), '--yes');
    expect(running).toMatchObject({ code: 1, stdout: '' });
    expect(running.stderr).toMatch(/^riverrun: GROUP_ACTIVE: 1 instance of .* is running: stop all of them first\n$/);
    await app.service.kill('SIGTERM');

    const unsure = await app.cli(...reset, '--from', String(from));
    expect(unsure).toMatchObject({ code: 2, stdout: '' });
    expect(unsure.stderr).toMatch(/^riverrun: the states of \d streams .* get a second outcome; --yes does it\n$/);
    const outside = await app.cli(...reset, '--from', '999', '--yes');
    expect(outside).toMatchObject({ code: 1 });
    expect(await list()).toHaveLength(STREAMS);

    // Copies of its states beside Redis go as well, those of others stay.
    const checkpoints = `${app.app}-state-changelog`;
    const [mine, theirs] = [`${app.topics.ticks}/${partition}/s/s1`, `other/${partition}/s/s1`];
    const copies = [mine, theirs].map((key) => ({ partition, key, value: 'a state' }));
    await produce(app.brokers, checkpoints, copies);
    expect((await app.cli(...reset, '--from', String(from), '--yes')).code).toBe(0);
    const left = new Map<string, Buffer | null>();
    for (const { key, value } of await readCommitted(app.brokers, checkpoints)) left.set(key!.toString(), value);
    expect([left.get(mine), left.get(theirs)?.toString()]).toEqual([null, 'a state']);
    expect((await list()).map(({ id }) => id).sort()).toEqual(others.sort());
    await app.service.start();
    await expect.poll(async () => (await partitionOf('s1'))?.offset, { timeout: 30_000 }).toBe(offset);
    const { json } = await app.json<{ partitions: { partition: number; from: number; wrong: number; lost: number }[] }>(
      'audit',
    );
    // The records that were gone through twice have two outcomes; the second ones are right.
    expect(json.partitions[partition]).toMatchObject({ from, lost: 0 });
  }, 120_000);

  it('says in one line what is wrong with a command', async () => {
    for (const [args, text] of [
      [['reset'], 'needs either a stream, or --topic'],
      [['reset', 's1', '--partition', '1'], 'takes either a stream, or'],
      [['reset', '--topic', 'x', '--partition', '1', '--from', '0'], 'x is no input topic'],
      [['reset', '--topic', app.topics.ticks, '--partition', '9', '--from', '0'], 'has partitions 0 to 2'],
      [['ls', '--cursor', 'x'], 'x is no cursor'],
    ] as const) {
      const { code, stdout, stderr } = await app.cli('state', ...args);
      expect(stderr).toContain(text);
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(stdout).toBe('');
      expect(code).toBeGreaterThan(0);
    }
  }, 60_000);
});
