/** A forecast out of several, its weights chosen on line from the truths that have arrived, so that no stream is noticeably worse than its best predictor.
 *
 *  ML-Poly with gradients (Gaillard, Stoltz & van Erven 2014, "A second-order bound with excess losses", algorithm 1): the weight of a predictor grows with the
 *  positive part of what it would have won over the mixture, divided by what that has varied. No rate to choose. With the absolute error's gradient it
 *  comes up to the best convex combination, which two good predictors beat alone. Losses are discounted, so that it follows a stream that changes. */

/** Floats of a mixture of so many predictors: their regrets and the sums of the squares of what each tick added. */
export const mixtureSize = (predictors: number): number => 2 * predictors;

/** Losses lose their weight over about this many truths. */
const MEMORY = 2000;
const KEEP = 1 - 1 / MEMORY;

/** Writes the weights of `n` predictors to weights[to ..]: those of `prior` as long as none would have won anything; predictors without a forecast (NaN) have none. */
export function mixtureWeights(
  state: Float64Array,
  at: number,
  prior: readonly number[],
  forecasts: Float64Array,
  from: number,
  weights: Float64Array,
  to: number,
): void {
  const n = prior.length;
  let sum = 0;
  for (let k = 0; k < n; k++) {
    const known = forecasts[from + k] === forecasts[from + k];
    const weight = known ? Math.max(0, state[at + k]) / (1 + state[at + n + k]) : 0;
    weights[to + k] = weight;
    sum += weight;
  }
  if (sum > 0) {
    for (let k = 0; k < n; k++) weights[to + k] /= sum;
    return;
  }
  for (let k = 0; k < n; k++) sum += forecasts[from + k] === forecasts[from + k] ? prior[k] : 0;
  for (let k = 0; k < n; k++)
    weights[to + k] = forecasts[from + k] === forecasts[from + k] && sum > 0 ? prior[k] / sum : 0;
}

/** Learns from a truth: `mixed` was forecast, out of forecasts[from ..]; `scale` makes losses of different streams alike. */
export function updateMixture(
  state: Float64Array,
  at: number,
  n: number,
  forecasts: Float64Array,
  from: number,
  mixed: number,
  truth: number,
  scale: number,
): void {
  if (!(scale > 0) || truth !== truth || mixed !== mixed) return;
  const slope = Math.sign(mixed - truth);
  for (let k = 0; k < n; k++) {
    const forecast = forecasts[from + k];
    state[at + k] *= KEEP;
    state[at + n + k] *= KEEP;
    if (forecast !== forecast) continue;
    const regret = limited((slope * (mixed - forecast)) / scale);
    state[at + k] += regret;
    state[at + n + k] += regret * regret;
  }
}

/** One wild forecast must not decide alone. */
const LIMIT = 8;
const limited = (x: number): number => Math.min(Math.max(x, -LIMIT), LIMIT);
