/** Compaction under a random workload: nothing changes but the size of the files. Retention of the log likewise. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SEGMENT_ROWS, type Watermark } from '#domain/ports';
import { batchOf, outcomesFor, plain } from '../../../../test/contract/records.js';
import { seeded } from '../../../../test/support/models.js';
import { FileStateStore } from './file-state-store.js';
import { FileTickLog } from './file-tick-log.js';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'riverrun-compact-'));
  folders.push(path);
  return path;
}
const sizeOf = (path: string): number =>
  readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0);

describe('compaction', () => {
  // hot: nearly all updates go to a few streams, and the cold majority must be carried along.
  it.each([
    ['evenly spread', 1],
    ['a hot few', 0.02],
  ])('keeps every stream and bounds the files: %s', async (_, hot) => {
    const path = folder();
    const FILE = 1 << 20;
    const options = { fileBytes: FILE, windowSegments: 2, syncMs: 50 };
    let store = new FileStateStore(path, options);
    let watermark = await store.open();
    const random = seeded(5);
    const STREAMS = 3000;
    const versions = new Map<number, number>();
    const segmentCounts = new Map<number, number>();
    for (let round = 1; round <= 400; round++) {
      const chosen = new Set<number>();
      for (let n = 0; n < 60; n++) chosen.add(Math.floor(random() * STREAMS * (round < 60 || n < 3 ? 1 : hot)));
      const keys = [...chosen];
      const next: Watermark = { offset: round, model: null, layout: 'v' };
      const bytes = new Uint8Array(400 * keys.length);
      keys.forEach((_key, i) => bytes.fill(round & 255, 400 * i, 400 * i + 400));
      const removed = keys.map((key) => key % 50 === 7 && random() < 0.5);
      const owners = keys.map((_key, i) => i).filter((i) => !removed[i] && round % 4 === 0);
      await store.commit({
        expected: watermark,
        next,
        ids: keys.map((key) => `stream ${key}`),
        handles: new Int32Array(keys.length),
        bytes,
        start: Int32Array.from(keys, (_key, i) => (removed[i] ? -1 : 400 * i)),
        end: Int32Array.from(keys, (_key, i) => (removed[i] ? -1 : 400 * i + 400)),
        segments: {
          count: owners.length,
          width: 1,
          owner: Int32Array.from(owners),
          sequence: Float64Array.from(owners, (i) => segmentCounts.get(keys[i]) ?? 0),
          rows: Float64Array.from({ length: owners.length * SEGMENT_ROWS }, (_row, k) => {
            const key = keys[owners[Math.floor(k / SEGMENT_ROWS)]];
            return key * 1000 + (segmentCounts.get(key) ?? 0);
          }),
        },
      });
      watermark = next;
      keys.forEach((key, i) => {
        if (!removed[i]) return void versions.set(key, round & 255);
        versions.delete(key);
        segmentCounts.delete(key);
      });
      for (const i of owners) segmentCounts.set(keys[i], (segmentCounts.get(keys[i]) ?? 0) + 1);
      if (round % 40 === 0) await new Promise((resolve) => setTimeout(resolve, 30));
      if (round % 100 === 0) {
        await store.close();
        store = new FileStateStore(path, options);
        expect(await store.open()).toEqual(watermark);
      }
    }
    const all = Array.from({ length: STREAMS }, (_key, key) => key);
    const ids = all.map((key) => `stream ${key}`);
    const { states } = await store.load(ids);
    const windows = await store.read(ids);
    for (const key of all) {
      const version = versions.get(key);
      expect(states[key] === undefined ? undefined : Buffer.from(states[key])).toEqual(
        version === undefined ? undefined : Buffer.alloc(400, version),
      );
      const count = segmentCounts.get(key) ?? 0;
      const kept = Array.from({ length: Math.min(2, count) }, (_s, k) => key * 1000 + count - Math.min(2, count) + k);
      expect([...windows[key]]).toEqual(kept.flatMap((value) => new Array<number>(SEGMENT_ROWS).fill(value)));
    }
    const { liveBytes } = store.size;
    await store.close();
    // 400 rounds wrote some 9 MB.
    expect(sizeOf(path)).toBeLessThan(3 * liveBytes + 2 * FILE);
  });
});

describe('retention of the log', () => {
  it('deletes files that c and W have passed, and nothing else; positions of sources stay', async () => {
    const path = folder();
    const options = { fileBytes: 2000, retainBytes: 10_000, syncMs: 60_000 };
    const log = new FileTickLog(path, options);
    await log.open();
    await log.append(batchOf([{ key: null, value: 'first', ts: 0 }]), { source: 'once', position: 'early' });
    const append = async (): Promise<void> => {
      const at = await log.append(batchOf([{ key: null, value: 'x'.repeat(300), ts: 1 }]));
      const batch = (await log.read(10))!;
      await log.publish(outcomesFor(batch));
      expect(batch.offsets[batch.count - 1]).toBe(at);
    };
    for (let i = 0; i < 100; i++) await append();
    // Nobody has said yet that states have absorbed anything.
    expect((await log.open()).start).toBe(0);
    log.releaseBelow(50);
    const { start } = await log.open();
    expect(start).toBeGreaterThan(10);
    expect(start).toBeLessThanOrEqual(50);
    log.releaseBelow(101);
    expect(sizeOf(path)).toBeGreaterThanOrEqual(10_000);
    await log.close();
    expect(sizeOf(path)).toBeLessThan(16_000);
    const position = await log.open();
    expect(position).toMatchObject({ committed: 101, end: 101 });
    expect(position.start).toBeGreaterThan(start);
    expect(await log.sourcePosition('once')).toBe('early');
    await expect(log.seek(position.start - 1)).rejects.toMatchObject({ code: 'LOG_RANGE' });
    await log.seek(position.start);
    expect(plain((await log.read(1))!)[0].offset).toBe(position.start);
    expect(log.deadLetters(2)).toMatchObject([
      { offset: 99, code: 'VALUE', key: null, ts: 1 },
      { offset: 96, message: 'refused 96 \u{1f30a}' },
    ]);
    await log.close();
  });

  it('counts beyond 2^31', async () => {
    const path = folder();
    const log = new FileTickLog(path, { syncMs: 60_000 });
    await log.open();
    const internal = log as unknown as { end: number; committed: number };
    internal.end = internal.committed = 2 ** 40;
    expect(await log.append(batchOf([{ key: 'k', value: 'v', ts: 1 }]))).toBe(2 ** 40);
    await log.close();
    expect(await log.open()).toEqual({ start: 2 ** 40, committed: 2 ** 40, end: 2 ** 40 + 1 });
    expect(plain((await log.read(5))!)[0]).toEqual({ key: 'k', value: 'v', ts: 1, offset: 2 ** 40 });
    await log.close();
  });
});
