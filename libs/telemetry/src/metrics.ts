/** What the service counts, in the few calls it makes for each batch. The registry is injected: tests and several services in one process have their own. */
import { collectDefaultMetrics, type Counter, type Registry } from 'prom-client';
import { OutcomeKind, type DeadLetterCode, type OutcomeBatch } from '#domain/outcome';
import { defineMetrics, type Instruments } from './definitions.js';

export interface BuildInfo {
  readonly version: string;
  /** Memory, event loop, garbage collection of the process; default true. */
  readonly defaults?: boolean | undefined;
}

export interface BatchFigures {
  /** ms since 1970 */
  readonly committedAt: number;
  /** Seconds by stage, such as decode, load, step, publish, save. */
  readonly stages?: Readonly<Record<string, number>> | undefined;
}

export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  /** end - c */
  readonly consumer?: number | undefined;
  /** c - W */
  readonly state?: number | undefined;
}

export interface ModelInUse {
  readonly name: string;
  readonly version: number | string;
  /** champion, challenger, … */
  readonly role: string;
}

/** Counts since the start; errors in units of each stream's scale. */
export interface ForecastTally {
  readonly truths: number;
  readonly mixed: number;
  readonly persistence: number;
  readonly seasonalNaive: number;
  readonly statistical: number;
  readonly network: number;
  readonly networkTruths: number;
  readonly intervals: number;
  readonly held: number;
  readonly drifts: number;
}

/** `model` is what was served, the network and the baselines together. */
const PREDICTORS = [
  ['mixed', 'model'],
  ['network', 'network'],
  ['persistence', 'persistence'],
  ['seasonalNaive', 'seasonal_naive'],
  ['statistical', 'statistical'],
] as const;

const SUCCESSES: ReadonlySet<string> = new Set(['activated', 'challenging', 'rejected']);

const CODES: readonly DeadLetterCode[] = [
  'MALFORMED',
  'KEY_MISMATCH',
  'STREAM_ID',
  'TIMESTAMP',
  'VALUE',
  'TOKEN',
  'TOO_LARGE',
  'LATE',
  'DUPLICATE',
  'TOMBSTONE',
];

export function createMetrics(registry: Registry, { version, defaults = true }: BuildInfo): Metrics {
  if (defaults) collectDefaultMetrics({ register: registry });
  return new Metrics(defineMetrics(registry), version);
}

export class Metrics {
  /** By pipeline: the process's gauges are their sums. */
  private readonly hot = new Map<string, { readonly streams: number; readonly bytes: number }>();
  private readonly models = new Map<string, readonly ModelInUse[]>();

  constructor(
    private readonly instruments: Instruments,
    version: string,
  ) {
    instruments.buildInfo.set({ version, node_version: process.version }, 1);
    // A rate needs the zero before the first one.
    for (const code of CODES) instruments.deadLetters.inc({ code }, 0);
    // "Never" is no moment in 1970.
    instruments.lastCommit.remove();
    instruments.lastTrainingSuccess.remove();
  }

  /** A batch whose outcomes are committed. */
  batch(outcomes: OutcomeBatch, { committedAt, stages }: BatchFigures): void {
    const { records, kinds, deadLetters } = outcomes;
    const { instruments } = this;
    let predictions = 0;
    for (let i = 0; i < records.count; i++) if (kinds[i] === OutcomeKind.prediction) predictions++;
    instruments.ticks.inc(records.count);
    instruments.predictions.inc(predictions);
    instruments.batchRecords.observe(records.count);
    instruments.tickLatency.observeSince(records.timestamps, records.count, committedAt);
    instruments.lastCommit.set(committedAt / 1000);
    if (deadLetters.size > 0) {
      const byCode = new Map<string, number>();
      for (const { code } of deadLetters.values()) byCode.set(code, (byCode.get(code) ?? 0) + 1);
      for (const [code, count] of byCode) instruments.deadLetters.inc({ code }, count);
    }
    for (const stage in stages) this.stage(stage, stages[stage]);
  }

  stage(stage: string, seconds: number): void {
    this.instruments.batchStages.observe({ stage }, Math.max(0, seconds));
  }

  lag({ topic, partition, consumer, state }: PartitionLag): void {
    const labels = { topic, partition: String(partition) };
    if (consumer !== undefined) this.instruments.consumerLag.set(labels, consumer);
    if (state !== undefined) this.instruments.stateLag.set(labels, state);
  }

  hotStates(pipeline: string, streams: number, bytes: number): void {
    this.hot.set(pipeline, { streams, bytes });
    let [allStreams, allBytes] = [0, 0];
    for (const one of this.hot.values()) {
      allStreams += one.streams;
      allBytes += one.bytes;
    }
    this.instruments.hotStreams.set(allStreams);
    this.instruments.hotBytes.set(allBytes);
  }

  /** `source`: store, new, warm-up, … */
  stateLoads(source: string, count: number): void {
    if (count > 0) this.instruments.stateLoads.inc({ source }, count);
  }

  recovered(seconds: number): void {
    this.instruments.recoveryDuration.observe(seconds);
  }

  rebalanced(): void {
    this.instruments.rebalances.inc();
  }

  /** `outcome`: committed, failed. */
  transaction(outcome: string, seconds: number): void {
    this.instruments.transactions.inc({ outcome });
    this.stage('commit', seconds);
  }

  redisCommand(command: string, seconds: number): void {
    this.instruments.redisCommands.observe({ command }, seconds);
  }

  /** A pipeline, or a share of one, that no longer runs here. */
  forget(pipeline: string): void {
    this.hotStates(pipeline, 0, 0);
    this.hot.delete(pipeline);
    this.modelsInUse(pipeline, []);
    this.models.delete(pipeline);
  }

  /** All models the pipeline now uses. */
  modelsInUse(pipeline: string, models: readonly ModelInUse[]): void {
    this.models.set(pipeline, models);
    this.instruments.modelInfo.reset();
    for (const { name, version, role } of [...this.models.values()].flat()) {
      this.instruments.modelInfo.set({ name, version: String(version), role }, 1);
    }
  }

  modelSwapped(): void {
    this.instruments.modelSwaps.inc();
  }

  /** `outcome`: activated, challenging, rejected, failed, abandoned; a rejected challenger is a training that succeeded. `finishedAt` in seconds since 1970. */
  trainingAttempt(outcome: string, seconds: number, finishedAt: number): void {
    this.instruments.trainingAttempts.inc({ outcome });
    this.instruments.trainingDuration.observe(seconds);
    if (SUCCESSES.has(outcome)) this.instruments.lastTrainingSuccess.set(finishedAt);
  }

  /** Forecasts whose truths have come between two readings of a pipeline's tally. */
  forecasts(before: ForecastTally, now: ForecastTally, level: number): void {
    const since = (field: keyof ForecastTally): number => now[field] - before[field];
    this.errors(before, now, this.instruments.evaluations, this.instruments.scaledError);
    const held = since('held');
    const intervals = since('intervals');
    if (intervals > 0) {
      const labels = { level: String(level) };
      this.instruments.intervals.inc({ ...labels, outcome: 'held' }, held);
      this.instruments.intervals.inc({ ...labels, outcome: 'missed' }, intervals - held);
    }
    const drifts = since('drifts');
    if (drifts > 0) this.instruments.drifts.inc(drifts);
  }

  /** The same of a canary's streams, which are in that too. */
  canaryForecasts(before: ForecastTally, now: ForecastTally): void {
    this.errors(before, now, this.instruments.canaryEvaluations, this.instruments.canaryScaledError);
  }

  private errors(
    before: ForecastTally,
    now: ForecastTally,
    evaluations: Counter<'predictor'>,
    scaledError: Counter<'predictor'>,
  ): void {
    for (const [field, predictor] of PREDICTORS) {
      const counted = field === 'network' ? 'networkTruths' : 'truths';
      const count = now[counted] - before[counted];
      const error = now[field] - before[field];
      // Raw models are held against persistence only.
      if (count <= 0 || !Number.isFinite(error) || (now[field] === 0 && field !== 'mixed')) continue;
      evaluations.inc({ predictor }, count);
      scaledError.inc({ predictor }, error);
    }
  }
}
