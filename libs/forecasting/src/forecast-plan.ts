/** One stream's way from a tick to its forecasts of 1..H steps: what base is corrected, what the network is given, what it is asked for. Training and service
 *  go through these same functions, so that a network meets live what it was trained on.
 *
 *  A network on raw values stays wrong after the level has changed. So it is given, and asked for, residuals: a value minus the median of the last seasons at its
 *  place; without a season, minus the value before it. */
import { CALENDAR_FEATURES, writeCalendar, zoneOffset } from './calendar.js';
import {
  HISTORY_FIELDS,
  historySize,
  lagged,
  pushHistory,
  resetHistory,
  seasonalMedian,
  seasonalNaive,
} from './history.js';
import { mixtureSize, mixtureWeights, updateMixture } from './mixture.js';

export interface PlanOptions {
  /** Steps forecast, H >= 1. */
  readonly horizon: number;
  /** Ticks of a season; 0 for none, else at least H. */
  readonly season: number;
  /** IANA zone of calendar features. */
  readonly timeZone: string;
}

/** What a forecast is made of, in the order of forecasts and weights. */
export const PREDICTORS = ['persistence', 'seasonalNaive', 'median', 'statistical', 'model'] as const;
export const Predictor = { persistence: 0, seasonalNaive: 1, median: 2, statistical: 3, model: 4 } as const;
const K = PREDICTORS.length;
/** Before truths say otherwise: the statistical baseline, and what is left of it where it is silent. */
const PRIOR = [0.1, 0.1, 0.1, 1, 1] as const;

/** Residual now, its change, how far the base will move over the horizon, and the calendar. */
export const FEATURES = 6 + CALENDAR_FEATURES;

/** Features and targets stay within so many scales. */
const LIMIT = 8;
/** The base moves much more than the residuals do. */
const BASE_MOVES = 4;
/** Ticks that scales and coefficients remember. */
const SCALE_MEMORY = 512;
const REGRESSION_MEMORY = 4096;
/** Weight of "no correlation" in the regression, in squared scales: the first few residuals say nothing. */
const RIDGE = 10;

/** Fields of a stream before its arrays. */
const Field = { scale: 0, scaled: 1, residual: 2, change: 3, base: 4, ts: 5, count: 6 } as const;
const FIELDS = 7;

export class ForecastPlan {
  readonly horizon: number;
  /** Floats of a stream's state. */
  readonly size: number;
  /** [H, predictors] of the stream last forecast: forecasts for 1..H steps, NaN where there is none; their weights; and what they give together, [H]. */
  readonly forecasts: Float64Array;
  readonly weights: Float64Array;
  readonly mixed: Float64Array;
  private readonly season: number;
  private readonly offsetAt: (ts: number) => number;
  private recalledBase = NaN;
  private readonly at: {
    readonly residuals: number;
    readonly products: number;
    readonly squares: number;
    readonly mixture: number;
    readonly pending: number;
    readonly history: number;
  };

  constructor(readonly options: PlanOptions) {
    const { horizon, season, timeZone } = options;
    if (!(Number.isInteger(horizon) && horizon >= 1)) throw new RangeError(`horizon ${horizon} is not 1 or more steps`);
    if (!(season === 0 || (Number.isInteger(season) && season >= horizon)))
      throw new RangeError(`a season of ${season} ticks is shorter than the horizon of ${horizon}`);
    this.horizon = horizon;
    this.season = season;
    this.offsetAt = zoneOffset(timeZone);
    let end = FIELDS;
    const take = (length: number): number => (end += length) - length;
    this.at = {
      residuals: take(horizon),
      products: take(horizon),
      squares: take(horizon),
      mixture: take(horizon * mixtureSize(K)),
      // By origin modulo H and step: what the model said, and what was forecast.
      pending: take(horizon * horizon * 2),
      history: take(HISTORY_FIELDS + Math.max(historySize(season), horizon + 1)),
    };
    this.size = end;
    this.forecasts = new Float64Array(horizon * K);
    this.weights = new Float64Array(horizon * K);
    this.mixed = new Float64Array(horizon);
  }

  /** A stream as on its first day. */
  reset(state: Float64Array): void {
    state.fill(0);
    state.fill(NaN, this.at.residuals, this.at.products);
    state.fill(NaN, this.at.pending, this.at.history);
    state[Field.residual] = state[Field.change] = state[Field.base] = state[Field.ts] = NaN;
    resetHistory(this.historyOf(state));
  }

  /** The stream's typical residual, in its own units; NaN before there is one. */
  scaleOf(state: Float64Array): number {
    return state[Field.scaled] > 0 ? Math.max(state[Field.scale], floorOf(state[Field.base])) : NaN;
  }

  /** Learns from a tick what forecasts made for it were worth, then takes it in. `value` NaN = missing. */
  absorb(state: Float64Array, ts: number, value: number): void {
    const history = this.historyOf(state);
    if (value === value) this.settle(state, history, value);
    const before = lagged(history, 0);
    pushHistory(history, value);
    const median = this.medianFor(history, 0);
    const base = median === median ? median : before;
    const residual = value - base;
    state[Field.change] = residual - state[Field.residual];
    state[Field.residual] = residual;
    state[Field.base] = base === base ? base : value;
    state[Field.ts] = ts;
    state[this.at.residuals + (state[Field.count] % this.horizon)] = residual;
    state[Field.count] += 1;
    if (residual === residual) {
      const n = (state[Field.scaled] = Math.min(state[Field.scaled] + 1, SCALE_MEMORY));
      const size = n > 32 ? Math.min(Math.abs(residual), LIMIT * state[Field.scale]) : Math.abs(residual);
      state[Field.scale] += (size - state[Field.scale]) / n;
    }
  }

  /** Writes FEATURES numbers to target[at ..]: what the network is given after `absorb`. */
  writeFeatures(state: Float64Array, target: Float32Array, at: number): void {
    const scale = this.scaleOf(state);
    const history = this.historyOf(state);
    const ahead = this.baseFor(history, this.horizon);
    target[at] = inScales(state[Field.residual], scale);
    target[at + 1] = inScales(state[Field.change], scale);
    target[at + 2] = inScales(ahead - state[Field.base], BASE_MOVES * scale);
    const naive = this.naiveFor(history, this.horizon);
    target[at + 3] = inScales(naive - ahead, scale);
    target[at + 4] = inScales(this.baseFor(history, 1) - state[Field.base], scale);
    target[at + 5] = inScales(lagged(history, 0) - lagged(history, 1), BASE_MOVES * scale);
    writeCalendar(state[Field.ts], this.offsetAt(state[Field.ts]), target, at + 6);
  }

  /** The base of the tick `h` steps ahead, as it is known now. */
  base(state: Float64Array, h: number): number {
    return this.baseFor(this.historyOf(state), h);
  }

  /** Forecasts 1..H steps ahead into `forecasts`, `weights` and `mixed`. `outputs[at ..]`: what the network says, in scales over the base; undefined without one. */
  forecast(state: Float64Array, outputs: Float32Array | undefined, at = 0): void {
    const { horizon: H, forecasts, weights, mixed } = this;
    const history = this.historyOf(state);
    const scale = this.scaleOf(state);
    const last = lagged(history, 0);
    const residual = state[Field.residual];
    const slot = this.at.pending + ((state[Field.count] - 1) % H) * 2 * H;
    for (let h = 1; h <= H; h++) {
      const k = (h - 1) * K;
      const median = this.medianFor(history, h);
      const base = median === median ? median : last;
      forecasts[k + Predictor.persistence] = last;
      forecasts[k + Predictor.seasonalNaive] = this.naiveFor(history, h);
      forecasts[k + Predictor.median] = median;
      forecasts[k + Predictor.statistical] = base + this.slope(state, h) * (residual === residual ? residual : 0);
      forecasts[k + Predictor.model] = outputs === undefined ? NaN : base + outputs[at + h - 1] * scale;
      mixtureWeights(state, this.at.mixture + (h - 1) * mixtureSize(K), PRIOR, forecasts, k, weights, k);
      let sum = NaN;
      for (let p = 0; p < K; p++)
        if (weights[k + p] > 0) sum = (sum === sum ? sum : 0) + weights[k + p] * forecasts[k + p];
      mixed[h - 1] = sum;
      state[slot + 2 * (h - 1)] = forecasts[k + Predictor.model];
      state[slot + 2 * (h - 1) + 1] = mixed[h - 1];
    }
  }

  /** What was forecast for the next tick, `h` steps before it; NaN if nothing was. Ask before `absorb`. */
  expected(state: Float64Array, h: number): number {
    return h > state[Field.count] ? NaN : state[this.pendingOf(state, h) + 1];
  }

  /** What the predictor alone said of the next tick, `h` steps before it. */
  expectedOf(state: Float64Array, predictor: number, h: number): number {
    if (h > state[Field.count]) return NaN;
    const history = this.historyOf(state);
    this.recall(state, history, h, this.medianFor(history, 1), this.naiveFor(history, 1));
    return this.forecasts[predictor];
  }

  private settle(state: Float64Array, history: Float64Array, value: number): void {
    const { horizon: H } = this;
    const scale = this.scaleOf(state);
    const median = this.medianFor(history, 1);
    const naive = this.naiveFor(history, 1);
    for (let h = 1; h <= H && h <= state[Field.count]; h++) {
      this.recall(state, history, h, median, naive);
      updateMixture(
        state,
        this.at.mixture + (h - 1) * mixtureSize(K),
        K,
        this.forecasts,
        0,
        this.expected(state, h),
        value,
        scale,
      );
      const residual = state[this.at.residuals + ((state[Field.count] - h) % H)];
      const target = value - this.recalledBase;
      if (residual !== residual || target !== target) continue;
      const keep = 1 - 1 / REGRESSION_MEMORY;
      // Wild residuals are pulled in, both by the same factor: they must not decide the slope alone.
      const wild = Math.max(1, Math.abs(residual) / (LIMIT * scale), Math.abs(target) / (LIMIT * scale));
      const [x, y] = [residual / wild, target / wild];
      state[this.at.products + h - 1] = keep * state[this.at.products + h - 1] + x * y;
      state[this.at.squares + h - 1] = keep * state[this.at.squares + h - 1] + x * x;
    }
  }

  /** What each predictor said of the next tick `h` steps before it, into forecasts[0 .. K). Only what cannot be made again was kept; `median` and `naive` are the
   *  next tick's, the same from every origin. */
  private recall(state: Float64Array, history: Float64Array, h: number, median: number, naive: number): void {
    const { forecasts } = this;
    const residual = state[this.at.residuals + ((state[Field.count] - h) % this.horizon)];
    const last = lagged(history, h - 1);
    const base = (this.recalledBase = median === median ? median : last);
    forecasts[Predictor.persistence] = last;
    forecasts[Predictor.seasonalNaive] = naive;
    forecasts[Predictor.median] = median;
    forecasts[Predictor.statistical] = base + this.slope(state, h) * (residual === residual ? residual : 0);
    forecasts[Predictor.model] = state[this.pendingOf(state, h)];
  }

  /** The autoregressive coefficient of the residual `h` steps on. */
  private slope(state: Float64Array, h: number): number {
    const scale = state[Field.scale];
    const squares = state[this.at.squares + h - 1] + RIDGE * scale * scale;
    return squares > 0 ? Math.min(Math.max(state[this.at.products + h - 1] / squares, -1), 1) : 0;
  }

  private baseFor(history: Float64Array, h: number): number {
    const median = this.medianFor(history, h);
    return median === median ? median : lagged(history, 0);
  }

  private medianFor(history: Float64Array, h: number): number {
    return this.season > 0 ? seasonalMedian(history, this.season, h) : NaN;
  }

  private naiveFor(history: Float64Array, h: number): number {
    return this.season > 0 ? seasonalNaive(history, this.season, h) : NaN;
  }

  private pendingOf(state: Float64Array, h: number): number {
    const { horizon: H } = this;
    return this.at.pending + (((state[Field.count] - h) % H) * H + (h - 1)) * 2;
  }

  private historyOf(state: Float64Array): Float64Array {
    return state.subarray(this.at.history, this.size);
  }
}

/** Below this share of the level a residual is rounding. */
const floorOf = (base: number): number => (base === base ? Math.abs(base) * 1e-6 : 0) + 1e-12;

const inScales = (x: number, scale: number): number => {
  const scaled = x / scale;
  return scaled === scaled ? Math.min(Math.max(scaled, -LIMIT), LIMIT) : 0;
};
