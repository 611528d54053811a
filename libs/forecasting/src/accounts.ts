/** What a stream's forecasts have been worth of late: exponentially weighted sums over the truths that have arrived, H steps after the forecast. */
import { Predictor } from './forecast-plan.js';

/** Sums remember about this many truths. */
const MEMORY = 1024;
const KEEP = 1 - 1 / MEMORY;

/** One sum each: of absolute errors of what was forecast (mixed) and of each predictor alone, with how many there were of the network's; of the mixed one's squared
 *  errors; of truths' sizes; of changes from one tick to the next; and of the issued intervals: how many, how many held, widths, Winkler scores. */
export const Account = {
  truths: 0,
  mixed: 1,
  persistence: 2,
  seasonalNaive: 3,
  statistical: 4,
  network: 5,
  networkTruths: 6,
  squares: 7,
  sizes: 8,
  changes: 9,
  intervals: 10,
  held: 11,
  widths: 12,
  winkler: 13,
} as const;
export const ACCOUNT_SIZE = 14;

/** `said`: what each predictor alone said; `half`: half the width of the interval around `mixed`, NaN if none was issued; `last`: the value one tick ago. */
export function addTruth(
  state: Float64Array,
  at: number,
  truth: number,
  mixed: number,
  said: Float64Array,
  half: number,
  level: number,
  last: number,
): void {
  const error = Math.abs(truth - mixed);
  if (error !== error) return;
  for (let f = 0; f < ACCOUNT_SIZE; f++) state[at + f] *= KEEP;
  const network = Math.abs(truth - said[Predictor.model]);
  const naive = Math.abs(truth - said[Predictor.seasonalNaive]);
  const persistence = Math.abs(truth - said[Predictor.persistence]);
  const statistical = Math.abs(truth - said[Predictor.statistical]);
  state[at + Account.truths] += 1;
  state[at + Account.mixed] += error;
  state[at + Account.persistence] += persistence === persistence ? persistence : error;
  // Where there is no season yet, persistence stands in for it.
  state[at + Account.seasonalNaive] += naive === naive ? naive : persistence === persistence ? persistence : error;
  state[at + Account.statistical] += statistical === statistical ? statistical : error;
  if (network === network) {
    state[at + Account.network] += network;
    state[at + Account.networkTruths] += 1;
  }
  state[at + Account.squares] += error * error;
  state[at + Account.sizes] += Math.abs(truth);
  if (last === last) state[at + Account.changes] += Math.abs(truth - last);
  if (half !== half) return;
  state[at + Account.intervals] += 1;
  state[at + Account.widths] += 2 * half;
  state[at + Account.winkler] += 2 * half + (2 / (1 - level)) * Math.max(0, error - half);
  if (error <= half) state[at + Account.held] += 1;
}

/** Fractions, not percent; NaN where nothing is known yet. */
export interface StreamScores {
  /** Truths that count, at most some MEMORY. */
  readonly truths: number;
  readonly mae: number;
  readonly rmse: number;
  /** MAE over the mean size of the truths. */
  readonly wape: number;
  /** MAE over that of the seasonal naive forecast, or over the mean change from tick to tick where there is no season. */
  readonly mase: number;
  readonly maePersistence: number;
  readonly maeSeasonalNaive: number;
  readonly maeStatistical: number;
  /** Of the network alone, over the truths it had forecast. */
  readonly maeNetwork: number;
  /** 1 - MAE over that of the best of the baselines: above 0 it is worth having. */
  readonly skill: number;
  /** Of the issued intervals: share that held, mean width, mean Winkler score and pinball loss (the mean of its two bounds'). */
  readonly coverage: number;
  readonly meanWidth: number;
  readonly winkler: number;
  readonly pinball: number;
}

/** `season`: whether there is one. */
export function scoresOfStream(state: Float64Array, at: number, level: number, season: boolean): StreamScores {
  const sum = (f: number): number => state[at + f];
  const truths = sum(Account.truths);
  const mean = (f: number): number => sum(f) / truths;
  const mae = mean(Account.mixed);
  const best = Math.min(mean(Account.persistence), mean(Account.seasonalNaive), mean(Account.statistical));
  const intervals = sum(Account.intervals);
  const winkler = sum(Account.winkler) / intervals;
  return {
    truths,
    mae,
    rmse: Math.sqrt(mean(Account.squares)),
    wape: sum(Account.mixed) / sum(Account.sizes),
    mase: mae / (season ? mean(Account.seasonalNaive) : mean(Account.changes)),
    maePersistence: mean(Account.persistence),
    maeSeasonalNaive: mean(Account.seasonalNaive),
    maeStatistical: mean(Account.statistical),
    maeNetwork: sum(Account.network) / sum(Account.networkTruths),
    skill: best > 0 ? 1 - mae / best : NaN,
    coverage: sum(Account.held) / intervals,
    meanWidth: sum(Account.widths) / intervals,
    winkler,
    // The bounds are the quantiles (1 -+ level) / 2, whose pinball losses add up to (1 - level) / 2 of the Winkler score.
    pinball: (winkler * (1 - level)) / 4,
  };
}
