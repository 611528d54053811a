/** One measurement of the embedded pipeline in a process of its own: JSON bytes in to JSON bytes out over the durable store, GRU-32, raw; or with HORIZON as a
 *  forecaster: baselines, mixture and intervals for so many steps, and a challenger beside it (GRU-32 too) unless CHALLENGER is 0.
 *  node dist/test/bench/pipeline-run.js STREAMS TICKS_PER_STREAM BATCH [HORIZON [CHALLENGER]]   prints one JSON document. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelArtifact } from '#domain/model';
import { FEATURES } from '#forecasting/forecast-plan';
import { DEFAULT_PIPELINE } from '#domain/pipeline-spec';
import { FileStateStore } from '#adapters/files/file-state-store';
import { FileTickLog } from '#adapters/files/file-tick-log';
import { Pipeline } from '#pipeline/pipeline';
import { createNetwork } from '#rnn/network';
import { gruSpec, modelOf } from '../support/models.js';
import { tickBatch } from '../support/tick-batches.js';

const [streams, ticks, batchSize, horizon = 0, beside = 1] = process.argv.slice(2).map(Number);

function modelFor(seed: number): ModelArtifact {
  const raw = gruSpec(32);
  if (horizon === 0) return modelOf(raw, seed);
  const readOut = { type: 'dense', units: horizon, activation: 'linear', useBias: true } as const;
  const forecast = { horizon, season: 0, timeZone: 'UTC' };
  return modelOf({ inputSize: FEATURES, layers: [raw.layers[0], readOut] }, seed, { scaler: 'standard', forecast });
}
const model = modelFor(1);

function kernelAlone(): number {
  const network = createNetwork(model.manifest.network, model.weights, { capacity: 1000, maxWave: 1000 });
  for (let i = 0; i < 1000; i++) network.slots[i] = i;
  for (let k = 0; k < 200; k++) network.step(1000);
  const start = process.cpuUsage();
  for (let k = 0; k < 300; k++) network.step(1000);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 300_000;
}

const anonymousMb = (): number =>
  Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? NaN) / 1024;

const folder = mkdtempSync(join(tmpdir(), 'riverrun-bench-'));
const log = new FileTickLog(join(folder, 'log'), { retainBytes: 1 << 28 });
const states = new FileStateStore(join(folder, 'states'), { windowSegments: 32 });
const pipeline = await Pipeline.open(
  { ...DEFAULT_PIPELINE, horizon: Math.max(1, horizon) },
  { log, states, windows: states },
  () => Promise.reject(new Error('no such model')),
  {
    hotStreams: Math.max(1 << 16, 2 ** Math.ceil(Math.log2(streams * 1.01))),
    hotBytes: 2 ** 36,
    maxBatch: batchSize,
  },
);
await pipeline.swapModel(model);
if (horizon > 0 && beside === 1) await pipeline.challenge(modelFor(2));

const total = streams * ticks;
const stages: Record<string, number> = {};
const laps: number[] = [];
let cpu = 0;
let wall = 0;
let bytesOut = 0;
let peak = 0;
for (let done = 0; done < total;) {
  const records = tickBatch(streams, done, Math.min(batchSize, total - done));
  const startCpu = process.cpuUsage();
  const start = performance.now();
  await log.append(records);
  const result = (await pipeline.next())!;
  if (done + records.count === total) await pipeline.flush();
  wall += performance.now() - start;
  const used = process.cpuUsage(startCpu);
  cpu += used.user + used.system;
  laps.push((used.user + used.system) / records.count);
  for (const [stage, seconds] of Object.entries({ ...result.stages, save: result.saveSeconds }))
    stages[stage] = (stages[stage] ?? 0) + (seconds * 1e6) / total;
  bytesOut += result.outcomes.bytes.length;
  done += result.outcomes.records.count;
  peak = Math.max(peak, anonymousMb());
}
const kernel = kernelAlone();
await log.close();
await states.close();
rmSync(folder, { recursive: true });

const mean = (part: readonly number[]): number => part.reduce((a, b) => a + b, 0) / part.length;
const fifth = Math.max(1, Math.floor(laps.length / 5));
process.stdout.write(
  JSON.stringify({
    streams,
    horizon,
    ticks: total,
    batchSize,
    ticksPerSecond: Math.round((total / wall) * 1000),
    cpuMicrosPerTick: cpu / total,
    kernelMicros: kernel,
    timesKernel: cpu / total / kernel,
    lastFifthOverSecond: mean(laps.slice(-fifth)) / mean(laps.slice(fifth, 2 * fifth)),
    bytesOutPerTick: bytesOut / total,
    anonymousMb: Math.round(peak),
    stages,
  }) + '\n',
);
