/** Progressive validation of a forecaster over recorded streams, row by row in the file's order: forecast, wait for the truth, score, learn. Nothing is known
 *  before its row: not the season, not a scale, not a weight. */
import { FEATURES, ForecastPlan, PREDICTORS } from '#forecasting/forecast-plan';
import {
  halfWidth,
  intervalPlan,
  intervalPoolSize,
  intervalSize,
  learnInterval,
  learnIntervalPool,
  resetIntervalPool,
  resetIntervals,
  type IntervalPlan,
} from '#forecasting/intervals';
import { lagError } from '#forecasting/lag-error';
import { addScore, SCORE_FIELDS, scoresOf, type Scores } from '#forecasting/scores';
import { findSeason } from '#forecasting/season';
import { trainingRows, type TrainingRows } from '#forecasting/training-rows';
import { createNetwork } from '#rnn/network';
import type { Network } from '#rnn/network.types';
import type { NetworkSpec } from '#rnn/spec';
import { fitForecaster } from '#training/fit-forecaster';
import type { Cell } from '#training/train.types';

export interface BacktestOptions {
  readonly horizon: number;
  readonly season: number | 'auto';
  readonly timeZone: string;
  /** Rows of each stream that a training sees. */
  readonly window: number;
  /** Rows of a stream between trainings; 0: one training only. */
  readonly retrainEvery?: number | undefined;
  /** Rows of a stream before the first that is scored. */
  readonly evaluateFrom: number;
  readonly cell: Cell;
  readonly hidden: number;
  readonly seed: number;
}

/** One forecast and its truth, for the plot. */
export interface Point {
  readonly ts: number;
  readonly truth: number;
  readonly forecast: number;
  /** NaN until the interval is calibrated. */
  readonly lower: number;
  readonly upper: number;
}

export type Block = Omit<Scores, 'n'> & { readonly mase: number };

/** Of the 90 % interval: share of truths within, mean width, and mean Winkler score (width, and 2 / 0.1 times what a truth lies outside). */
export interface IntervalBlock {
  readonly coverage: number;
  readonly meanWidth: number;
  readonly winkler: number;
}

export interface BacktestResult {
  readonly season: number;
  readonly rows: number;
  readonly evaluated: number;
  readonly metrics: Record<'persistence' | 'seasonalNaive' | 'statistical', Block> & {
    readonly model: Block & IntervalBlock;
  };
  readonly retrains: number;
  readonly cpuSeconds: number;
}

/** First training: not before so many seasons, nor so many rows. */
const FIRST_SEASONS = 6;
const FIRST_ROWS = 512;
const LEAST_ROWS_BETWEEN = 336;
const MIXED = PREDICTORS.length;
const EPOCHS = { first: 60, again: 8 };
const RATE = { first: 0.005, again: 0.003 };
const LEVEL = 0.9;
/** Parts of a season whose errors may differ in size: a week of half hours in pieces of three hours. */
const MOST_PHASES = 56;

interface Stream {
  readonly index: number;
  /** [n, 2]: ts and value, the last `window` rows, and as many again before they are cut. */
  rows: number[];
  seen: number;
  state: Float64Array | undefined;
  interval: Float64Array;
  /** Half widths issued, by target row modulo H + 1. */
  halves: Float64Array;
  /** Values before the first scored one, for MASE. */
  readonly early: number[];
}

export class Backtest {
  private readonly streams = new Map<string, Stream>();
  private readonly sums = new Float64Array((MIXED + 1) * SCORE_FIELDS);
  private plan: ForecastPlan | undefined;
  private found: number | undefined;
  private intervals: IntervalPlan | undefined;
  private pool = new Float64Array();
  private readonly widths = { n: 0, covered: 0, width: 0, winkler: 0 };
  private network: Network | undefined;
  private spec: NetworkSpec | undefined;
  private weights: Float32Array | undefined;
  private readonly features = new Float32Array(FEATURES);
  private nextTraining: number;
  rows = 0;
  retrains = 0;
  trainingSeconds = 0;

  constructor(
    private readonly options: BacktestOptions,
    private readonly onPoint: (stream: string, point: Point) => void = () => undefined,
  ) {
    if (options.season !== 'auto') this.begin(options.season);
    this.nextTraining = this.firstTraining(options.season === 'auto' ? 0 : options.season);
  }

  async add(id: string, ts: number, value: number): Promise<void> {
    const stream = this.stream(id);
    this.rows += 1;
    if (stream.state !== undefined && stream.seen >= this.options.evaluateFrom) this.score(id, stream, ts, value);
    else stream.early.push(value);
    stream.seen += 1;
    stream.rows.push(ts, value);
    if (stream.rows.length >= 4 * this.options.window) stream.rows = stream.rows.slice(-2 * this.options.window);
    this.take(stream, stream.seen - 1, ts, value);
    if (stream.seen < this.nextTraining) return;
    if (this.options.season === 'auto') this.findSeason(stream);
    if (stream.seen >= this.nextTraining) await this.train(stream.seen);
  }

  result(): BacktestResult {
    const season = this.plan?.options.season ?? 0;
    const naive = mean([...this.streams.values()].map(({ early }) => lagError(Float64Array.from(early), season || 1)));
    const block = (k: number): Block => {
      const { n: _, ...scores } = scoresOf(this.sums, k * SCORE_FIELDS);
      return { ...scores, mase: scores.mae / naive };
    };
    const { n: scored, covered, width, winkler } = this.widths;
    return {
      season,
      rows: this.rows,
      evaluated: scoresOf(this.sums, MIXED * SCORE_FIELDS).n,
      metrics: {
        model: {
          ...block(MIXED),
          coverage: covered / scored,
          meanWidth: width / scored,
          winkler: winkler / scored,
        },
        persistence: block(PREDICTORS.indexOf('persistence')),
        seasonalNaive: block(PREDICTORS.indexOf(season > 0 ? 'seasonalNaive' : 'persistence')),
        statistical: block(PREDICTORS.indexOf('statistical')),
      },
      retrains: this.retrains,
      cpuSeconds: this.trainingSeconds,
    };
  }

  private stream(id: string): Stream {
    let stream = this.streams.get(id);
    if (stream === undefined) {
      stream = {
        index: this.streams.size,
        rows: [],
        seen: 0,
        state: undefined,
        interval: NONE,
        halves: NONE,
        early: [],
      };
      this.renew(stream);
      this.streams.set(id, stream);
      // A network has places for the streams it was made for.
      if (this.network !== undefined && stream.index >= this.network.capacity) this.serve(this.trainingRows());
    }
    return stream;
  }

  private renew(stream: Stream): void {
    if (this.plan === undefined) return;
    stream.state = new Float64Array(this.plan.size);
    this.plan.reset(stream.state);
    stream.interval = new Float64Array(intervalSize(this.intervals!));
    resetIntervals(this.intervals!, stream.interval, 0);
    stream.halves = new Float64Array(this.options.horizon + 1).fill(NaN);
  }

  private begin(season: number): void {
    const { horizon, timeZone } = this.options;
    // A season shorter than the horizon says the same as its multiple.
    const whole = season === 0 ? 0 : season * Math.ceil(horizon / season);
    this.plan = new ForecastPlan({ horizon, season: whole, timeZone });
    this.intervals = intervalPlan({ steps: 1, level: LEVEL, phases: Math.min(whole, MOST_PHASES) });
    this.pool = new Float64Array(intervalPoolSize(this.intervals));
    resetIntervalPool(this.intervals, this.pool);
  }

  /** Before every training: a longer window shows longer seasons. */
  private findSeason(stream: Stream): void {
    const { window } = this.options;
    const values = stream.rows.slice(-2 * window).filter((_, i) => i % 2 === 1);
    const season = findSeason(Float64Array.from(values));
    if (this.found === season) return;
    this.found = season;
    this.begin(season);
    if (this.network === undefined) this.nextTraining = this.firstTraining(season);
    for (const each of this.streams.values()) {
      this.renew(each);
      const count = each.rows.length / 2;
      for (let t = 0; t < count; t++) this.take(each, each.seen - count + t, each.rows[2 * t], each.rows[2 * t + 1]);
    }
  }

  private firstTraining(season: number): number {
    return Math.max(FIRST_ROWS, FIRST_SEASONS * season);
  }

  private score(id: string, { state, halves, seen }: Stream, ts: number, value: number): void {
    const { horizon } = this.options;
    const plan = this.plan!;
    for (let k = 0; k < MIXED; k++) addScore(this.sums, k * SCORE_FIELDS, plan.expectedOf(state!, k, horizon), value);
    const forecast = plan.expected(state!, horizon);
    addScore(this.sums, MIXED * SCORE_FIELDS, forecast, value);
    const half = halves[seen % halves.length];
    this.onPoint(id, { ts, truth: value, forecast, lower: forecast - half, upper: forecast + half });
    const outside = Math.abs(value - forecast) - half;
    if (outside !== outside) return;
    this.widths.n += 1;
    this.widths.covered += outside <= 0 ? 1 : 0;
    this.widths.width += 2 * half;
    this.widths.winkler += 2 * half + (2 / (1 - LEVEL)) * Math.max(0, outside);
  }

  /** `row`: the stream's rows are numbered from 0. */
  private take(stream: Stream, row: number, ts: number, value: number): void {
    const { plan, intervals, network, features, pool } = this;
    if (plan === undefined || intervals === undefined || stream.state === undefined) return;
    const { horizon } = this.options;
    const { interval, halves } = stream;
    const error = value - plan.expected(stream.state, horizon);
    const unit = plan.scaleOf(stream.state);
    learnInterval(intervals, interval, 0, 0, this.phaseOf(row), unit, error, halves[row % halves.length], pool);
    learnIntervalPool(intervals, pool, 0, unit, error);
    plan.absorb(stream.state, ts, value);
    if (network !== undefined) {
      plan.writeFeatures(stream.state, features, 0);
      this.step(stream.index, features);
    }
    plan.forecast(stream.state, network?.outputs);
    const target = row + horizon;
    halves[target % halves.length] = halfWidth(
      intervals,
      interval,
      0,
      0,
      this.phaseOf(target),
      plan.scaleOf(stream.state),
      pool,
    );
  }

  private phaseOf(row: number): number {
    const { season } = this.plan!.options;
    return season === 0 ? 0 : Math.floor(((row % season) * this.intervals!.phases) / season);
  }

  private step(slot: number, features: Float32Array): void {
    const network = this.network!;
    network.slots[0] = slot;
    network.inputs.set(features);
    network.step(1);
  }

  private async train(seen: number): Promise<void> {
    const { options } = this;
    this.nextTraining = options.retrainEvery === 0 ? Infinity : seen + (options.retrainEvery ?? this.cycle());
    const before = process.cpuUsage();
    const again = this.weights !== undefined;
    const rows = this.trainingRows();
    const result = await fitForecaster({
      streams: rows,
      inputs: FEATURES,
      outputs: options.horizon,
      cell: options.cell,
      hidden: options.hidden,
      seed: options.seed,
      epochs: again ? EPOCHS.again : EPOCHS.first,
      rate: again ? RATE.again : RATE.first,
      warmStart: this.weights,
    });
    const { user, system } = process.cpuUsage(before);
    this.trainingSeconds += (user + system) / 1e6;
    this.retrains += 1;
    this.weights = result.weights;
    this.spec = result.network;
    this.serve(rows);
  }

  /** By stream, in the order of their indices. */
  private trainingRows(): TrainingRows[] {
    const { window } = this.options;
    return [...this.streams.values()].map(({ rows }) =>
      trainingRows(this.plan!, Float64Array.from(rows.slice(-2 * window))),
    );
  }

  /** A network of the newest weights, every stream warmed up from its window. */
  private serve(windows: readonly TrainingRows[]): void {
    // Room for streams to come, so that not every new one makes a new network.
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(1, this.streams.size)));
    this.network = createNetwork(this.spec!, this.weights!, { capacity, maxWave: 1 });
    for (const [index, { features }] of windows.entries())
      for (let at = Math.max(0, features.length - WARM_UP * FEATURES); at < features.length; at += FEATURES)
        this.step(index, features.subarray(at, at + FEATURES));
  }

  private cycle(): number {
    return Math.max(LEAST_ROWS_BETWEEN, this.plan!.options.season);
  }
}

/** Rows a hidden state is warmed up with: it has forgotten what came before. */
const WARM_UP = 512;

const NONE = new Float64Array();

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
