/** How far apart a stream's ticks usually come, and how many were left out before the one that has come: where a sensor has been silent its season has gone on. Lies in the
 *  stream's plan, at state[at ..]. */

const Spacing = { usual: 0, steady: 1 } as const;
/** Floats it keeps of a stream, both float64: the usual gap in ms (0: not known yet), and the recent share of gaps that were about that long. */
export const SPACING_FIELDS = 2;

/** A gap this far from the usual one, relative to it, is not usual. */
const OFF = 0.25;
const RATE = 1 / 16;
/** Ticks that come steadily enough to be missed. */
const STEADY = 0.7;
/** Below it what was usual is so no more. */
const UNSTEADY = 0.5;

/** Takes in the gap before a tick, in ms (NaN at the first tick, 0 within one time). Returns how many ticks were left out in it. */
export function ticksLeftOut(state: Float64Array, at: number, gap: number): number {
  if (!(gap > 0)) return 0;
  const usual = state[at + Spacing.usual];
  const steady = state[at + Spacing.steady];
  const ratio = gap / usual;
  const isUsual = Math.abs(ratio - 1) <= OFF;
  state[at + Spacing.steady] += RATE * (Number(isUsual) - steady);
  if (isUsual) state[at + Spacing.usual] += RATE * (gap - usual);
  else if (steady < UNSTEADY) state[at + Spacing.usual] = gap;
  return steady >= STEADY && ratio > 1 ? Math.round(ratio) - 1 : 0;
}

/** The numbers of a window's ticks, from 0, those left out counted too. `window`: [n, width], ts first. */
export function tickNumbers(window: Float64Array, width: number): Float64Array {
  const numbers = new Float64Array(window.length / width);
  const state = new Float64Array(SPACING_FIELDS);
  for (let t = 1; t < numbers.length; t++)
    numbers[t] = numbers[t - 1] + 1 + ticksLeftOut(state, 0, window[t * width] - window[(t - 1) * width]);
  return numbers;
}
