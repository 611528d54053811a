import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { trainInProcess } from '#training/train-in-process';
import { train } from '#training/train';
import type { TrainProgress, TrainRequest } from '#training/train.types';

const DIST = new URL('../../../dist/', import.meta.url);
const TRAINER = new URL('apps/trainer/src/main.js', DIST);
const windows = (streams: number, rows = 512): Float64Array[] =>
  Array.from({ length: streams }, (_, s) =>
    Float64Array.from({ length: 2 * rows }, (_, i) => (i % 2 === 0 ? i : Math.sin((i / 2) * (0.2 + 0.02 * s)))),
  );
const request = (changes: Partial<TrainRequest> = {}): TrainRequest => ({
  windows: windows(4),
  inputs: 1,
  ...{ horizon: 1, season: 0, timeZone: 'UTC', level: 0.9 },
  cell: 'gru',
  hidden: 8,
  seed: 1,
  epochs: 4,
  ...changes,
});
const folder = mkdtempSync(join(tmpdir(), 'riverrun-trainer-'));
afterAll(() => rmSync(folder, { recursive: true }));
let scripts = 0;
const script = (code: string): URL => {
  const path = join(folder, `${++scripts}.mjs`);
  writeFileSync(path, code);
  return pathToFileURL(path);
};
/** Another process that trains. */
const startParent = (code: string, env: Record<string, string> = {}): ChildProcessByStdio<null, Readable, Readable> => {
  const lib = new URL('libs/training/src/train-in-process.js', DIST);
  const path = fileURLToPath(script(`import { trainInProcess } from '${lib.href}';\n${code}`));
  return spawn(process.execPath, [path], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
};
/** What one line of /proc says of a process or thread from its third field, the state, on. */
const statOf = (path: string): string[] => {
  const stat = readFileSync(`${path}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
};
const childrenOf = (parent: number): number[] =>
  (process.platform === 'linux' ? readdirSync('/proc') : []).map(Number).filter((pid) => {
    try {
      return Number(statOf(`/proc/${pid}`)[1]) === parent;
    } catch {
      return false;
    }
  });
const onLinux = it.runIf(process.platform === 'linux');
const hasChrt = (process.env.PATH ?? '').split(delimiter).some((path) => existsSync(join(path, 'chrt')));
/** The test runner has processes of its own. */
const trainers = (): number =>
  childrenOf(process.pid).filter((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return (
        command.includes(folder) || command.includes('riverrun-trainer') || command.includes('/trainer/src/main.js')
      );
    } catch {
      return false;
    }
  }).length;

describe.skipIf(!existsSync(TRAINER))('the training process (needs dist/: npm run build:ts)', () => {
  it('gives what training on this thread gives, and tells of its progress', async () => {
    const progress: TrainProgress[] = [];
    const running: number[] = [];
    const given = windows(4);
    const result = await trainInProcess(TRAINER, request({ windows: given }), {
      onProgress: (p) => {
        progress.push(p);
        running.push(trainers());
      },
    });
    const here = await train(request());
    expect(result.weights).toEqual(here.weights);
    expect(result.network).toEqual(here.network);
    expect(result.record.validation).toEqual(here.record.validation);
    expect(progress.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(given).toEqual(windows(4));
    // It may have ended when the last message is read.
    if (process.platform === 'linux') expect(Math.max(...running)).toBe(1);
    expect(trainers()).toBe(0);
  });

  onLinux('gives way to ticks: all its threads have the lowest priority, the process that waits its own', async () => {
    const threadsAt = async (load: number): Promise<string[][]> => {
      const threads: string[][] = [];
      await trainInProcess(TRAINER, request(), {
        load,
        onProgress: () => {
          for (const pid of childrenOf(process.pid))
            for (const id of readdirSync(`/proc/${pid}/task`)) threads.push(statOf(`/proc/${pid}/task/${id}`));
        },
      });
      return threads;
    };
    const [alone, crowded] = [await threadsAt(0.5), await threadsAt(2)];
    // V8's are some of them.
    for (const { length } of [alone, crowded]) expect(length).toBeGreaterThan(8);
    expect(new Set([...alone, ...crowded].map((fields) => fields[16]))).toEqual(new Set(['19']));
    // SCHED_IDLE is 5, SCHED_OTHER 0.
    if (hasChrt) expect(new Set(alone.map((fields) => fields[38]))).toEqual(new Set(['5']));
    expect(new Set(crowded.map((fields) => fields[38]))).toEqual(new Set(['0']));
    expect(getPriority()).toBeLessThan(19);
  });

  it('takes windows that share a buffer with others', async () => {
    const [window] = windows(1);
    const pool = new Float64Array(window.length + 4).fill(7);
    pool.set(window, 2);
    const some = request({ windows: [pool.subarray(2, window.length + 2)], epochs: 1 });
    expect((await trainInProcess(TRAINER, some)).weights).toEqual((await train(some)).weights);
  });

  onLinux('is gone soon after its parent was killed', async () => {
    const endless = request({ windows: [], hidden: 32, epochs: 1e6, budgetSeconds: 600 });
    const parent = startParent(`
      const windows = Array.from({ length: 64 }, () => Float64Array.from({ length: 1024 }, (_, i) => (i % 2 ? Math.sin(i) : i)));
      await trainInProcess(new URL('${TRAINER.href}'), { ...${JSON.stringify(endless)}, windows }, {
        onProgress: ({ epoch }) => console.log(epoch),
      });`);
    // In the middle of its batches, from where it does not return to its event loop.
    await once(parent.stdout, 'data');
    const children = childrenOf(parent.pid!);
    expect(children).toHaveLength(1);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await vi.waitFor(() => expect(existsSync(`/proc/${children[0]}`)).toBe(false), { timeout: 10_000, interval: 50 });
  });

  onLinux('leaves it to its parent what becomes of it when both are told to stop', async () => {
    let told = 0;
    const result = await trainInProcess(TRAINER, request(), {
      onProgress: () => {
        for (const pid of told++ === 0 ? childrenOf(process.pid) : [])
          for (const signal of ['SIGINT', 'SIGTERM'] as const) process.kill(pid, signal);
      },
    });
    expect(told).toBe(8);
    expect(result.stopped).toBe('epochs');
  });

  it('reports errors with their code', async () => {
    await expect(trainInProcess(TRAINER, request({ windows: [] }))).rejects.toMatchObject({
      code: 'TRAINING_FAILED',
      message: expect.stringContaining('Nothing to train on') as string,
    });
  });

  it('ends at once when aborted', async () => {
    const controller = new AbortController();
    let cancelledAt = 0;
    const training = trainInProcess(TRAINER, request({ windows: windows(64), hidden: 32, epochs: 1000 }), {
      onProgress: () => {
        cancelledAt ||= performance.now();
        controller.abort();
      },
      signal: controller.signal,
    });
    await expect(training).rejects.toMatchObject({ code: 'TRAINING_FAILED', message: 'Training was cancelled' });
    expect(performance.now() - cancelledAt).toBeLessThan(900);
    expect(trainers()).toBe(0);
    await expect(trainInProcess(TRAINER, request(), { signal: controller.signal })).rejects.toThrow('before it began');
  });

  it('leaves the event loop of the thread that waits alone: delay p99 under 20 ms', async () => {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    await sleep(200);
    delay.enable();
    const result = await trainInProcess(TRAINER, request({ windows: windows(12), hidden: 16, epochs: 40 }));
    delay.disable();
    const p99 = delay.percentile(99) / 1e6;
    console.log(`event loop delay while training: p99 ${p99.toFixed(1)} ms over ${delay.count} samples`);
    expect(result.record.epochs).toBeGreaterThan(5);
    // The histogram holds intervals of its 1 ms timer, so a loop that never waits shows about 1.
    expect(p99 - 1).toBeLessThan(20);
  });
});

describe.skipIf(!existsSync(TRAINER))('trainInProcess', () => {
  afterEach(() => vi.useRealTimers());
  const onMessage = (code: string): URL => script(`process.on('message', () => { ${code} });`);

  it('rejects and leaves no process when it crashes, ends without a word, or ignores everything', async () => {
    await expect(trainInProcess(onMessage('process.exit(3)'), request())).rejects.toMatchObject({
      code: 'TRAINING_FAILED',
      message: 'The training process ended with code 3 and without a result',
    });
    await expect(trainInProcess(onMessage('process.abort()'), request())).rejects.toThrow('was ended by SIGABRT');
    await expect(trainInProcess(new URL('file:///no/such/main.js'), request())).rejects.toMatchObject({
      code: 'TRAINING_FAILED',
    });
    vi.spyOn(process, 'execPath', 'get').mockReturnValue('/no/such/node');
    await expect(trainInProcess(onMessage(''), request())).rejects.toMatchObject({
      code: 'TRAINING_FAILED',
      message: expect.stringContaining('ENOENT') as string,
    });
    vi.restoreAllMocks();
    const deaf = onMessage('for (;;);');
    await expect(trainInProcess(deaf, request(), { signal: AbortSignal.timeout(500) })).rejects.toThrow('cancelled');
    expect(trainers()).toBe(0);
  });

  it('ends a process that is long overdue', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const training = trainInProcess(onMessage('for (;;);'), request({ budgetSeconds: 10 }));
    vi.advanceTimersByTime(49_000);
    if (process.platform === 'linux') expect(trainers()).toBe(1);
    vi.advanceTimersByTime(1_000);
    await expect(training).rejects.toThrow('did not come back in time');
  });

  it('has its own flags, and prints nothing on standard output', async () => {
    const printing = onMessage(`
      console.log(JSON.stringify([process.execArgv, process.env.NODE_OPTIONS ?? null]));
      console.error('a complaint');
      process.exit();`);
    const parent = startParent(
      `await trainInProcess(new URL('${printing.href}'), { windows: [] }).catch(({ code }) => console.log(code));`,
      { NODE_OPTIONS: '--max-old-space-size=999' },
    );
    let [out, err] = ['', ''];
    parent.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    parent.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    await once(parent, 'close');
    expect(out).toBe('TRAINING_FAILED\n');
    expect(err).toBe('[["--max-old-space-size=192","--max-semi-space-size=2"],null]\na complaint\n');
  });

  it('hands 16 MB over without holding the event loop up', async () => {
    const big = Array.from({ length: 256 }, () => new Float64Array(2 * 4096).fill(1));
    const reading = onMessage(`
      let bytes = 0;
      process.stdin.on('data', (chunk) => (bytes += chunk.length));
      process.stdin.on('end', () => process.send({ type: 'error', code: 'SEEN', message: String(bytes) }, () => process.exit()));`);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    const training = trainInProcess(reading, request({ windows: big }));
    // Without the start of a process, of which this says nothing.
    await sleep(1);
    delay.enable();
    await expect(training).rejects.toMatchObject({ code: 'SEEN', message: String(256 * 2 * 4096 * 8) });
    delay.disable();
    console.log(`event loop delay while 16 MB are handed over: at most ${(delay.max / 1e6).toFixed(1)} ms`);
    expect(delay.max / 1e6).toBeLessThan(50);
  });
});
