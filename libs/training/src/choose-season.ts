/** One season for all streams of a pipeline: the one that most of them show. */
import { findSeason } from '#forecasting/season';

/** Streams that are asked. */
const ASKED = 16;

/** Ticks of a season, 0 for none. `windows`: rows of `width` numbers, ts and the inputs; the longest ones are looked at, at the first `targets` inputs. */
export function chooseSeason(windows: readonly Float64Array[], width: number, targets = 1): number {
  const longest = [...windows].sort((a, b) => b.length - a.length).slice(0, ASKED);
  const votes = new Map<number, number>();
  for (const window of longest)
    for (let k = 0; k < targets; k++) {
      const values = Float64Array.from({ length: window.length / width }, (_, t) => window[t * width + 1 + k]);
      const season = findSeason(values);
      votes.set(season, (votes.get(season) ?? 0) + 1);
    }
  let [best, most] = [0, 0];
  for (const [season, count] of votes)
    if (count > most || (count === most && season < best)) [best, most] = [season, count];
  return 2 * most > longest.length * targets ? best : 0;
}
