/** npm run bench:while-training: the tick path of the embedded pipeline while a model is trained beside it, against the same idle, in turns in one process:
 *  ticks per second as fast as it goes, and the time from append to outcome at 2,000 ticks/s. Forecasts of one step with intervals, GRU-64 as it is trained. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_PIPELINE } from '#domain/pipeline-spec';
import { FileStateStore } from '#adapters/files/file-state-store';
import { FileTickLog } from '#adapters/files/file-tick-log';
import { MemoryModelRegistry } from '#adapters/memory/memory-model-registry';
import { Pipeline } from '#pipeline/pipeline';
import { draftOf } from '#training/draft';
import { trainInProcess } from '#training/train-in-process';
import type { TrainRequest } from '#training/train.types';
import { tickBatch } from '../support/tick-batches.js';

const TRAINER = new URL('../../apps/trainer/src/main.js', import.meta.url);
const STREAMS = 1000;
const ROUNDS = 5;
const SECONDS = 5;
const RATE = 2000;
const PACE_MS = 10;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** 64 streams of 2,048 rows of a daily season and noise. */
const WINDOWS = Array.from({ length: 64 }, (_, s) =>
  Float64Array.from({ length: 2 * 2048 }, (_, i) =>
    i % 2 === 0 ? 1.7e12 + 36e5 * (i >> 1) : Math.sin((i >> 1) / 3.8 + s) + ((((i >> 1) * 7919) % 97) - 48) / 480,
  ),
);
const request: TrainRequest = {
  windows: WINDOWS,
  inputs: 1,
  ...{ horizon: 1, season: 0, timeZone: 'UTC', level: 0.9, cell: 'gru', hidden: 64, seed: 1 },
};

const folder = mkdtempSync(join(tmpdir(), 'riverrun-bench-'));
const log = new FileTickLog(join(folder, 'log'), { retainBytes: 1 << 28 });
const states = new FileStateStore(join(folder, 'states'), { windowSegments: 32 });
const pipeline = await Pipeline.open(DEFAULT_PIPELINE, { log, states, windows: states }, () =>
  Promise.reject(new Error('no such model')),
);
const first = await trainInProcess(TRAINER, { ...request, epochs: 2 });
const registry = new MemoryModelRegistry();
const published = await registry.publish(draftOf(first, 'bench', 1, Date.now()), first.weights);
await pipeline.swapModel(await registry.load(published));

let ticks = 0;
async function take(count: number): Promise<void> {
  await log.append(tickBatch(STREAMS, ticks, count));
  for (const end = ticks + count; ticks < end;) ticks += (await pipeline.next())!.outcomes.records.count;
}

/** Ticks per second. */
async function fast(): Promise<number> {
  const [from, start] = [ticks, performance.now()];
  while (performance.now() - start < 1000 * SECONDS) {
    await take(4096);
    // As the service's loop, which lets others have their turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return ((ticks - from) / (performance.now() - start)) * 1000;
}

/** ms from when a tick was due to when its outcome was there: 99 % of them are below. */
async function paced(): Promise<number> {
  const late: number[] = [];
  const start = performance.now();
  for (let due = start; due < start + 1000 * SECONDS; due += PACE_MS) {
    await sleep(Math.max(0, due - performance.now()));
    await take((RATE * PACE_MS) / 1000);
    late.push(performance.now() - due);
  }
  return late.sort((a, b) => a - b)[Math.floor(0.99 * late.length)];
}

/** While trainings follow one another. */
async function training<T>(measure: () => Promise<T>): Promise<T> {
  const end = new AbortController();
  const { signal } = end;
  const trainings = (async () => {
    while (!signal.aborted) await trainInProcess(TRAINER, request, { signal }).catch(() => undefined);
  })();
  await sleep(1000);
  const measured = await measure();
  end.abort();
  await trainings;
  return measured;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];
await fast();
const rounds = [];
for (let round = 0; round < ROUNDS; round++) {
  const [idle, idleP99] = [await fast(), await paced()];
  const [busy, busyP99] = [await training(fast), await training(paced)];
  rounds.push({ idle, busy, idleP99, busyP99 });
  process.stderr.write(`round ${round + 1} of ${ROUNDS}\n`);
}
await log.close();
await states.close();
rmSync(folder, { recursive: true });
const report = {
  rounds,
  throughputRatio: median(rounds.map(({ idle, busy }) => busy / idle)),
  p99Ratio: median(rounds.map(({ idleP99, busyP99 }) => busyP99 / idleP99)),
};
process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
