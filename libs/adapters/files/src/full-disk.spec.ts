/** A disk that is full, for real and injected, and the data folder's other troubles. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RecordBatchBuilder, type RecordBatch } from '#domain/record-batch';
import { DataDir } from './data-dir.js';
import { FileStateStore } from './file-state-store.js';
import { FileTickLog } from './file-tick-log.js';
import { fileSystem } from './segment-file.js';

const cleanUp: (() => void)[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  for (const undo of cleanUp.splice(0).reverse()) undo();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'riverrun-full-'));
  cleanUp.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A small disk of its own; undefined where mounting is not possible. */
function mounted(...mountOptions: string[]): string | undefined {
  const path = folder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', mountOptions.join(','), 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  cleanUp.push(() => void execFileSync('umount', ['-l', path]));
  return path;
}

function batch(bytes: number): RecordBatch {
  const builder = new RecordBatchBuilder();
  builder.add(null, new Uint8Array(bytes).fill(65), 1);
  return builder.build('ticks', 0, 0);
}

const commit = async (store: FileStateStore, offset: number, streams: number, bytes: number): Promise<void> =>
  store.commit({
    expected: await store.open(),
    next: { offset, model: null, layout: 'v' },
    ids: Array.from({ length: streams }, (_, i) => `s${i}`),
    handles: new Int32Array(streams),
    bytes: new Uint8Array(streams * bytes).fill(offset),
    start: Int32Array.from({ length: streams }, (_, i) => i * bytes),
    end: Int32Array.from({ length: streams }, (_, i) => (i + 1) * bytes),
    segments: {
      count: 0,
      width: 1,
      owner: new Int32Array(0),
      sequence: new Float64Array(0),
      rows: new Float64Array(0),
    },
  });

describe('a full disk', () => {
  it('refuses appends, keeps what it has, and takes appends again once there is room', async (context) => {
    const disk = mounted('size=1m');
    context.skip(disk === undefined, 'no permission to mount a small disk here');
    const ballast = join(disk!, 'ballast');
    writeFileSync(ballast, new Uint8Array(300_000));
    const log = new FileTickLog(join(disk!, 'log'), { syncMs: 60_000 });
    await log.open();
    let appended = 0;
    const error = await (async () => {
      for (;;) {
        await log.append(batch(50_000));
        appended += 1;
      }
    })().catch((e: unknown) => e as Error & { code: string });
    expect(error).toMatchObject({ code: 'DATA_FULL' });
    expect(error.message).toMatch(/free space .*RIVERRUN_DATA_DIR/);
    expect(appended).toBeGreaterThan(5);
    rmSync(ballast);
    expect(await log.append(batch(50_000))).toBe(appended);
    await log.close();
    expect((await log.open()).end).toBe(appended + 1);
    await log.close();
  });

  it('takes back a commit of states that did not fit', async (context) => {
    const disk = mounted('size=8m');
    context.skip(disk === undefined, 'no permission to mount a small disk here');
    const store = new FileStateStore(join(disk!, 'states'), { syncMs: 60_000 });
    await store.open();
    await commit(store, 1, 1000, 400);
    await expect(commit(store, 2, 30_000, 400)).rejects.toMatchObject({ code: 'DATA_FULL' });
    expect((await store.load(['s7', 's20000'])).states).toEqual([new Uint8Array(400).fill(1), undefined]);
    expect((await store.open())!.offset).toBe(1);
    await commit(store, 3, 1000, 400);
    await store.close();
    expect((await store.open())!.offset).toBe(3);
    expect((await store.list(undefined, 5000)).ids).toHaveLength(1000);
    await store.close();
  });

  it('survives writes that stop anywhere, even where the remainder cannot be cut off', async () => {
    const path = folder();
    const store = new FileStateStore(path, { syncMs: 60_000 });
    await store.open();
    await commit(store, 1, 3, 10);
    const { write } = fileSystem;
    for (let room = 0; room < 200; room += 7) {
      const spy = vi.spyOn(fileSystem, 'write').mockImplementation(((
        fd: number,
        bytes: Uint8Array,
        at: number,
        n: number,
        to: number,
      ) => {
        if (spy.mock.calls.length > 1)
          throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
        return write(fd, bytes, at, Math.min(n, room), to);
      }) as typeof write);
      if (room % 2 === 0)
        vi.spyOn(fileSystem, 'truncate').mockImplementation(() => {
          throw Object.assign(new Error('EIO'), { code: 'EIO' });
        });
      await expect(commit(store, 100 + room, 4, 20)).rejects.toMatchObject({ code: 'DATA_FULL' });
      vi.restoreAllMocks();
      await commit(store, room + 2, 3, 10 + room);
    }
    await store.close();
    expect((await store.open())!.offset).toBe(198);
    await store.close();
  });
});

describe('the data folder', () => {
  const refusal = (path: string): Promise<unknown> => DataDir.open(path).catch((e: unknown) => e);
  const expectRefusal = async (path: string, what: RegExp): Promise<void> => {
    const error = await refusal(path);
    expect(error).toMatchObject({ code: 'DATA_DIR' });
    const { message } = error as Error;
    expect(message).toMatch(/^RIVERRUN_DATA_DIR: /);
    expect(message).toMatch(what);
    expect(message).not.toContain('\n');
  };

  it('is created, and opened again', async () => {
    const path = join(folder(), 'a', 'b');
    for (let i = 0; i < 2; i++) {
      const data = await DataDir.open(path);
      data.folder('default', 'log');
      data.close();
    }
  });

  it('is refused where a file is in the way', async () => {
    const file = join(folder(), 'file');
    writeFileSync(file, '');
    await expectRefusal(file, /is not a folder/);
    await expectRefusal(join(file, 'below'), /not a folder/);
  });

  it('is refused where it cannot be written', async (context) => {
    const disk = mounted('size=1m');
    context.skip(disk === undefined, 'no permission to mount a small disk here');
    mkdirSync(join(disk!, 'there'));
    execFileSync('mount', ['-o', 'remount,ro', disk!]);
    await expectRefusal(join(disk!, 'there'), /cannot be written: it is on a read-only file system/);
    await expectRefusal(join(disk!, 'new'), /cannot be created: it is on a read-only file system/);
  });

  it('is refused if another layout wrote it', async () => {
    const path = folder();
    writeFileSync(join(path, 'riverrun.json'), '{"layout":2}');
    await expectRefusal(path, /layout 2/);
    writeFileSync(join(path, 'riverrun.json'), '{"lay');
    await expectRefusal(path, /damaged riverrun\.json/);
  });

  it('is held once', async () => {
    const path = folder();
    const data = await DataDir.open(path);
    await expectRefusal(path, new RegExp(`in use by another riverrun \\(process ${process.pid}\\)`));
    data.close();
    (await DataDir.open(path)).close();
    const all = await Promise.allSettled(Array.from({ length: 5 }, () => DataDir.open(path)));
    expect(all.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
  });
});
