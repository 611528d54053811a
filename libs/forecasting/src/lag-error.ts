/** Mean absolute difference of values `lag` ticks apart: the error of the naive forecast, by which MASE is scaled (Hyndman & Koehler 2006). NaN without a pair. */
export function lagError(values: Float64Array, lag: number): number {
  let sum = 0;
  let n = 0;
  for (let i = lag; i < values.length; i++) {
    const difference = Math.abs(values[i] - values[i - lag]);
    if (difference !== difference) continue;
    sum += difference;
    n += 1;
  }
  return sum / n;
}
