/** All that is kept of a stream to forecast it, in one run of floats: the plan, its intervals, what forecasts have been worth, and whether their errors have grown.
 *  From `wide` on they are rounded to float32 after every tick: half the bytes to store, and what comes back from the store is what was in memory, to the bit.
 *  A tick's order: the plan's `catchUp`, `absorb` (it is the truth of forecasts made before), `writeFeatures`, the network's step, `forecast`. */
import { ACCOUNT_SIZE, addTruth, scoresOfStream, type StreamScores } from './accounts.js';
import { DRIFT_SIZE, detectDrift, driftBlock, resetDrift } from './drift.js';
import { ForecastPlan, Predictor, type PlanOptions } from './forecast-plan.js';
import {
  anomalyScore,
  fillIntervalPool,
  halfWidth,
  intervalPlan,
  intervalPoolSize,
  intervalSize,
  learnInterval,
  resetIntervalPool,
  resetIntervals,
  truthsOf,
  type IntervalPlan,
} from './intervals.js';
import {
  learnQuantiles,
  quantileOffsets,
  quantilePlan,
  quantileSize,
  resetQuantiles,
  type QuantilePlan,
} from './quantiles.js';
import { placeInRing } from './ring.js';

export interface ForecasterOptions extends PlanOptions {
  /** Share of truths that intervals should hold. */
  readonly level: number;
  /** Quantiles to forecast beside the interval, ascending, each between 0 and 1. */
  readonly quantiles?: readonly number[] | undefined;
  /** The errors of streams known before, as `intervalPoolSize` floats: intervals of a stream without truths of its own. */
  readonly calibration?: readonly number[] | undefined;
  /** The level that its quantiles are for, where that is not `level`. */
  readonly calibratedFor?: number | undefined;
}

/** Parts of a season whose errors may differ in size: a week of half hours in pieces of three hours. */
const MOST_PHASES = 56;

/** An error counts at most this many scales in the tally. */
const MOST_SCALES = 64;

/** Counts since the start, over all streams; errors in units of each stream's scale, MOST_SCALES at most. */
export interface Tally {
  truths: number;
  mixed: number;
  persistence: number;
  seasonalNaive: number;
  statistical: number;
  network: number;
  networkTruths: number;
  intervals: number;
  held: number;
  drifts: number;
}

export const newTally = (): Tally => ({
  truths: 0,
  mixed: 0,
  persistence: 0,
  seasonalNaive: 0,
  statistical: 0,
  network: 0,
  networkTruths: 0,
  intervals: 0,
  held: 0,
  drifts: 0,
});

/** Adds to `sum` what has been counted from `before` to `now`. */
export function addSince(sum: Tally, before: Tally, now: Tally): void {
  for (const name of Object.keys(sum) as (keyof Tally)[]) sum[name] += now[name] - before[name];
}

export class Forecaster {
  readonly plan: ForecastPlan;
  /** Floats of a stream's state; all but the first `wide` of them are float32 values. */
  readonly size: number;
  readonly wide: number;
  /** [H] Half widths of the stream last forecast; NaN until calibrated. */
  readonly halves: Float64Array;
  /** [H, quantiles] How far each quantile lies above the forecast, ascending; NaN until calibrated. */
  readonly offsets: Float64Array;
  /** Of the tick last absorbed: what had been forecast for it H steps before, half the width of the interval issued with that, and how many of these it lay off; NaN where
   *  nothing was. */
  expected = NaN;
  issued = NaN;
  anomaly = NaN;
  private readonly intervals: IntervalPlan;
  private readonly quantiles: QuantilePlan;
  private readonly pool: Float64Array;
  private readonly last: number;
  private readonly block: number;
  private readonly at: {
    readonly intervals: number;
    readonly account: number;
    readonly drift: number;
    readonly quantiles: number;
  };

  /** `tally` goes on counting where another forecaster has stopped. */
  constructor(
    readonly options: ForecasterOptions,
    readonly tally: Tally = newTally(),
  ) {
    this.plan = new ForecastPlan(options);
    const { knots, horizon } = this.plan;
    const { season, level, quantiles = [], calibration, calibratedFor = level } = options;
    this.intervals = intervalPlan({ steps: knots.length, level, phases: Math.min(season, MOST_PHASES) });
    this.quantiles = quantilePlan(quantiles, this.intervals);
    this.pool = new Float64Array(intervalPoolSize(this.intervals));
    if (calibration?.length === this.pool.length)
      fillIntervalPool(this.intervals, this.pool, calibration, calibratedFor);
    else resetIntervalPool(this.intervals, this.pool);
    this.last = knots.length - 1;
    this.block = driftBlock(horizon);
    this.wide = this.plan.wide;
    const intervals = this.plan.size;
    const account = intervals + intervalSize(this.intervals);
    const drift = account + ACCOUNT_SIZE;
    const ratios = drift + DRIFT_SIZE;
    this.at = { intervals, account, drift, quantiles: ratios };
    this.size = ratios + quantileSize(this.quantiles);
    this.halves = new Float64Array(horizon);
    this.offsets = new Float64Array(horizon * quantiles.length);
  }

  get horizon(): number {
    return this.plan.horizon;
  }

  /** A stream as on its first day. */
  reset(state: Float64Array, at = 0): void {
    this.plan.reset(state, at);
    resetIntervals(this.intervals, state, at + this.at.intervals);
    state.fill(0, at + this.at.account, at + this.at.drift);
    resetDrift(state, at + this.at.drift);
    resetQuantiles(this.quantiles, state, at + this.at.quantiles);
    this.round(state, at);
  }

  /** Scores what was forecast for this tick, learns from that, and takes the tick in. `value` NaN = missing. Returns whether the errors have become lastingly larger. */
  absorb(state: Float64Array, at: number, ts: number, value: number): boolean {
    const { plan, last } = this;
    // What the tick is measured against is as of before it.
    const unit = plan.scaleOf(state, at);
    const phase = this.phaseOf(plan.countOf(state, at));
    const before = plan.lastOf(state, at);
    plan.absorb(state, at, ts, value);
    this.expected = plan.foretold[last];
    this.issued = plan.foretoldHalves[last];
    this.anomaly = NaN;
    if (value !== value) return false;
    this.score(state, at, value, before, unit);
    this.learn(state, at, value, phase, unit);
    const drifted = detectDrift(state, at + this.at.drift, this.block, unit, value - this.expected);
    if (drifted) this.tally.drifts += 1;
    return drifted;
  }

  /** What the network alone said of the next tick, H steps before it. Ask before `absorb`. */
  saidByNetwork(state: Float64Array, at: number): number {
    return this.plan.expectedOf(state, at, this.last)[Predictor.model];
  }

  writeFeatures(state: Float64Array, at: number, target: Float32Array, to: number): void {
    this.plan.writeFeatures(state, at, target, to);
  }

  /** Forecasts into `plan.forecasts`, `plan.weights`, `plan.mixed` and `halves`; `outputs` as in `ForecastPlan.forecast`. */
  forecast(state: Float64Array, at: number, outputs: Float32Array | undefined, from = 0): void {
    const { plan, intervals, quantiles, halves, offsets, pool } = this;
    const n = quantiles.levels.length;
    plan.forecast(state, at, outputs, from);
    const unit = plan.scaleOf(state, at);
    const count = plan.countOf(state, at);
    let before = 0;
    for (let j = 0; j < plan.knots.length; j++) {
      const h = plan.knots[j];
      const phase = this.phaseOf(count - 1 + h);
      const half = Math.fround(halfWidth(intervals, state, at + this.at.intervals, j, phase, unit, pool));
      halves[h - 1] = half;
      fillBetween(halves, 1, before, h);
      plan.keepHalf(state, at, j, half);
      if (n > 0) {
        quantileOffsets(quantiles, state, at + this.at.quantiles, j, half, offsets, (h - 1) * n);
        fillBetween(offsets, n, before, h);
      }
      before = h;
    }
    this.round(state, at);
  }

  /** The share of the network in the forecast H steps ahead that was just made, 0 to 1. */
  get networkWeight(): number {
    const { weights } = this.plan;
    return weights[weights.length - 1];
  }

  /** The forecasts made last, at the steps that learn: prediction and half width, NaN where there is none. */
  newest(state: Float64Array, at = 0): { h: number; prediction: number; half: number; quantiles: Float64Array }[] {
    return this.plan.knots.map((h, knot) => {
      const newest = this.plan.newest(state, at, knot);
      const quantiles = new Float64Array(this.quantiles.levels.length);
      quantileOffsets(this.quantiles, state, at + this.at.quantiles, knot, newest.half, quantiles, 0);
      return { h, ...newest, quantiles: quantiles.map((offset) => newest.prediction + offset) };
    });
  }

  scores(state: Float64Array, at = 0): StreamScores {
    const { season, level } = this.options;
    return scoresOfStream(state, at + this.at.account, level, season > 0);
  }

  /** Intervals and quantiles learn from the truth of what was forecast at each knot. */
  private learn(state: Float64Array, at: number, value: number, phase: number, unit: number): void {
    const { plan, intervals, pool } = this;
    for (let j = 0; j < plan.knots.length; j++) {
      const error = value - plan.foretold[j];
      const half = plan.foretoldHalves[j];
      if (this.offsets.length > 0) {
        const truths = truthsOf(state, at + this.at.intervals, j);
        learnQuantiles(this.quantiles, state, at + this.at.quantiles, j, truths, error, half);
      }
      learnInterval(intervals, state, at + this.at.intervals, j, phase, unit, error, half, pool);
    }
  }

  private score(state: Float64Array, at: number, value: number, before: number, unit: number): void {
    const { tally, expected, issued } = this;
    const { said } = this.plan;
    if (expected !== expected) return;
    addTruth(state, at + this.at.account, value, expected, said, issued, this.options.level, before);
    const error = Math.abs(value - expected);
    if (issued === issued) {
      tally.intervals += 1;
      if (error <= issued) tally.held += 1;
      this.anomaly = anomalyScore(error, issued);
    }
    if (!(unit > 0)) return;
    // One that was constant has next to no scale: its first change must not outweigh all other streams.
    const inUnits = (e: number): number => Math.min(e / unit, MOST_SCALES);
    const scaled = (p: number): number => {
      const e = Math.abs(value - said[p]);
      return inUnits(e === e ? e : error);
    };
    tally.truths += 1;
    tally.mixed += inUnits(error);
    tally.persistence += scaled(Predictor.persistence);
    tally.seasonalNaive += scaled(this.options.season > 0 ? Predictor.seasonalNaive : Predictor.persistence);
    tally.statistical += scaled(Predictor.statistical);
    if (said[Predictor.model] !== said[Predictor.model]) return;
    tally.network += scaled(Predictor.model);
    tally.networkTruths += 1;
  }

  /** Pending forecasts and quantiles, which are most of a stream's floats, are float32s as they are written. */
  private round(state: Float64Array, at: number): void {
    roundAll(state, at + this.wide, at + this.plan.pending);
    roundAll(state, at + this.at.intervals, at + this.at.quantiles);
  }

  /** Which part of the season the tick is in, as the stream counts. */
  private phaseOf(count: number): number {
    const { season } = this.options;
    return season === 0 ? 0 : Math.floor((placeInRing(count, season) * this.intervals.phases) / season);
  }
}

function roundAll(state: Float64Array, from: number, to: number): void {
  for (let k = from; k < to; k++) state[k] = Math.fround(state[k]);
}

/** Of steps, `width` numbers each: those between steps `before` and `h`, on straight lines. */
function fillBetween(target: Float64Array, width: number, before: number, h: number): void {
  for (let i = before + 1; i < h; i++)
    for (let k = 0; k < width; k++) {
      const from = target[(before - 1) * width + k];
      const to = target[(h - 1) * width + k];
      target[(i - 1) * width + k] = from + ((to - from) * (i - before)) / (h - before);
    }
}
