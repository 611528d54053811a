/** A write that was cut off or scrambled at any byte: the store opens as of before that write, or after it, and goes on. */
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RiverrunError } from '#domain/errors';
import type { Watermark } from '#domain/ports';
import { RecordBatchBuilder, valueOf, type RecordBatch } from '#domain/record-batch';
import { outcomesFor } from '../../../../test/contract/records.js';
import { FileStateStore } from './file-state-store.js';
import { FileTickLog } from './file-tick-log.js';

const root = mkdtempSync(join(tmpdir(), 'riverrun-torn-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const folder = (): string => mkdtempSync(join(root, 'f-'));
const newestFile = (path: string): string => join(path, readdirSync(path).sort().at(-1)!);
const options = { syncMs: 60_000 };

function batch(...values: string[]): RecordBatch {
  const builder = new RecordBatchBuilder();
  for (const value of values) builder.add(null, Buffer.from(value), 1);
  return builder.build('ticks', 0, 0);
}

async function logContent(path: string): Promise<string> {
  const log = new FileTickLog(path, options);
  try {
    const { start, committed, end } = await log.open();
    await log.seek(start);
    const values: string[] = [];
    while (values.length < end) {
      const got = (await log.read(100))!;
      for (let i = 0; i < got.count; i++) values.push(Buffer.from(valueOf(got, i)!).toString());
    }
    const letters = log.deadLetters(10).map((l) => l.offset);
    return JSON.stringify({ committed, values, letters, demo: await log.sourcePosition('demo') });
  } finally {
    await log.close();
  }
}

const mark = (offset: number): Watermark => ({ offset, model: null, layout: 'v' });

async function commit(store: FileStateStore, offset: number, ids: string[], fill: number): Promise<void> {
  const width = 1;
  await store.commit({
    expected: await store.open(),
    next: mark(offset),
    ids,
    handles: new Int32Array(ids.length),
    bytes: new Uint8Array(5 * ids.length).fill(fill),
    start: Int32Array.from(ids, (_, i) => 5 * i),
    end: Int32Array.from(ids, (_, i) => 5 * i + 5),
    segments: {
      count: 1,
      width,
      owner: Int32Array.of(0),
      sequence: Float64Array.of(offset - 1),
      rows: new Float64Array(16).fill(fill),
    },
  });
}

async function storeContent(path: string): Promise<string> {
  const store = new FileStateStore(path, options);
  try {
    const watermark = await store.open();
    const { ids } = await store.list(undefined, 100);
    const { states } = await store.load(ids);
    const windows = await store.read(ids);
    return JSON.stringify({ watermark, ids, states: states.map((s) => [...s!]), windows: windows.map((w) => [...w]) });
  } finally {
    await store.close();
  }
}

interface Case {
  readonly name: string;
  readonly prepare: (path: string) => Promise<void>;
  readonly last: (path: string) => Promise<void>;
  readonly content: (path: string) => Promise<string>;
  /** Works on after the damage. */
  readonly proceed: (path: string) => Promise<void>;
}

async function withLog(path: string, work: (log: FileTickLog) => Promise<unknown>): Promise<void> {
  const log = new FileTickLog(path, options);
  await log.open();
  await work(log);
  await log.close();
}
async function withStore(path: string, work: (store: FileStateStore) => Promise<unknown>): Promise<void> {
  const store = new FileStateStore(path, options);
  await store.open();
  await work(store);
  await store.close();
}

const prepareLog = (path: string): Promise<void> =>
  withLog(path, async (log) => {
    await log.append(batch('a', 'b', 'c'), { source: 'demo', position: '1' });
    await log.publish(outcomesFor((await log.read(2))!));
    await log.append(batch('d'));
  });

const cases: Case[] = [
  {
    name: 'append',
    prepare: prepareLog,
    last: (path) => withLog(path, (log) => log.append(batch('e', 'f'), { source: 'demo', position: '2' })),
    content: logContent,
    proceed: (path) => withLog(path, (log) => log.append(batch('later'))),
  },
  {
    name: 'publish',
    prepare: prepareLog,
    last: (path) => withLog(path, async (log) => log.publish(outcomesFor((await log.read(2))!))),
    content: logContent,
    proceed: (path) => withLog(path, (log) => log.append(batch('later'))),
  },
  {
    name: 'commit',
    prepare: (path) =>
      withStore(path, async (store) => {
        await commit(store, 1, ['a', 'b'], 1);
        await commit(store, 2, ['b', 'c'], 2);
      }),
    last: (path) => withStore(path, (store) => commit(store, 3, ['a', 'd'], 3)),
    content: storeContent,
    proceed: (path) => withStore(path, (store) => commit(store, 9, ['later'], 9)),
  },
];

describe.each(cases)('a torn $name', ({ prepare, last, content, proceed }) => {
  it('is taken back, wherever it was cut off or scrambled', async () => {
    const path = folder();
    await prepare(path);
    const file = newestFile(path);
    const from = statSync(file).size;
    const before = await content(path);
    await last(path);
    const whole = readFileSync(file);
    const after = await content(path);
    expect(after).not.toBe(before);
    const name = file.slice(path.length);
    const lastFrame = lastFrameIn(whole);
    for (let position = from; position < whole.length; position++) {
      const cut = folder();
      cpSync(path, cut, { recursive: true });
      truncateSync(join(cut, name), position);
      expect(await content(cut), `cut at ${position}`).toBe(before);
      if (position % 8 === 3) {
        await proceed(cut);
        expect(await content(cut)).toContain('later');
      }
      rmSync(cut, { recursive: true });

      const flipped = folder();
      cpSync(path, flipped, { recursive: true });
      const bytes = Buffer.from(whole);
      bytes[position] ^= 1 << (position % 8);
      writeFileSync(join(flipped, name), bytes);
      const got = await content(flipped).catch((error: unknown) => (error as RiverrunError).code);
      // In front of the last frame it is no torn write. Zeros that fill a frame up mean nothing.
      if (position < lastFrame) expect([after, 'DATA_CORRUPT'], `flipped at ${position}`).toContain(got);
      else expect([before, after], `flipped at ${position}`).toContain(got);
      rmSync(flipped, { recursive: true });
    }
    // Rubbish behind the last frame.
    writeFileSync(file, Buffer.concat([whole, Buffer.alloc(100, 0x52)]));
    expect(await content(path)).toBe(after);
  });
});

describe('damage in the middle', () => {
  it.each(cases)('$name: is refused, naming file and position', async ({ prepare, last, content }) => {
    const path = folder();
    await prepare(path);
    await last(path);
    const file = newestFile(path);
    const whole = readFileSync(file);
    // A CRC that does not match and a header that is none, in the first frame.
    for (const position of [20, 2]) {
      const bytes = Buffer.from(whole);
      bytes[position] ^= 4;
      writeFileSync(file, bytes);
      const error = await content(path).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(RiverrunError);
      expect(error).toMatchObject({ code: 'DATA_CORRUPT' });
      expect((error as Error).message).toContain(`${file} is damaged at position 0`);
      expect(readFileSync(file)).toEqual(bytes);
    }
  });
});

function lastFrameIn(bytes: Buffer): number {
  let at = 0;
  for (let next = 0; next < bytes.length; next += (16 + bytes.readUInt32LE(next + 4) + 7) & ~7) at = next;
  return at;
}
