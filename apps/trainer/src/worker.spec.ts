import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { trainInWorker } from '#training/train-in-worker';
import { train } from '#training/train';
import type { TrainProgress, TrainRequest } from '#training/train.types';

const WORKER = new URL('../../../dist/apps/trainer/src/worker.js', import.meta.url);
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
const inline = (code: string): URL => new URL(`data:text/javascript,${encodeURIComponent(code)}`);
/** Of every thread of this process. */
const niceness = (): number[] =>
  readdirSync('/proc/self/task').map((id) => {
    const stat = readFileSync(`/proc/self/task/${id}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });
const workers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;

describe.skipIf(!existsSync(WORKER))('the training worker (needs dist/: npm run build:ts)', () => {
  it('gives what training on this thread gives, tells of its progress, and takes the windows with it', async () => {
    const before = workers();
    const progress: TrainProgress[] = [];
    const moved = windows(4);
    const result = await trainInWorker(WORKER, request({ windows: moved }), {
      onProgress: (p) => {
        progress.push(p);
        expect(workers()).toBeGreaterThan(before);
      },
    });
    const here = await train(request());
    expect(result.weights).toEqual(here.weights);
    expect(result.network).toEqual(here.network);
    expect(progress.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(moved.every(({ length }) => length === 0)).toBe(true);
    expect(workers()).toBe(before);
  });

  it.runIf(process.platform === 'linux')(
    'gives way to ticks: its thread has the lowest priority, the one that waits its own',
    async () => {
      const nice: number[][] = [];
      await trainInWorker(WORKER, request(), { onProgress: () => nice.push(niceness()) });
      expect(nice.length).toBeGreaterThan(0);
      // Threads that a backend begins have its priority too.
      for (const seen of nice) expect(seen).toContain(19);
      expect(getPriority()).toBeLessThan(19);
    },
  );

  it('leaves windows that share a buffer with others where they are', async () => {
    const pool = new Float64Array(windows(1)[0].length + 2).fill(7);
    pool.set(windows(1)[0]);
    await trainInWorker(WORKER, request({ windows: [pool.subarray(0, pool.length - 2)], epochs: 1 }));
    expect(pool.at(-1)).toBe(7);
  });

  it('reports errors with their code', async () => {
    await expect(trainInWorker(WORKER, request({ windows: [] }))).rejects.toMatchObject({
      code: 'TRAINING_FAILED',
      message: expect.stringContaining('Nothing to train on') as string,
    });
  });

  it('stops within a batch when aborted', async () => {
    const before = workers();
    const controller = new AbortController();
    let cancelledAt = 0;
    const training = trainInWorker(WORKER, request({ windows: windows(64), hidden: 32, epochs: 1000 }), {
      onProgress: () => {
        cancelledAt ||= performance.now();
        controller.abort();
      },
      signal: controller.signal,
    });
    await expect(training).rejects.toMatchObject({ code: 'TRAINING_FAILED', message: 'Training was cancelled' });
    expect(performance.now() - cancelledAt).toBeLessThan(900);
    expect(workers()).toBe(before);
    await expect(trainInWorker(WORKER, request(), { signal: controller.signal })).rejects.toThrow('before it began');
  });

  it('leaves the event loop of the thread that waits alone: delay p99 under 20 ms', async () => {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    await sleep(200);
    delay.enable();
    const result = await trainInWorker(WORKER, request({ windows: windows(12), hidden: 16, epochs: 40 }));
    delay.disable();
    const p99 = delay.percentile(99) / 1e6;
    console.log(`event loop delay while training: p99 ${p99.toFixed(1)} ms over ${delay.count} samples`);
    expect(result.record.epochs).toBeGreaterThan(5);
    // The histogram holds intervals of its 1 ms timer, so a loop that never waits shows about 1.
    expect(p99 - 1).toBeLessThan(20);
  });
});

describe('trainInWorker', () => {
  it('rejects and leaves no thread when the worker crashes, ends without a word, or ignores a cancel', async () => {
    const before = workers();
    const waiting = `import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => { MESSAGE });`;
    const crash = inline(waiting.replace('MESSAGE', `throw new Error('out of luck')`));
    await expect(trainInWorker(crash, request())).rejects.toMatchObject({
      code: 'TRAINING_FAILED',
      message: 'The training thread crashed: out of luck',
    });
    const silent = inline(waiting.replace('MESSAGE', 'process.exit(3)'));
    await expect(trainInWorker(silent, request())).rejects.toThrow('ended with code 3 and without a result');
    await expect(trainInWorker(new URL('file:///no/such/worker.js'), request())).rejects.toMatchObject({
      code: 'TRAINING_FAILED',
    });
    const deaf = inline(waiting.replace('MESSAGE', 'for (;;);'));
    await expect(trainInWorker(deaf, request(), { signal: AbortSignal.timeout(200) })).rejects.toThrow('cancelled');
    await vi.waitFor(() => expect(workers()).toBe(before));
  });
});
