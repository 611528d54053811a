/** Quantiles of what is to come: forecast + ratio x half width of its interval. The ratios are tracked on line, a stream, step and quantile at a time, by what share of the truths lay below
 *  (quantile tracking r += step (q - below): Gibbs & Candes 2021; Angelopoulos, Candes & Tibshirani 2023). The half width brings the local scale, so a ratio has only the shape of the
 *  errors to follow: they need not be as far above as below. */
import type { IntervalPlan } from './intervals.js';

/** Of a ratio, per truth; the first few truths count more. */
const STEP = 0.02;
const PRIOR = 8;
/** Ratios stay within so many half widths. */
const REACH = 8;

export interface QuantilePlan {
  /** Ascending, each between 0 and 1. */
  readonly levels: readonly number[];
  readonly steps: number;
  /** The ratio each begins with: that of errors with exponential tails, alike on both sides, as the intervals begin with. */
  readonly first: readonly number[];
}

export function quantilePlan(levels: readonly number[], { steps, quantile }: IntervalPlan): QuantilePlan {
  return {
    levels,
    steps,
    first: levels.map((q) => Math.fround((q < 0.5 ? Math.log(2 * q) : -Math.log(2 * (1 - q))) / quantile)),
  };
}

/** Floats of a stream's state. */
export const quantileSize = ({ levels, steps }: QuantilePlan): number => levels.length * steps;

export function resetQuantiles({ first, steps }: QuantilePlan, state: Float64Array, at: number): void {
  for (let step = 0; step < steps; step++) state.set(first, at + first.length * step);
}

/** Takes in the truth of a forecast `step` (from 0): `error` = truth - forecast, `issued` = the half width that went out with it, `truths` = how many that step had before. NaN changes nothing. */
export function learnQuantiles(
  { levels }: QuantilePlan,
  state: Float64Array,
  at: number,
  step: number,
  truths: number,
  error: number,
  issued: number,
): void {
  if (!(Number.isFinite(error) && issued > 0)) return;
  const rate = Math.max(STEP, 1 / (1 + PRIOR + truths));
  for (let k = 0, s = at + levels.length * step; k < levels.length; k++, s++) {
    const below = error <= state[s] * issued ? 1 : 0;
    // What is said goes by what is kept.
    state[s] = Math.fround(Math.min(Math.max(state[s] + rate * (levels[k] - below), -REACH), REACH));
  }
}

/** Where the quantiles lie from the forecast of a step, ascending, into target[to ..]; NaN where `half` is. */
export function quantileOffsets(
  { levels }: QuantilePlan,
  state: Float64Array,
  at: number,
  step: number,
  half: number,
  target: Float64Array,
  to: number,
): void {
  let highest = -Infinity;
  for (let k = 0, s = at + levels.length * step; k < levels.length; k++)
    target[to + k] = (highest = Math.max(highest, state[s + k])) * half;
}
