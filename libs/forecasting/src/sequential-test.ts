/** Is the challenger better than the champion? A paired test that may be looked at after every truth and stopped at any time.
 *  It bets against "the challenger's mean loss is not lower": wealth grows by 1 + bet x outcome (Waudby-Smith & Ramdas 2023, "Estimating means of bounded random variables by
 *  betting": the capital process, here of several gamblers with fixed bets). While the challenger is not better, the wealth passes 1 / alpha with probability alpha at most, ever (Ville 1939).
 *
 *  What keeps that true for forecast errors:
 *  - Errors of h-step forecasts, and of a stream whose errors persist, hang together: outcomes are sums over blocks of twice the horizon and 20 truths at least, whose sums hardly do.
 *    The bound is exact where the expected (clipped) difference of a block does not depend on the blocks before; for AR(1) errors with coefficient 0.8 npm run bench:promotion measures it.
 *  - Heavy tails: a loss counts at most LIMIT typical losses, and a block at most CLIP standard deviations, both known before the block.
 *  - Several streams hang together in time: give the mean of their losses at a time as one loss, each stream's divided by its own scale. */

/** Shortest block, and blocks in horizons. */
const BLOCK = 20;
const BLOCK_HORIZONS = 2;
/** A loss counts at most this many typical losses: one outage does not decide, and a challenger with rare large errors still pays for them. */
const LIMIT = 6;
const SCALE_RATE = 1 / 100;
/** A block's difference counts at most this many standard deviations of such differences. */
const CLIP = 3;
const VARIANCE_RATE = 1 / 50;
/** Blocks that only tell how blocks spread. */
const FIRST_BLOCKS = 2;
/** Differences that spread less than this share of the typical loss are not worth a swap. */
const LEAST_SPREAD = 1e-3;
/** Shares of the wealth that are bet, each by a gambler of its own. */
const BETS = [0.25, 0.5, 0.75, 0.95];
const MOST_WEALTH = 1e100;

const [SUM, TRUTHS, SCALE, SEEN, VARIANCE, BLOCKS, WEALTH] = [0, 1, 2, 3, 4, 5, 6];
/** Floats of a test's state. */
export const TEST_SIZE = WEALTH + BETS.length;

export function resetTest(state: Float64Array, at: number): void {
  state.fill(0, at, at + WEALTH);
  state.fill(1, at + WEALTH, at + TEST_SIZE);
}

/** Truths a block, for forecasts `horizon` steps ahead. */
export const testBlock = (horizon: number): number => Math.max(BLOCK, BLOCK_HORIZONS * horizon);

/** Takes in both models' absolute errors on one truth and returns the evidence (e-value) that the challenger is better: 1 at the start; promote at 1 / alpha.
 *  To tell whether a promoted model should be rolled back, run a second test the other way round. A missing loss (NaN) changes nothing. `block` from testBlock. */
export function compareLosses(
  state: Float64Array,
  at: number,
  block: number,
  champion: number,
  challenger: number,
): number {
  const typical = champion + (challenger - champion) / 2;
  if (!Number.isFinite(typical)) return evidence(state, at);
  const scale = state[at + SCALE];
  const limit = LIMIT * scale;
  state[at + SEEN]++;
  const rate = Math.max(SCALE_RATE, 1 / state[at + SEEN]);
  state[at + SCALE] = scale + rate * ((scale > 0 ? Math.min(typical, limit) : typical) - scale);
  if (!(scale > 0)) return evidence(state, at);
  state[at + SUM] += (Math.min(champion, limit) - Math.min(challenger, limit)) / scale;
  state[at + TRUTHS]++;
  if (state[at + TRUTHS] >= block) settle(state, at);
  return evidence(state, at);
}

/** The mean of the gamblers' wealth. */
export function evidence(state: Float64Array, at: number): number {
  let sum = 0;
  for (let i = 0; i < BETS.length; i++) sum += state[at + WEALTH + i];
  return sum / BETS.length;
}

/** A block is full: bets are settled on its mean difference in standard deviations, and only then is the deviation brought up to date. */
function settle(state: Float64Array, at: number): void {
  const truths = state[at + TRUTHS];
  const difference = state[at + SUM] / truths;
  const variance = state[at + VARIANCE];
  if (state[at + BLOCKS] >= FIRST_BLOCKS) {
    const deviation = Math.max(Math.sqrt(variance), LEAST_SPREAD / Math.sqrt(truths));
    const outcome = Math.min(Math.max(difference / (CLIP * deviation), -1), 1);
    for (let i = 0; i < BETS.length; i++) {
      const wealth = state[at + WEALTH + i] * (1 + BETS[i] * outcome);
      state[at + WEALTH + i] = Math.min(wealth, MOST_WEALTH);
    }
  }
  state[at + BLOCKS]++;
  const rate = Math.max(VARIANCE_RATE, 1 / state[at + BLOCKS]);
  state[at + VARIANCE] = variance + rate * (difference * difference - variance);
  state[at + SUM] = state[at + TRUTHS] = 0;
}
