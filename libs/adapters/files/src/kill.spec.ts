/** Processes that are killed, and processes that meet in one folder. The children run the sources, bundled. */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DataDir } from './data-dir.js';
import { FileModelRegistry } from './file-model-registry.js';
import { FileStateStore } from './file-state-store.js';
import { FileTickLog } from './file-tick-log.js';
import { gruSpec, randomWeights } from '../../../../test/support/models.js';

const root = mkdtempSync(join(tmpdir(), 'riverrun-kill-'));
const script = join(root, 'child.mjs');
const children: ChildProcess[] = [];
beforeAll(() => {
  buildSync({
    entryPoints: [join(import.meta.dirname, 'kill.child.ts')],
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
    logLevel: 'error',
  });
});
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

function start(...args: string[]): { child: ChildProcess; messages: unknown[]; ended: Promise<void> } {
  const child = fork(script, args, { execArgv: [] });
  children.push(child);
  const messages: unknown[] = [];
  child.on('message', (message) => void messages.push(message));
  // 'close' and 'disconnect': everything the child sent has arrived.
  const ended = Promise.all(
    ['exit', 'disconnect'].map((event) => new Promise((resolve) => void child.once(event, resolve))),
  ).then(() => undefined);
  return { child, messages, ended };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe('a process that is killed', () => {
  it('loses nothing that was acknowledged, ten times over', async () => {
    const data = join(root, 'killed');
    let appended = 0;
    for (let round = 0; round < 10; round++) {
      const { child, messages, ended } = start('work', data);
      await until(() => messages.length > 20 + 30 * round);
      child.kill('SIGKILL');
      await ended;
      const last = messages.at(-1) as { end: number; committed: number; w: number };
      // At once, although the dead one's lock still lies there.
      const opening = performance.now();
      const folder = await DataDir.open(data);
      expect(performance.now() - opening).toBeLessThan(1000);
      const log = new FileTickLog(join(data, 'log'), { fileBytes: 50_000 });
      const position = await log.open();
      expect(position.end).toBeGreaterThanOrEqual(last.end);
      expect(position.committed).toBeGreaterThanOrEqual(last.committed);
      expect(position.end).toBeGreaterThan(appended);
      appended = position.end;
      await log.seek(position.start);
      for (let offset = position.start; offset < position.end;) {
        const batch = (await log.read(1000))!;
        for (let i = 0; i < batch.count; i++, offset++) {
          const value = Buffer.from(batch.bytes.subarray(batch.valueStart[i], batch.valueEnd[i])).toString();
          if (value !== `value ${offset}`) throw new Error(`offset ${offset} holds ${value}`);
        }
      }
      const store = new FileStateStore(join(data, 'states'), { fileBytes: 50_000 });
      const w = (await store.open())!.offset;
      expect(w).toBeGreaterThanOrEqual(last.w);
      expect(w).toBeLessThanOrEqual(position.committed);
      // Every commit writes its own offset into all states it touches and into 'clock': no half of one is ever seen.
      const { states } = await store.load(['clock']);
      expect(Buffer.from(states[0]!).readDoubleLE(0)).toBe(w);
      await log.close();
      await store.close();
      folder.close();
    }
  });

  it('leaves a lock that only one of many takes over, and a living one keeps it', async () => {
    const data = join(root, 'locked');
    const holder = start('hold', data);
    await until(() => holder.messages.length === 1);
    await expect(DataDir.open(data)).rejects.toMatchObject({ code: 'DATA_DIR' });
    holder.child.kill('SIGKILL');
    await holder.ended;
    const rivals = Array.from({ length: 4 }, () => start('hold', data));
    await until(() => rivals.every((rival) => rival.messages.length === 1));
    expect(rivals.map((rival) => rival.messages[0]).sort()).toEqual(['DATA_DIR', 'DATA_DIR', 'DATA_DIR', 'held']);
    for (const rival of rivals) rival.child.kill('SIGKILL');
  });
});

describe('processes that share a registry', () => {
  it('give out each version once and activate by compare-and-set', async () => {
    const folder = join(root, 'models');
    const network = gruSpec(2);
    const registry = new FileModelRegistry(folder);
    const draft = {
      name: 'tide',
      network,
      scaler: 'none' as const,
      target: 'value' as const,
      warmUp: 0,
      origin: 'imported' as const,
      pinned: false,
      createdAt: '2026-01-01T00:00:00Z',
    };
    await registry.publish(draft, randomWeights(network, 1));
    const workers = [1, 2].map((seed) => start('models', folder, String(seed)));
    await Promise.all(workers.map((worker) => worker.ended));
    const versions = workers.flatMap((worker) => (worker.messages[0] as { versions: number[] }).versions);
    expect(versions.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i + 2));
    // Each activation went from the champion it had seen: together they are one chain, so their number is that of the generations.
    const won = workers.reduce((sum, worker) => sum + (worker.messages[0] as { won: number }).won, 0);
    expect(won).toBe(40);
    for (const manifest of await registry.list()) await registry.load(manifest);
  });
});
