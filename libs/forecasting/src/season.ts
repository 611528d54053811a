/** The season of a series, in ticks: the lag at which it repeats itself best. */
import { lagError } from './lag-error.js';

/** A season must be seen this often before it is believed. */
const REPEATS = 3;
/** Correlation below which nothing repeats. */
const LEAST = 0.3;
const CANDIDATES = 32;
/** Errors this close are about as good: a few seasons say no more. */
const ABOUT = 1.1;

/** A season shorter than the horizon says the same as its multiple. */
export const wholeSeason = (season: number, horizon: number): number =>
  season === 0 ? 0 : season * Math.ceil(horizon / season);

/** 0 if there is none. `values`: oldest first, NaN = missing; seasons of 2 to n / 3 ticks. Candidates are the peaks of the autocorrelation; of them the one whose
 *  seasonal naive forecast errs least, the shortest of those that are about as good. */
export function findSeason(values: Float64Array): number {
  const n = values.length;
  const longest = Math.floor(n / REPEATS);
  const correlation = autocorrelation(values, longest + 1);
  const peaks: number[] = [];
  for (let lag = 2; lag <= longest; lag++)
    if (correlation[lag] > LEAST && correlation[lag] >= correlation[lag - 1] && correlation[lag] > correlation[lag + 1])
      peaks.push(lag);
  const best = peaks.sort((a, b) => correlation[b] - correlation[a]).slice(0, CANDIDATES);
  const errors = best.map((lag) => lagError(values, lag));
  const least = Math.min(...errors);
  const good = best.filter((_, i) => errors[i] <= ABOUT * least);
  // A trend alone correlates too: then yesterday's value is the better forecast.
  return good.length === 0 || !(least < lagError(values, 1) * 2) ? 0 : Math.min(...good);
}

/** [0 .. lags): of the values around their mean, a straight line taken out. 0 where it is not defined. */
function autocorrelation(values: Float64Array, lags: number): Float64Array {
  const centred = withoutLine(values);
  const out = new Float64Array(lags + 1);
  let variance = 0;
  for (const x of centred) variance += x * x;
  if (!(variance > 0)) return out;
  for (let lag = 0; lag <= lags; lag++) {
    let sum = 0;
    for (let i = lag; i < centred.length; i++) sum += centred[i] * centred[i - lag];
    // Per pair, not in all: long lags have fewer.
    out[lag] = (sum / variance) * (centred.length / Math.max(1, centred.length - lag));
  }
  return out;
}

/** Least squares; missing values become 0, which correlates with nothing. */
function withoutLine(values: Float64Array): Float64Array {
  let [n, st, sy, stt, sty] = [0, 0, 0, 0, 0];
  values.forEach((y, t) => {
    if (!Number.isFinite(y)) return;
    n += 1;
    st += t;
    sy += y;
    stt += t * t;
    sty += t * y;
  });
  const spread = n * stt - st * st;
  const slope = spread > 0 ? (n * sty - st * sy) / spread : 0;
  const level = n > 0 ? (sy - slope * st) / n : 0;
  return values.map((y, t) => (Number.isFinite(y) ? y - level - slope * t : 0));
}
