/** `riverrun prove` on real servers, across a model swap, and on a data folder. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileModelRegistry } from '#adapters/files/file-model-registry';
import type { Proof } from '../../apps/cli/src/prove/proof.js';
import { DistributedApp, ticksOf } from '../support/distributed.js';
import { gruSpec, modelOf } from '../support/models.js';
import { runCli } from '../support/run-cli.js';
import { Service } from '../support/service.js';
import { describeWithServers } from '../support/servers/use.js';

const STREAMS = 4;

await describeWithServers(['kafka', 'redis'], 'riverrun prove, distributed', () => {
  let app: DistributedApp;
  let models: string[];

  beforeAll(async () => {
    app = await DistributedApp.start('prove', 2);
    models = [await app.serve(1)];
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await app.take(ticksOf(200, STREAMS));
    models.push(await app.serve(2));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await app.take(ticksOf(200, STREAMS, 200));
  }, 120_000);
  afterAll(() => app.end());

  it('replays a stream to its last record: outcome and state are the same to the bit', async () => {
    const answers = (await app.answers()).filter(({ key }) => key!.toString() === 's1');
    const { offset, model } = JSON.parse(answers.at(-1)!.value!.toString()) as { offset: number; model: string };
    expect(model).toBe(models[1]);
    const { code, json } = await app.json<Proof>('prove', 's1', String(offset));
    expect(json).toMatchObject({ ok: true, from: 0, model, outcome: { same: true }, state: { same: true } });
    expect(json.state).toMatchObject({ offset, storedOffset: offset });
    expect(json.outcome.found).toBe(answers.at(-1)!.value!.toString());
    expect(code).toBe(0);
  }, 60_000);

  it('compares the outcome alone where the stored state has gone on, and says so', async () => {
    const answer = (await app.answers()).filter(({ key }) => key!.toString() === 's2')[30].value!.toString();
    const { offset } = JSON.parse(answer) as { offset: number };
    const { code, json } = await app.json<Proof>('prove', 's2', String(offset));
    expect(json).toMatchObject({ ok: true, outcome: { same: true, found: answer }, state: { same: null } });
    expect(json.notes.join()).toContain('not to be compared');
    expect(code).toBe(0);
    const told = await app.cli('prove', 's2', String(offset));
    expect(told.stdout).toContain('the same to the bit');
  }, 60_000);

  it('the audit agrees, across the swap', async () => {
    const { code, json } = await app.json<{ ok: boolean; total: object }>('audit');
    expect(json).toMatchObject({ ok: true, total: { records: 400, wrong: 0, statesCompared: STREAMS } });
    expect(code).toBe(0);
  }, 60_000);

  it('sees a state that was changed', async () => {
    const answers = (await app.answers()).filter(({ key }) => key!.toString() === 's3');
    const { offset } = JSON.parse(answers.at(-1)!.value!.toString()) as { offset: number };
    const [bucket] = await bucketsOf('s3');
    const state = (await app.redis.call('HGET', [bucket, Buffer.from('us3')])) as Buffer;
    state[state.length - 2] ^= 1;
    await app.redis.call('HSET', [bucket, Buffer.from('us3'), state]);
    const { code, json } = await app.json<Proof>('prove', 's3', String(offset));
    expect(json).toMatchObject({ ok: false, outcome: { same: true }, state: { same: false } });
    expect(code).toBe(1);
  }, 60_000);

  it('says where the record is not', async () => {
    const { code, stdout, stderr } = await app.cli('prove', 'nobody', '3');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^riverrun: RECORD_NOT_FOUND: no partition has a record of nobody at offset 3; there is .+\n$/,
    );
  }, 60_000);

  async function bucketsOf(stream: string): Promise<string[]> {
    const found: string[] = [];
    for (const partition of [0, 1])
      for (let bucket = 0; bucket < 256; bucket++) {
        const key = `{${app.app}:${app.topics.ticks}:${partition}}:s:${bucket}`;
        if ((await app.redis.call('HEXISTS', [key, `u${stream}`])) === 1) found.push(key);
      }
    return found;
  }
});

describe('riverrun prove, embedded', () => {
  const service = new Service();
  afterAll(() => service.end());
  const prove = async (...args: string[]) =>
    runCli(['prove', ...args], { env: { RIVERRUN_DATA_DIR: service.dataDir, RIVERRUN_DEMO: 'off' } });

  it('replays the data folder, across a swap, once the service has stopped', async () => {
    const registry = new FileModelRegistry(join(service.dataDir, 'models'));
    const lines = ticksOf(60, 2).map(({ value }) => value as string);
    for (const [seed, from] of [
      [1, 0],
      [2, 30],
    ]) {
      const { manifest, weights } = modelOf(gruSpec(4), seed);
      const { version: _, digest: __, format: ___, ...draft } = manifest;
      await registry.activate('default', await registry.publish(draft, weights));
      await service.start();
      await service.post(lines.slice(from, from + 30).join('\n'), { type: 'application/x-ndjson' });
      if (from === 0) await service.kill('SIGTERM');
    }
    const busy = await prove('s1', '59');
    expect(busy.code).toBe(1);
    expect(busy.stderr).toMatch(/in use by another riverrun/);
    await service.kill('SIGTERM');
    const { stdout, code } = await prove('s1', '59', '--json');
    const proof = JSON.parse(stdout) as Proof;
    expect(proof).toMatchObject({ ok: true, model: 'test@2', outcome: { same: null }, state: { same: true } });
    expect(code).toBe(0);
    expect((await prove('s0', '59')).stderr).toContain('is of "s1", not of s0');
    expect((await prove('s0', '99')).stderr).toContain('holds offsets 0 to 59');
  }, 60_000);
});
