/** How all streams of a pipeline repeat themselves: after how many ticks, and whether ticks that were left out are among them. */
import { lagError } from '#forecasting/lag-error';
import { findSeason } from '#forecasting/season';
import { tickNumbers } from '#forecasting/spacing';

/** Streams that are asked. */
const ASKED = 16;
/** What serves goes on counting as it does unless errors by the other count are this much smaller. */
const CLEARLY = 0.8;
/** A window is not stretched to more than so many times its rows: it has been silent too long to say anything of seasons. */
const LONGEST = 4;

export interface Rhythm {
  /** Ticks of a season, 0 for none. */
  readonly season: number;
  readonly regular: boolean;
}

export interface RhythmOptions {
  readonly season: number | 'auto';
  readonly regular?: boolean | 'auto' | undefined;
  /** How many inputs are forecast, the first ones. */
  readonly targets?: number | undefined;
  /** How a model that serves counts, if there is one. */
  readonly now?: boolean | undefined;
}

/** `windows`: rows of `width` numbers, ts and the inputs; the longest ones are looked at. Without a season nothing is gained by counting what was left out. */
export function chooseRhythm(
  windows: readonly Float64Array[],
  width: number,
  { season, regular = false, targets = 1, now }: RhythmOptions,
): Rhythm {
  const longest = [...windows].sort((a, b) => b.length - a.length).slice(0, ASKED);
  const seriesBy = (counts: boolean): Float64Array[] =>
    longest.flatMap((window) => seriesOf(window, width, targets, counts));
  const seasonIn = (series: readonly Float64Array[]): number => (season === 'auto' ? mostFound(series) : season);
  if (regular !== 'auto') return { season: seasonIn(seriesBy(regular)), regular };
  if (longest.every((window) => isWhole(window, width)))
    return counting({ season: seasonIn(seriesBy(true)), regular: true });
  const [plain, counted] = [false, true].map((counts) => {
    const series = seriesBy(counts);
    const found = seasonIn(series);
    return { season: found, regular: counts, error: found === 0 ? Infinity : repeatError(series, found) };
  });
  const [own, other] = now === false ? [plain, counted] : [counted, plain];
  const chosen = other.error < (now === undefined ? 1 : CLEARLY) * own.error ? other : own;
  return counting(chosen);
}

const counting = ({ season, regular }: Rhythm): Rhythm => ({ season, regular: regular && season > 0 });

/** Whether no tick was left out. */
const isWhole = (window: Float64Array, width: number): boolean =>
  window.length === 0 || tickNumbers(window, width).at(-1) === window.length / width - 1;

/** The values of each target, one after the other; NaN where ticks were left out, if these count. */
function seriesOf(window: Float64Array, width: number, targets: number, counts: boolean): Float64Array[] {
  const rows = window.length / width;
  const numbers = counts ? tickNumbers(window, width) : undefined;
  const length = numbers === undefined || rows === 0 ? rows : numbers[rows - 1] + 1;
  const stretched = length <= LONGEST * rows ? numbers : undefined;
  return Array.from({ length: targets }, (_, k) => {
    const values = new Float64Array(stretched === undefined ? rows : length).fill(NaN);
    for (let t = 0; t < rows; t++) values[stretched?.[t] ?? t] = window[t * width + 1 + k];
    return values;
  });
}

/** The season that most of them show. */
function mostFound(series: readonly Float64Array[]): number {
  const votes = new Map<number, number>();
  for (const values of series) {
    const season = findSeason(values);
    votes.set(season, (votes.get(season) ?? 0) + 1);
  }
  let [best, most] = [0, 0];
  for (const [season, count] of votes)
    if (count > most || (count === most && season < best)) [best, most] = [season, count];
  return 2 * most > series.length ? best : 0;
}

/** How far values are from those a season before, in what they change from tick to tick; Infinity where there are none. */
function repeatError(series: readonly Float64Array[], season: number): number {
  const errors = series
    .map((values) => lagError(values, season) / lagError(values, 1))
    .filter((error) => Number.isFinite(error));
  return errors.length === 0 ? Infinity : errors.reduce((a, b) => a + b, 0) / errors.length;
}
