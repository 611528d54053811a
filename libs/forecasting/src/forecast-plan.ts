/** One stream's way from a tick to its forecasts of 1..H steps: what base is corrected, what the network is given, what it is asked for. Training and service
 *  go through these same functions, so that a network meets live what it was trained on.
 *
 *  A network on raw values stays wrong after the level has changed. So it is given, and asked for, residuals: a value minus the median of the last seasons at its
 *  place; without a season, minus the value before it. Other transforms of values are in transform.ts; they concern the network alone. */
import type { Transform } from '#domain/model';
import { MAX_FLOAT32 } from '#rnn/float32';
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
import { followGap, GAP_FIELDS, gapFeature } from './gaps.js';
import { knotsOf } from './knots.js';
import { mixtureSize, mixtureWeights, updateMixture } from './mixture.js';
import { learnSlope, regressionSize, slopeOf, writeSlopes } from './regression.js';
import { placeInRing } from './ring.js';
import { SPACING_FIELDS, ticksLeftOut } from './spacing.js';
import {
  floorOf,
  followLevel,
  followReturns,
  levelIn,
  levelOut,
  limited,
  Returns,
  returnIn,
  returnOut,
  TRANSFORM_FIELDS,
} from './transform.js';

export interface PlanOptions {
  /** Steps forecast, H >= 1. */
  readonly horizon: number;
  /** Ticks of a season; 0 for none, else at least H. */
  readonly season: number;
  /** Whether ticks come at one spacing, so that those left out count too: the season goes on without them. Default: no. */
  readonly regular?: boolean | undefined;
  /** IANA zone of calendar features. */
  readonly timeZone: string;
  /** Whether forecasts are mixed (default); else the network's, where there is one. */
  readonly blend?: boolean;
  /** Of what the network is given and asked for. Default: difference. */
  readonly transform?: Transform | undefined;
  /** Whether the network is given how long ago the tick before was. Default: no. */
  readonly gaps?: boolean | undefined;
}

/** What a forecast is made of, in the order of forecasts and weights. */
export const PREDICTORS = ['persistence', 'seasonalNaive', 'median', 'statistical', 'model'] as const;
export const Predictor = { persistence: 0, seasonalNaive: 1, median: 2, statistical: 3, model: 4 } as const;
const K = PREDICTORS.length;
/** Before truths say otherwise: the statistical baseline, and what is left of it where it is silent. */
const PRIOR = [0.1, 0.1, 0.1, 1, 1] as const;

/** Residual now, its change, how far the base will move over the horizon, and the calendar; the gap, where it is asked for, comes behind them. */
export const FEATURES = 6 + CALENDAR_FEATURES;

/** The base moves much more than the residuals do. */
const BASE_MOVES = 4;
/** Ticks that scales remember. */
const SCALE_MEMORY = 512;
/** Wild residuals count as this many scales. */
const LIMIT = 8;

/** Fields of a stream before its arrays. */
const Field = { scale: 0, scaled: 1, residual: 2, change: 3, base: 4, ts: 5, count: 6, last: 7 } as const;
const FIELDS = 8;
/** Of a forecast whose truth is to come: what the model said and what was forecast, both over the value then (small numbers take fewer bytes), and half the width of its
 *  interval. */
const PENDING = 3;
const MIXTURE = mixtureSize(K);

/** Functions take the array that holds a stream's floats, `size` of them, and where they begin. */
export class ForecastPlan {
  readonly horizon: number;
  /** Floats of a stream's state; the first `wide` of them need all of a float64: values, times and counts. Those from `pending` on are float32s as they are written. */
  readonly size: number;
  readonly wide: number;
  readonly pending: number;
  /** Steps that learn from their own truths; those between are interpolated. */
  readonly knots: readonly number[];
  /** [H, predictors] of the stream last forecast: forecasts for 1..H steps, NaN where there is none; their weights; and what they give together, [H]. */
  readonly forecasts: Float64Array;
  readonly weights: Float64Array;
  readonly mixed: Float64Array;
  /** Numbers that `writeFeatures` writes: FEATURES, and the gap. */
  readonly features: number;
  /** Of the tick last absorbed, by knot: what had been forecast for it so many steps before, and half the width of the interval issued with that; NaN where nothing was.
   *  And what each predictor alone had said, H steps before: valid where something was forecast. */
  readonly foretold: Float64Array;
  readonly foretoldHalves: Float64Array;
  readonly said = new Float64Array(K);
  private readonly season: number;
  private readonly regular: boolean;
  private readonly blend: boolean;
  private readonly transform: Transform;
  private readonly offsetAt: (ts: number) => number;
  private recalledBase = NaN;
  private calendarOf = NaN;
  private readonly calendar = new Float32Array(CALENDAR_FEATURES);
  private readonly slopes: Float64Array;
  private readonly historySize: number;
  /** Of the floats of a step's pending forecasts, by knot. */
  private readonly pendingAt: readonly number[];
  private readonly at: {
    readonly residuals: number;
    readonly regression: number;
    readonly mixture: number;
    readonly history: number;
    readonly transform: number;
    readonly gaps: number;
    readonly spacing: number;
  };

  constructor(readonly options: PlanOptions) {
    const {
      horizon,
      season,
      regular = false,
      timeZone,
      blend = true,
      transform = 'difference',
      gaps = false,
    } = options;
    if (!(Number.isInteger(horizon) && horizon >= 1)) throw new RangeError(`horizon ${horizon} is not 1 or more steps`);
    if (!(season === 0 || (Number.isInteger(season) && season >= horizon)))
      throw new RangeError(`a season of ${season} ticks is shorter than the horizon of ${horizon}`);
    this.horizon = horizon;
    this.season = season;
    this.regular = regular;
    this.blend = blend;
    this.transform = transform;
    this.features = FEATURES + Number(gaps);
    this.offsetAt = zoneOffset(timeZone);
    this.knots = knotsOf(horizon);
    this.historySize = Math.max(historySize(season), horizon + 1);
    const n = this.knots.length;
    let end = FIELDS;
    const take = (length: number): number => (end += length) - length;
    const history = take(HISTORY_FIELDS + this.historySize);
    const transformed = take(TRANSFORM_FIELDS[transform]);
    const gapAt = take(gaps ? GAP_FIELDS : 0);
    const spacing = take(regular ? SPACING_FIELDS : 0);
    this.wide = end;
    this.at = {
      history,
      transform: transformed,
      gaps: gapAt,
      spacing,
      residuals: take(horizon),
      regression: take(regressionSize(n)),
      mixture: take(n * MIXTURE),
    };
    this.pending = end;
    this.pendingAt = this.knots.map((h) => take(h * PENDING));
    this.size = end;
    this.forecasts = new Float64Array(horizon * K);
    this.weights = new Float64Array(horizon * K);
    this.mixed = new Float64Array(horizon);
    this.slopes = new Float64Array(horizon);
    this.foretold = new Float64Array(n);
    this.foretoldHalves = new Float64Array(n);
  }

  /** A stream as on its first day. */
  reset(state: Float64Array, at = 0): void {
    state.fill(0, at, at + this.size);
    state.fill(NaN, at + this.at.residuals, at + this.at.regression);
    state.fill(NaN, at + this.pending, at + this.size);
    for (const field of [Field.residual, Field.change, Field.base, Field.ts, Field.last]) state[at + field] = NaN;
    resetHistory(state, at + this.at.history, this.historySize);
  }

  /** Ticks taken in. */
  countOf(state: Float64Array, at = 0): number {
    return state[at + Field.count];
  }

  /** The last known value; NaN before the first. */
  lastOf(state: Float64Array, at = 0): number {
    return state[at + Field.last];
  }

  /** The stream's typical residual, in its own units; NaN before there is one. */
  scaleOf(state: Float64Array, at = 0): number {
    return state[at + Field.scaled] > 0 ? Math.max(state[at + Field.scale], floorOf(state[at + Field.base])) : NaN;
  }

  /** Counts the ticks that were left out before the one at `ts`, as missing ones after which nothing was forecast; returns how many. It comes before all that a tick is asked for. */
  catchUp(state: Float64Array, at: number, ts: number): number {
    if (!this.regular) return 0;
    const leftOut = ticksLeftOut(state, at + this.at.spacing, ts - state[at + Field.ts]);
    // What is older than the history makes no difference.
    const some = Math.min(leftOut, this.historySize);
    for (let k = 0; k < some; k++) this.leaveOut(state, at);
    state[at + Field.count] += leftOut - some;
    return leftOut;
  }

  private leaveOut(state: Float64Array, at: number): void {
    const count = state[at + Field.count];
    pushHistory(state, at + this.at.history, this.historySize, this.season > 0 ? NaN : state[at + Field.last]);
    state[at + Field.residual] = NaN;
    state[at + this.at.residuals + placeInRing(count, this.horizon)] = NaN;
    this.knots.forEach((_, j) => {
      const slot = this.slotOf(at, j, count);
      state.fill(NaN, slot, slot + PENDING);
    });
    state[at + Field.count] = count + 1;
  }

  /** Learns from a tick what forecasts made for it were worth, then takes it in. `value` NaN = missing. */
  absorb(state: Float64Array, at: number, ts: number, value: number): void {
    const known = value === value;
    this.settle(state, at, value);
    const history = at + this.at.history;
    const before = state[at + Field.last];
    // Without a season the history is there for persistence, which goes by what is known.
    pushHistory(state, history, this.historySize, known || this.season > 0 ? value : before);
    const median = this.medianFor(state, at, 0);
    const base = median === median ? median : before;
    const residual = value - base;
    state[at + Field.change] = residual - state[at + Field.residual];
    state[at + Field.residual] = residual;
    state[at + Field.base] = base === base ? base : value;
    if (this.features > FEATURES)
      followGap(state, at + this.at.gaps, ts - state[at + Field.ts], state[at + Field.count]);
    state[at + Field.ts] = ts;
    if (known) state[at + Field.last] = value;
    state[at + this.at.residuals + placeInRing(state[at + Field.count], this.horizon)] = residual;
    state[at + Field.count] += 1;
    if (residual === residual) {
      const n = (state[at + Field.scaled] = Math.min(state[at + Field.scaled] + 1, SCALE_MEMORY));
      const size = n > 32 ? Math.min(Math.abs(residual), LIMIT * state[at + Field.scale]) : Math.abs(residual);
      state[at + Field.scale] += (size - state[at + Field.scale]) / n;
    }
    const own = at + this.at.transform;
    if (this.transform === 'log') followReturns(state, own, value, base, this.scaleOf(state, at));
    else if (this.transform === 'none') followLevel(state, own, value);
  }

  /** Writes `features` numbers to target[to ..]: what the network is given after `absorb`. */
  writeFeatures(state: Float64Array, at: number, target: Float32Array, to: number): void {
    const scale = this.scaleOf(state, at);
    const own = at + this.at.transform;
    const base = state[at + Field.base];
    const ahead = this.base(state, at, this.horizon);
    const next = this.base(state, at, 1);
    const naive = this.naiveFor(state, at, this.horizon);
    const [value, before] = [this.lagged(state, at, 0), this.lagged(state, at, 1)];
    const ts = state[at + Field.ts];
    if (this.transform === 'difference') {
      target[to] = inScales(state[at + Field.residual], scale);
      target[to + 1] = inScales(state[at + Field.change], scale);
      target[to + 2] = inScales(ahead - base, BASE_MOVES * scale);
      target[to + 3] = inScales(naive - ahead, scale);
      target[to + 4] = inScales(next - base, scale);
      target[to + 5] = inScales(value - before, BASE_MOVES * scale);
    } else if (this.transform === 'log') {
      target[to] = bounded(state[own + Returns.last]);
      target[to + 1] = bounded(state[own + Returns.change]);
      target[to + 2] = bounded(returnIn(state, own, ahead, base, scale) / BASE_MOVES);
      target[to + 3] = bounded(returnIn(state, own, naive, ahead, scale));
      target[to + 4] = bounded(returnIn(state, own, next, base, scale));
      target[to + 5] = bounded(returnIn(state, own, value, before, scale) / BASE_MOVES);
    } else {
      target[to] = bounded(levelIn(state, own, value));
      target[to + 1] = inScales(state[at + Field.residual], scale);
      target[to + 2] = bounded(levelIn(state, own, ahead));
      target[to + 3] = bounded(levelIn(state, own, naive));
      target[to + 4] = bounded(levelIn(state, own, next));
      target[to + 5] = inScales(value - before, BASE_MOVES * scale);
    }
    // Ticks of many streams have the same time, and a challenger is given the same.
    if (ts !== this.calendarOf) {
      writeCalendar(ts, this.offsetAt(ts), this.calendar, 0);
      this.calendarOf = ts;
    }
    for (let k = 0; k < CALENDAR_FEATURES; k++) target[to + 6 + k] = this.calendar[k];
    if (this.features > FEATURES) target[to + FEATURES] = gapFeature(state, at + this.at.gaps);
  }

  /** The base of the tick `h` steps ahead, as it is known now. */
  base(state: Float64Array, at: number, h: number): number {
    const median = this.medianFor(state, at, h);
    return median === median ? median : state[at + Field.last];
  }

  /** What the network should say of a value `h` steps ahead; NaN where that is not known. */
  target(state: Float64Array, at: number, h: number, value: number): number {
    const scale = this.scaleOf(state, at);
    const own = at + this.at.transform;
    if (this.transform === 'none') return limited(levelIn(state, own, value));
    const base = this.base(state, at, h);
    return limited(this.transform === 'log' ? returnIn(state, own, value, base, scale) : (value - base) / scale);
  }

  /** The forecast `h` steps ahead that the network's output y is. */
  meant(state: Float64Array, at: number, h: number, y: number): number {
    return this.meantOver(state, at, this.base(state, at, h), this.scaleOf(state, at), y);
  }

  private meantOver(state: Float64Array, at: number, base: number, scale: number, y: number): number {
    const own = at + this.at.transform;
    if (this.transform === 'none') return levelOut(state, own, y);
    return this.transform === 'log' ? returnOut(state, own, y, base, scale) : base + y * scale;
  }

  /** Forecasts 1..H steps ahead into `forecasts`, `weights` and `mixed`. `outputs[from ..]`: what the network says; undefined without one. */
  forecast(state: Float64Array, at: number, outputs: Float32Array | undefined, from = 0): void {
    const { horizon: H, forecasts, weights, mixed, knots } = this;
    const scale = this.scaleOf(state, at);
    const last = state[at + Field.last];
    const known = state[at + Field.residual];
    const residual = known === known ? known : 0;
    const origin = state[at + Field.count] - 1;
    const value = this.valueThen(state, at, 0);
    writeSlopes(state, at + this.at.regression, knots, state[at + Field.scale], this.slopes);
    for (let h = 1, j = 0, first = 1; h <= H; h++) {
      const k = (h - 1) * K;
      const median = this.medianFor(state, at, h);
      const base = median === median ? median : last;
      forecasts[k + Predictor.persistence] = last;
      forecasts[k + Predictor.seasonalNaive] = this.naiveFor(state, at, h);
      forecasts[k + Predictor.median] = median;
      forecasts[k + Predictor.statistical] = base + this.slopes[h - 1] * residual;
      const model = (forecasts[k + Predictor.model] =
        outputs === undefined ? NaN : this.meantOver(state, at, base, scale, outputs[from + h - 1]));
      if (!this.blend && model === model) for (let p = 0; p < K; p++) weights[k + p] = p === Predictor.model ? 1 : 0;
      // Steps of one knot have the same weights where the same is known.
      else if (h > first && this.knowsTheSame(k, k - K))
        for (let p = 0; p < K; p++) weights[k + p] = weights[k - K + p];
      else mixtureWeights(state, at + this.at.mixture + j * MIXTURE, PRIOR, forecasts, k, weights, k);
      // From persistence on: forecasts that agree are not rounded.
      let sum = last;
      for (let p = 1; p < K; p++) if (weights[k + p] > 0) sum += weights[k + p] * (forecasts[k + p] - last);
      // What goes out is what will be known of it when its truth comes.
      const over = narrow(sum - value);
      mixed[h - 1] = value + over;
      if (h < knots[j]) continue;
      const slot = this.slotOf(at, j, origin);
      state[slot] = narrow(model - value);
      state[slot + 1] = over;
      state[slot + 2] = NaN;
      j += 1;
      first = h + 1;
    }
  }

  private knowsTheSame(one: number, other: number): boolean {
    const { forecasts: f } = this;
    for (let p = 0; p < K; p++) if ((f[one + p] === f[one + p]) !== (f[other + p] === f[other + p])) return false;
    return true;
  }

  /** A forecast just made as it will be known when its truth comes: as a float32 over the value it was made at. */
  asKept(state: Float64Array, at: number, forecast: number): number {
    const value = this.valueThen(state, at, 0);
    return value + narrow(forecast - value);
  }

  /** Keeps the half width that goes out with the forecast just made, for `issued`. `knot`: its place in `knots`. */
  keepHalf(state: Float64Array, at: number, knot: number, half: number): void {
    state[this.slotOf(at, knot, state[at + Field.count] - 1) + 2] = half;
  }

  /** What was forecast for the next tick, `knots[knot]` steps before it; NaN if nothing was. Ask before `absorb`. */
  expected(state: Float64Array, at: number, knot: number): number {
    this.expectedOf(state, at, knot);
    return this.foretold[knot];
  }

  /** Half the width of the interval issued with it. */
  issued(state: Float64Array, at: number, knot: number): number {
    this.expectedOf(state, at, knot);
    return this.foretoldHalves[knot];
  }

  /** What each predictor alone said of the next tick, `knots[knot]` steps before it: valid until the next call. Ask before `absorb`. */
  expectedOf(state: Float64Array, at: number, knot: number): Float64Array {
    if (this.knots[knot] > state[at + Field.count]) this.said.fill(NaN);
    this.recall(state, at, knot, this.medianFor(state, at, 1), this.naiveFor(state, at, 1));
    return this.said;
  }

  /** The forecast `knots[knot]` steps ahead that was made last. */
  newest(state: Float64Array, at: number, knot: number): { prediction: number; half: number } {
    const slot = this.slotOf(at, knot, state[at + Field.count] - 1);
    return state[at + Field.count] === 0
      ? { prediction: NaN, half: NaN }
      : { prediction: this.valueThen(state, at, 0) + state[slot + 1], half: state[slot + 2] };
  }

  /** What was said of the tick that comes, and with its value what that was worth. */
  private settle(state: Float64Array, at: number, value: number): void {
    const { knots, said, foretold } = this;
    const scale = this.scaleOf(state, at);
    const median = this.medianFor(state, at, 1);
    const naive = this.naiveFor(state, at, 1);
    for (let j = 0; j < knots.length; j++) {
      const residual = this.recall(state, at, j, median, naive);
      if (value !== value || knots[j] > state[at + Field.count]) continue;
      updateMixture(state, at + this.at.mixture + j * MIXTURE, K, said, 0, foretold[j], value, scale);
      learnSlope(state, at + this.at.regression, knots, j, residual, value - this.recalledBase, scale);
    }
  }

  /** What each predictor said of the next tick so long before it, into `said`, and what was forecast, into `foretold` and `foretoldHalves`; returns the residual then. Only
   *  what cannot be made again was kept; `median` and `naive` are the next tick's, the same from every origin. */
  private recall(state: Float64Array, at: number, knot: number, median: number, naive: number): number {
    const { said, knots } = this;
    const h = knots[knot];
    const count = state[at + Field.count];
    if (h > count) {
      this.foretold[knot] = this.foretoldHalves[knot] = NaN;
      return NaN;
    }
    const residual = state[at + this.at.residuals + placeInRing(count - h, this.horizon)];
    const last = this.lagged(state, at, h - 1);
    const value = last === last ? last : 0;
    const slot = this.slotOf(at, knot, count);
    const base = (this.recalledBase = median === median ? median : last);
    said[Predictor.persistence] = last;
    said[Predictor.seasonalNaive] = naive;
    said[Predictor.median] = median;
    const slope = slopeOf(state, at + this.at.regression, knots, knot, state[at + Field.scale]);
    said[Predictor.statistical] = base + slope * (residual === residual ? residual : 0);
    said[Predictor.model] = value + state[slot];
    this.foretold[knot] = value + state[slot + 1];
    this.foretoldHalves[knot] = state[slot + 2];
    return residual;
  }

  /** Where what was forecast `knots[knot]` steps ahead of the tick `origin` is kept, until its truth comes. */
  private slotOf(at: number, knot: number, origin: number): number {
    return at + this.pendingAt[knot] + placeInRing(origin, this.knots[knot]) * PENDING;
  }

  /** What a forecast made `lag` ticks ago is counted from: the value then, 0 where that is missing. */
  private valueThen(state: Float64Array, at: number, lag: number): number {
    const value = this.lagged(state, at, lag);
    return value === value ? value : 0;
  }

  private lagged(state: Float64Array, at: number, lag: number): number {
    return lagged(state, at + this.at.history, this.historySize, lag);
  }

  private medianFor(state: Float64Array, at: number, h: number): number {
    const { season } = this;
    return season > 0 ? seasonalMedian(state, at + this.at.history, this.historySize, season, h) : NaN;
  }

  private naiveFor(state: Float64Array, at: number, h: number): number {
    const { season } = this;
    return season > 0 ? seasonalNaive(state, at + this.at.history, this.historySize, season, h) : NaN;
  }
}

/** As a float32: the largest where it is beyond. */
const narrow = (x: number): number => Math.fround(Math.min(Math.max(x, -MAX_FLOAT32), MAX_FLOAT32));

/** As a feature: within bounds, and 0 where nothing is known. */
const bounded = (x: number): number => (x === x ? limited(x) : 0);

const inScales = (x: number, scale: number): number => bounded(x / scale);
