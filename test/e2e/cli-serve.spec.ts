/** The command line and the service it starts, together: ticks in, a model swapped in beside it, a trace that is exact. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '#domain/model-digest';
import { encodeModelFile } from '../../apps/cli/src/models/model-file.js';
import { runCli, startCli, type Finished } from '../support/run-cli.js';
import { gruSpec, modelOf, randomWeights } from '../support/models.js';

const folder = mkdtempSync(join(tmpdir(), 'riverrun-cli-'));
const env = { RIVERRUN_DATA_DIR: join(folder, 'data') };
let service: ChildProcess;
let url = '';
let output = '';

beforeAll(async () => {
  service = startCli(['serve'], { env: { ...env, PORT: '0', RIVERRUN_DEMO: 'off', RIVERRUN_RETRAIN_INTERVAL: 'off' } });
  for (const stream of [service.stdout!, service.stderr!])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  for (let i = 0; url === '' && service.exitCode === null && i < 300; i++) {
    await sleep(100);
    url = /is at (http:\/\/[^"\s]+)/.exec(output)?.[1] ?? '';
  }
  expect(url, output).not.toBe('');
}, 40_000);

afterAll(() => {
  service.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]): Promise<Finished> => runCli(args, { cwd: folder, env });

describe('riverrun beside its service', () => {
  it('replays, swaps a model in within a second or so, traces, resets, stops', { timeout: 60_000 }, async () => {
    const rows = Array.from({ length: 300 }, (_, i) => `${1_700_000_000 + 60 * i},${Math.sin(i / 5).toFixed(4)}`);
    writeFileSync(join(folder, 'sine.csv'), ['time,value', ...rows.slice(0, 200)].join('\n'));
    writeFileSync(join(folder, 'rest.csv'), ['time,value', ...rows.slice(200)].join('\n'));
    const replay = (file: string, ...more: string[]): Promise<Finished> =>
      run('replay', file, '--url', url, '--time-column', 'time', '--value-column', 'value', '--json', ...more);
    expect(JSON.parse((await replay('sine.csv')).stdout)).toMatchObject({ ticks: 200, predictions: 200, rejected: 0 });
    // Once more: every tick is late or a duplicate now, and is reported with its line.
    const again = await replay('sine.csv');
    expect(again.code).toBe(3);
    expect(JSON.parse(again.stdout)).toMatchObject({ predictions: 0, rejectedByCode: { DUPLICATE: 1, LATE: 199 } });

    const network = gruSpec(8);
    const weights = randomWeights(network, 3);
    const { manifest } = modelOf(network, 1, { name: 'gru' });
    const file = encodeModelFile({ manifest: { ...manifest, digest: digestOf(manifest, weights) }, weights });
    writeFileSync(join(folder, 'gru.json'), file);
    expect(await run('model', 'import', 'gru.json', '--activate')).toMatchObject({
      code: 0,
      stdout: 'gru@1 is imported and serves pipeline default\n',
    });
    for (let i = 0; !output.includes('gru@1') && i < 50; i++) await sleep(100);
    expect(output).toContain('gru@1');

    writeFileSync(
      join(folder, 'stream.csv'),
      ['id,time,value', ...rows.slice(200).map((row) => `sine,${row}`)].join('\n'),
    );
    expect((await replay('stream.csv', '--stream-column', 'id')).code).toBe(0);
    const shown = JSON.parse((await run('state', 'show', 'sine', '--url', url, '--json')).stdout) as object;
    expect(shown).toMatchObject({ id: 'sine', ticks: 300, source: 'model' });
    const traced = await run('trace', 'sine', '--url', url, '--limit', '5', '--json');
    expect(JSON.parse(traced.stdout)).toMatchObject({ stream: 'sine', model: 'gru@1', exact: true });
    expect(
      (JSON.parse(traced.stdout) as { rows: { step: number; memory: number[] }[] }).rows.map(({ step, memory }) => [
        step,
        memory.length,
      ]),
    ).toEqual([296, 297, 298, 299, 300].map((step) => [step, 8]));
    expect((await run('state', 'reset', 'sine', '--url', url)).stdout).toBe('sine starts over\n');
    expect((await run('state', 'ls', '--url', url)).stdout).toMatch(/^STREAM .*\nsine /);

    service.kill('SIGTERM');
    expect(await once(service, 'exit')).toEqual([0, null]);
  });
});
