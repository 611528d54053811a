/** The last seasons of a stream's values, a compact ring beside the training window; NaN = missing. It gives the seasonal forecasts.
 *  A history of `size` values lies at history[at ..], HISTORY_FIELDS + size numbers. */
import { placeInRing } from './ring.js';

/** Seasons the median is taken over: enough to leave one odd week out. */
export const SEASONS = 4;

/** Values in the ring for a season of so many ticks. Without a season it holds the last value only. */
export const historySize = (season: number): number => Math.max(1, SEASONS * season);

/** Values so far, then the values themselves. */
export const HISTORY_FIELDS = 1;

/** Forgets everything. */
export function resetHistory(history: Float64Array, at: number, size: number): void {
  history.fill(NaN, at, at + HISTORY_FIELDS + size);
  history[at] = 0;
}

export function pushHistory(history: Float64Array, at: number, size: number, value: number): void {
  history[at + HISTORY_FIELDS + placeInRing(history[at], size)] = value;
  history[at] += 1;
}

/** The value `lag` ticks before the last one (0: the last); NaN where it is missing or too far back. */
export function lagged(history: Float64Array, at: number, size: number, lag: number): number {
  const index = history[at] - 1 - lag;
  return lag >= size || index < 0 ? NaN : history[at + HISTORY_FIELDS + placeInRing(index, size)];
}

/** The value one season before the tick `h` steps ahead, h <= season; an older season's where that one is missing. */
export function seasonalNaive(history: Float64Array, at: number, size: number, season: number, h: number): number {
  for (let k = 1; k <= SEASONS; k++) {
    const value = lagged(history, at, size, k * season - h);
    if (value === value) return value;
  }
  return NaN;
}

const sorted = new Float64Array(SEASONS);

/** The median of the last seasons' values at the place of the tick `h` steps ahead (0: of the last tick, its own value left out); NaN while there is none. */
export function seasonalMedian(history: Float64Array, at: number, size: number, season: number, h: number): number {
  let n = 0;
  for (let k = 1; k <= SEASONS; k++) {
    const value = lagged(history, at, size, k * season - h);
    if (value !== value) continue;
    let i = n++;
    for (; i > 0 && sorted[i - 1] > value; i--) sorted[i] = sorted[i - 1];
    sorted[i] = value;
  }
  if (n === 0) return NaN;
  return (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2;
}
