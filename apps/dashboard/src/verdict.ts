/** How a model does, in plain words. Persistence, the yardstick, predicts that the next value repeats the last. */
import type { Errors } from './protocol.js';

export interface Verdict {
  readonly text: string;
  readonly tone: 'better' | 'worse' | 'even' | 'none';
}

const MEASURING: Verdict = { text: 'measuring…', tone: 'none' };

export function compare(mae: number | null, persistence: number | null): Verdict {
  if (mae === null || persistence === null) return MEASURING;
  if (persistence === 0)
    return mae === 0
      ? { text: 'the same as persistence', tone: 'even' }
      : { text: 'worse than persistence, which made no error', tone: 'worse' };
  const gain = (1 - mae / persistence) * 100;
  const rounded = Math.round(Math.abs(gain));
  if (rounded === 0) return { text: 'the same as persistence', tone: 'even' };
  if (gain > 0) return { text: `${rounded} % better than persistence`, tone: 'better' };
  if (rounded >= 200)
    return { text: `${(mae / persistence).toFixed(1)} times the error of persistence`, tone: 'worse' };
  return { text: `${rounded} % worse than persistence`, tone: 'worse' };
}

export function verdict({ source, maeModel, maePersistence }: Errors): Verdict {
  if (source === 'baseline') return { text: 'baseline: repeats the last value', tone: 'none' };
  return compare(maeModel, maePersistence);
}
