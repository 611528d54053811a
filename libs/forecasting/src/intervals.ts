/** Prediction intervals that keep their coverage while a stream changes: half width = local scale x tracked quantile, a stream and step at a time.
 *  The score is the error over the local scale (locally weighted conformal prediction, Lei et al. 2018); its quantile follows by on-line quantile descent on
 *  the misses of the intervals that were issued (adaptive conformal inference, Gibbs & Candes 2021; quantile tracking q += step (miss - alpha) and error integration of conformal PID, Angelopoulos, Candes & Tibshirani 2023).
 *  A tick takes only + - x / and comparisons, so every machine has the same bits. */

export interface IntervalOptions {
  /** Forecast steps 1..H; arrays and arguments count them from 0. */
  readonly steps: number;
  /** Share of truths that should lie within, between 0 and 1. */
  readonly level: number;
  /** Parts of the season whose errors differ in size, told apart by a factor each; 0 for none. */
  readonly phases: number;
}
/** Options with what is worked out once. */
export interface IntervalPlan extends IntervalOptions {
  readonly alpha: number;
  /** The quantile a stream begins with. */
  readonly quantile: number;
}
/** Of errors with exponential tails (Laplace): P(|e| > q E|e|) = exp(-q). */
const quantileOf = (level: number): number => -Math.log(1 - level);
export const intervalPlan = (options: IntervalOptions): IntervalPlan => ({
  ...options,
  alpha: 1 - options.level,
  quantile: quantileOf(options.level),
});

/** A step's numbers: truths seen, fast and slow mean absolute error, quantile of the score, recent share of misses. */
const FIELDS = 5;
const [COUNT, FAST, SLOW, QUANTILE, MISSES] = [0, 1, 2, 3, 4];
/** A step's numbers in the pool: truths seen, mean absolute error in units, quantile. */
const POOL_FIELDS = 3;

/** The local scale follows a burst within some 20 truths, and keeps a memory of some hundreds. */
const FAST_RATE = 1 / 20;
const SLOW_RATE = 1 / 336;
const FAST_SHARE = 0.7;
/** An error counts at most this many scales: one wild value moves little, a lasting one still 35 % a tick. */
const CLIP = 8;
/** Step of the quantile, relative to it: quantile tracking of the logarithm of the score, so that no width falls below 0. */
const STEP = 0.01;
/** The recent share of misses, over some 50 truths, widens at once by GAIN for each unit it is off: the integrator. */
const MISS_RATE = 0.02;
const GAIN = 3;
const NARROWEST = 0.25;
const PHASE_RATE = 0.01;
const PHASE_CLIP = 4;
/** Factors and quantiles stay within this ratio of where they begin: long runs without an error leave nothing that takes as long to come back from. */
const REACH = 8;
/** What a stream begins with counts as much as this many truths of its own. */
const PRIOR = 8;
/** No interval before a step has this many truths, of its own or in the pool. */
const CALIBRATED = 20;
const POOL_RATE = 1 / 4096;
/** Scales stay above this many units, so that an exact forecast leaves a width to divide by. */
const FLOOR = 1e-3;
/** An anomaly score is at most this. */
const HIGHEST_SCORE = 1e6;

/** Floats of a stream's state. */
export const intervalSize = (plan: IntervalOptions): number => FIELDS * plan.steps + plan.phases;
/** Floats of the pool, which all streams of a pipeline share. */
export const intervalPoolSize = (plan: IntervalOptions): number => POOL_FIELDS * plan.steps;

export function resetIntervals(plan: IntervalPlan, state: Float64Array, at: number): void {
  for (let step = 0; step < plan.steps; step++) {
    const s = at + FIELDS * step;
    state.fill(0, s, s + FIELDS);
    state[s + QUANTILE] = plan.quantile;
    state[s + MISSES] = plan.alpha;
  }
  state.fill(1, at + FIELDS * plan.steps, at + intervalSize(plan));
}

export function resetIntervalPool(plan: IntervalPlan, pool: Float64Array): void {
  for (let p = 0; p < POOL_FIELDS * plan.steps; p += POOL_FIELDS) {
    pool[p] = 0;
    pool[p + 1] = 1;
    pool[p + 2] = plan.quantile;
  }
}

/** Fills the pool with errors known from elsewhere, as `intervalPoolSize` floats. Quantiles that are for another `level` are carried over as those of exponential tails. */
export function fillIntervalPool(
  plan: IntervalPlan,
  pool: Float64Array,
  known: readonly number[],
  level: number,
): void {
  pool.set(known);
  const ratio = plan.level === level ? 1 : plan.quantile / quantileOf(level);
  for (let p = 2; p < pool.length; p += POOL_FIELDS) pool[p] *= ratio;
}

/** Half the width of the interval around a forecast, in the stream's units: truth within forecast +- this in a share `level` of all cases. NaN until calibrated.
 *  `step` counts from 0; `phase` is where the target lies in its season, 0..phases-1 (any number without phases);
 *  `unit` is what the stream's changes are measured in (the scaler's change), above 0; it ties a stream without truths to the pool. */
export function halfWidth(
  plan: IntervalPlan,
  state: Float64Array,
  at: number,
  step: number,
  phase: number,
  unit: number,
  pool: Float64Array,
): number {
  const s = at + FIELDS * step;
  const p = POOL_FIELDS * step;
  const count = state[s + COUNT];
  if (!(unit > 0) || (count < CALIBRATED && pool[p] < CALIBRATED)) return NaN;
  if (count === 0) return pool[p + 1] * unit * pool[p + 2];
  const scale = FAST_SHARE * state[s + FAST] + (1 - FAST_SHARE) * state[s + SLOW];
  const correction = Math.max(1 + GAIN * (state[s + MISSES] - plan.alpha), NARROWEST);
  return scale * factorOf(plan, state, at, phase) * state[s + QUANTILE] * correction;
}

/** Truths that a step of a stream has seen. */
export const truthsOf = (state: Float64Array, at: number, step: number): number => state[at + FIELDS * step + COUNT];

/** Takes in the truth of a forecast: `error` = truth - forecast, `issued` = the half width that went out with it (NaN if none did), `phase` the target's.
 *  A missing truth (NaN) changes nothing. */
export function learnInterval(
  plan: IntervalPlan,
  state: Float64Array,
  at: number,
  step: number,
  phase: number,
  unit: number,
  error: number,
  issued: number,
  pool: Float64Array,
): void {
  if (!(unit > 0) || !Number.isFinite(error)) return;
  const s = at + FIELDS * step;
  if (state[s + COUNT] === 0) begin(state, s, unit, pool, POOL_FIELDS * step);
  const size = Math.abs(error);
  const own = 1 / (1 + PRIOR + state[s + COUNT]);
  const floor = FLOOR * unit;
  // Forecasts that have been exact for long say how wide nothing is, not how scores are spread.
  const exact = size <= floor && state[s + FAST] <= floor;
  if (issued === issued && !exact) {
    const miss = size > issued ? 1 : 0;
    const quantile = state[s + QUANTILE] * (1 + Math.max(STEP, own) * (miss - plan.alpha));
    state[s + QUANTILE] = within(quantile, plan.quantile / REACH, plan.quantile * REACH);
    state[s + MISSES] += MISS_RATE * (miss - state[s + MISSES]);
  }
  const plain = size / factorOf(plan, state, at, phase);
  // All steps of a stream have the same phases; the last one is what is looked at.
  if (plan.phases > 0 && step === plan.steps - 1 && !exact) {
    const f = at + FIELDS * plan.steps + phase;
    const ratio = Math.min(plain / state[s + SLOW], PHASE_CLIP);
    state[f] = within(state[f] * (1 + PHASE_RATE * (ratio - 1)), 1 / REACH, REACH);
  }
  state[s + FAST] = followed(state[s + FAST], plain, Math.max(FAST_RATE, own), floor);
  state[s + SLOW] = followed(state[s + SLOW], plain, Math.max(SLOW_RATE, own), floor);
  state[s + COUNT]++;
}

/** Lets the pool take in the same truth. The pool knows errors in units only, and no phases. */
export function learnIntervalPool(
  plan: IntervalPlan,
  pool: Float64Array,
  step: number,
  unit: number,
  error: number,
): void {
  if (!(unit > 0) || !Number.isFinite(error)) return;
  const p = POOL_FIELDS * step;
  const size = Math.abs(error) / unit;
  const own = 1 / (1 + PRIOR + pool[p]);
  const miss = size > pool[p + 1] * pool[p + 2] ? 1 : 0;
  const quantile = pool[p + 2] * (1 + Math.max(STEP, own) * (miss - plan.alpha));
  pool[p + 2] = within(quantile, plan.quantile / REACH, plan.quantile * REACH);
  pool[p + 1] = followed(pool[p + 1], size, Math.max(POOL_RATE, own), FLOOR);
  pool[p]++;
}

/** How far a truth lay from its forecast, in half widths of the interval issued with it: above 1 in a share 1 - level of calm times, above 2 in (1 - level)^2 where tails are exponential.
 *  A ratio rather than a tail probability: it needs no law of the tails, and still orders what is far outside. NaN where there is no truth or was no interval. */
export const anomalyScore = (error: number, issued: number): number =>
  Math.min(Math.abs(error) / issued, HIGHEST_SCORE);

/** A stream's first truth: it begins where the pool is, and its own truths outweigh that by their count. */
function begin(state: Float64Array, s: number, unit: number, pool: Float64Array, p: number): void {
  state[s + FAST] = state[s + SLOW] = pool[p + 1] * unit;
  state[s + QUANTILE] = pool[p + 2];
}

const factorOf = (plan: IntervalPlan, state: Float64Array, at: number, phase: number): number =>
  plan.phases > 0 ? state[at + FIELDS * plan.steps + phase] : 1;

const followed = (mean: number, size: number, rate: number, floor: number): number =>
  Math.max(mean + rate * (Math.min(size, CLIP * mean) - mean), floor);

const within = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);
