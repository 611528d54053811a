/** A pipeline over memory adapters, fed and read by a test. */
import type { ModelArtifact } from '#domain/model';
import { OutcomeKind, type OutcomeBatch } from '#domain/outcome';
import { DEFAULT_PIPELINE, type PipelineSpec } from '#domain/pipeline-spec';
import { RecordBatchBuilder, type RecordBatch } from '#domain/record-batch';
import { RiverrunError } from '#domain/errors';
import type { Canary } from '#domain/served';
import type { PipelineOptions } from '#pipeline/core';
import { Pipeline } from '#pipeline/pipeline';
import { MemoryStateStore } from '#adapters/memory/memory-state-store';
import { MemoryTickLog } from '#adapters/memory/memory-tick-log';
import { seeded } from './models.js';

export interface TickJson {
  stream: string;
  ts?: number;
  value?: number | null;
  values?: unknown;
  token?: string | number;
  control?: string;
}

export function recordsOf(ticks: readonly (TickJson | string)[], topic = 'ticks'): RecordBatch {
  const builder = new RecordBatchBuilder();
  const utf8 = new TextEncoder();
  for (const tick of ticks)
    builder.add(null, utf8.encode(typeof tick === 'string' ? tick : JSON.stringify(tick)), 1_700_000_000_000);
  return builder.build(topic, 0, 0);
}

export interface Outcome {
  readonly json?: Record<string, unknown>;
  readonly code?: string;
}

export function outcomeAt(batch: OutcomeBatch, i: number): Outcome {
  if (batch.kinds[i] === OutcomeKind.deadLetter) return { code: batch.deadLetters.get(i)!.code };
  const text = new TextDecoder().decode(batch.bytes.subarray(batch.start[i], batch.end[i]));
  return { json: JSON.parse(text) as Record<string, unknown> };
}

export const outcomesOf = (batch: OutcomeBatch): Outcome[] =>
  Array.from({ length: batch.records.count }, (_, i) => outcomeAt(batch, i));

export class TestPipeline {
  log = new MemoryTickLog({ retain: true });
  states = new MemoryStateStore({ windowSegments: 32 });
  readonly models = new Map<string, ModelArtifact>();
  pipeline!: Pipeline;

  constructor(
    readonly spec: PipelineSpec = DEFAULT_PIPELINE,
    readonly options: Partial<PipelineOptions> = {},
  ) {}

  /** Opens, or opens again over the same log and store as after a crash. */
  async open(): Promise<this> {
    const findModel = (digest: string): Promise<ModelArtifact> => {
      const model = this.models.get(digest);
      return model === undefined
        ? Promise.reject(new RiverrunError('MODEL_NOT_FOUND', digest))
        : Promise.resolve(model);
    };
    const ports = { log: this.log, states: this.states, windows: this.states };
    this.pipeline = await Pipeline.open(this.spec, ports, findModel, { hotStreams: 64, maxBatch: 64, ...this.options });
    return this;
  }

  async swap(model: ModelArtifact, canary?: Canary<ModelArtifact>): Promise<void> {
    for (const known of [model, ...(canary === undefined ? [] : [canary.model])])
      this.models.set(known.manifest.digest, known);
    await this.pipeline.swapModel(model, canary);
  }

  /** Appends the ticks and takes them through. */
  async feed(...ticks: (TickJson | string)[]): Promise<Outcome[]> {
    if (ticks.length === 0) return [];
    await this.log.append(recordsOf(ticks));
    return this.take(ticks.length);
  }

  /** Takes `count` records through. */
  async take(count: number): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    while (outcomes.length < count) outcomes.push(...outcomesOf((await this.pipeline.next())!.outcomes));
    return outcomes;
  }
}

/** Ticks of several streams, some of them late, double, missing or broken. */
export function mixedTicks(seed: number, count: number, streams = 5): (TickJson | string)[] {
  const random = seeded(seed);
  const clocks = new Map<string, number>();
  return Array.from({ length: count }, () => {
    const stream = `s${Math.floor(random() * streams)}`;
    const kind = random();
    const ts = (clocks.get(stream) ?? 1000) + (kind < 0.05 ? -500 : kind < 0.1 ? 0 : 1000);
    if (kind >= 0.1) clocks.set(stream, ts);
    if (kind > 0.98) return '{broken';
    if (kind > 0.97) return { stream, control: 'reset' };
    return { stream, ts, value: kind > 0.94 ? null : Math.round(100 * (Math.sin(ts / 7000) + random())) / 100 };
  });
}

/** The same, each stream of which leaves out some ticks now and then. */
export function withSilences(seed: number, ticks: readonly (TickJson | string)[]): (TickJson | string)[] {
  const random = seeded(seed);
  const late = new Map<string, number>();
  return ticks.map((tick) => {
    if (typeof tick === 'string' || tick.ts === undefined) return tick;
    const behind = (late.get(tick.stream) ?? 0) + (random() < 0.04 ? 1000 * Math.ceil(40 * random()) : 0);
    late.set(tick.stream, behind);
    return { ...tick, ts: tick.ts + behind };
  });
}

/** Feeds the ticks in chunks of so many. */
export async function run(
  pipeline: TestPipeline,
  ticks: readonly (TickJson | string)[],
  chunk: () => number,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let at = 0; at < ticks.length;) {
    const size = Math.max(1, chunk());
    outcomes.push(...(await pipeline.feed(...ticks.slice(at, at + size))));
    at += size;
  }
  return outcomes;
}

/** Live hidden state and figures of every stream, by name. */
export async function finalStates(pipeline: TestPipeline): Promise<unknown> {
  await pipeline.pipeline.flush();
  const { streams } = await pipeline.pipeline.list(undefined, 100);
  const traces = await Promise.all(streams.map(({ id }) => pipeline.pipeline.trace(id, 1)));
  return streams.map((view, k) => [view, traces[k]]);
}
