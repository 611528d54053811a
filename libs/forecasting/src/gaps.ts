/** How long a stream's last tick came after the one before, against what is usual for it: what a network is given where ticks come irregularly. Lies in the stream's plan, at state[at ..]. */
import { ln } from './logarithm.js';
import { limited } from './transform.js';

const Gap = { usual: 0, last: 1 } as const;
/** Floats it keeps of a stream, both float64; with those of any transform another number than those of any other. */
export const GAP_FIELDS = 2;

/** Ticks that the usual gap remembers; one counts as eight times it at most. */
const MEMORY = 512;
const WIDEST = 8;

/** Takes in a gap in ms; NaN at the first tick. `n`: gaps there have been with it. */
export function followGap(state: Float64Array, at: number, gap: number, n: number): void {
  if (!(gap >= 0)) return;
  const usual = state[at + Gap.usual];
  state[at + Gap.last] = usual > 0 ? limited(gap > 0 ? ln(gap / usual) : -Infinity) : 0;
  state[at + Gap.usual] = usual > 0 ? usual + (Math.min(gap, WIDEST * usual) - usual) / Math.min(n, MEMORY) : gap;
}

/** The logarithm of the last gap over what was usual before it, within +-8; 0 where that is not known, the least where both ticks have one time. */
export const gapFeature = (state: Float64Array, at: number): number => state[at + Gap.last];

/** Of a window's gaps: how far from the middle one, as a factor, one counts as irregular, and how many of them make a stream irregular. */
const OFF = 1.5;
const SHARE = 0.05;

/** Whether ticks come irregularly, on the whole. Windows are row-major [n, width], ts first. */
export function areIrregular(windows: readonly Float64Array[], width: number): boolean {
  let [off, all] = [0, 0];
  for (const window of windows) {
    const gaps = Array.from(
      { length: Math.max(0, window.length / width - 1) },
      (_, t) => window[(t + 1) * width] - window[t * width],
    );
    const middle = [...gaps].sort((a, b) => a - b)[gaps.length >> 1];
    all += gaps.length;
    off += gaps.filter((gap) => gap > OFF * middle || gap * OFF < middle).length;
  }
  return off > SHARE * all;
}
