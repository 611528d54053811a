/** How forecasts do, in plain words: against the best of the baselines, or where there is only that, against persistence, which predicts that the next value repeats the last. */
import type { Errors } from './protocol.js';

export interface Verdict {
  readonly text: string;
  readonly tone: 'better' | 'worse' | 'even' | 'none';
}

const MEASURING: Verdict = { text: 'measuring…', tone: 'none' };

export function compare(mae: number | null, yardstick: number | null, name = 'persistence'): Verdict {
  if (mae === null || yardstick === null) return MEASURING;
  if (yardstick === 0)
    return mae === 0
      ? { text: `the same as ${name}`, tone: 'even' }
      : { text: `worse than ${name}, which made no error`, tone: 'worse' };
  const gain = (1 - mae / yardstick) * 100;
  const rounded = Math.round(Math.abs(gain));
  if (rounded === 0) return { text: `the same as ${name}`, tone: 'even' };
  if (gain > 0) return { text: `${rounded} % better than ${name}`, tone: 'better' };
  if (rounded >= 200) return { text: `${(mae / yardstick).toFixed(1)} times the error of ${name}`, tone: 'worse' };
  return { text: `${rounded} % worse than ${name}`, tone: 'worse' };
}

export const BEST = 'the best baseline';

export function verdict({ source, maeModel, maePersistence, skill }: Errors): Verdict {
  if (skill !== undefined) return compare(skill === null ? null : 1 - skill, 1, BEST);
  if (source === 'baseline') return { text: 'baseline: repeats the last value', tone: 'none' };
  return compare(maeModel, maePersistence);
}
