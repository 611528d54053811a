/** How good forecasts were: sums that grow by one truth at a time. */

/** n, sum |e|, sum e^2, sum |y|, sum y, sum y^2 */
export const SCORE_FIELDS = 6;

export function addScore(sums: Float64Array, at: number, forecast: number, truth: number): void {
  const error = truth - forecast;
  if (error !== error) return;
  sums[at] += 1;
  sums[at + 1] += Math.abs(error);
  sums[at + 2] += error * error;
  sums[at + 3] += Math.abs(truth);
  sums[at + 4] += truth;
  sums[at + 5] += truth * truth;
}

export interface Scores {
  readonly n: number;
  readonly mae: number;
  readonly rmse: number;
  /** sum |e| / sum |y|, a fraction */
  readonly wape: number;
  /** RMSE over the standard deviation of the truths */
  readonly nrmse: number;
}

/** NaN where there is no truth yet. */
export function scoresOf(sums: Float64Array, at = 0): Scores {
  const [n, absolute, squares, size, sum, sizes] = sums.subarray(at, at + SCORE_FIELDS);
  const rmse = Math.sqrt(squares / n);
  const deviation = Math.sqrt(Math.max(0, sizes / n - (sum / n) ** 2));
  return { n, mae: absolute / n, rmse, wape: absolute / size, nrmse: rmse / deviation };
}
