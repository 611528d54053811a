/** Have a model's errors become lastingly larger? A one-sided CUSUM (Page 1954) on the means of blocks of errors against the mean learnt since the last reset, tuned to a doubling:
 *  the excess over 1.5 times that mean is summed, never below 0, and as the log-likelihood ratio of a doubling for normal block means it raises the alarm.
 *  The variance is that of block means as observed, so errors that persist raise the threshold by themselves; heavy tails are cut at both levels.
 *  Measured by npm run bench:drift: about one false alarm in 100,000 truths at most (normal, Laplace and Student-t(3) errors, AR(1) up to 0.8). */

/** Shortest block, and blocks in horizons: errors of h-step forecasts hang together over h. */
const BLOCK = 20;
const BLOCK_HORIZONS = 2;
/** Half of what is looked for: the mean plus once the mean. */
const SHIFT = 0.5;
/** The log-likelihood ratio that raises the alarm; exp(12) blocks between false ones, were block means normal and independent. */
const ALARM = 12;
/** It is higher by this many blocks' share while mean and variance are known from few. */
const UNCERTAINTY = 10;
const FIRST_BLOCKS = 10;
/** An error counts at most this many typical errors, a block at most this much over the mean. */
const LIMIT = 6;
const CAP = 1.25;
const CLIP = 3;
/** While the first blocks are learnt from, none is taken for an exception that is not this far off. */
const FIRST_CLIP = 9;
const SCALE_RATE = 1 / 1000;
/** Blocks the reference remembers. */
const RATE = 1 / 200;
/** The scale begins at a unit that counts as much as this many errors. */
const PRIOR = 8;
/** Errors below this many units are no errors. */
const FLOOR = 1e-3;

const [SUM, TRUTHS, SCALE, SEEN, MEAN, VARIANCE, BLOCKS, EXCESS] = [0, 1, 2, 3, 4, 5, 6, 7];
/** Floats of a detector's state. */
export const DRIFT_SIZE = 8;

/** After a retraining or a swap too: the new model's errors are the new reference. */
export const resetDrift = (state: Float64Array, at: number): void => {
  state.fill(0, at, at + DRIFT_SIZE);
};

/** Truths a block, for forecasts `horizon` steps ahead. */
export const driftBlock = (horizon: number): number => Math.max(BLOCK, BLOCK_HORIZONS * horizon);

/** Takes in one forecast's error and says whether to retrain now. An alarm resets the detector, which then learns what is usual anew, so that one change is one alarm.
 *  `unit` is what the stream's changes are measured in (the scaler's change), above 0. A missing truth (NaN) changes nothing. `block` from driftBlock. */
export function detectDrift(state: Float64Array, at: number, block: number, unit: number, error: number): boolean {
  if (!(unit > 0) || !Number.isFinite(error)) return false;
  const floor = FLOOR * unit;
  const scale = state[at + SEEN] === 0 ? unit : Math.max(state[at + SCALE], floor);
  const size = Math.min(Math.max(Math.abs(error), floor), LIMIT * scale);
  state[at + SEEN]++;
  state[at + SCALE] = scale + Math.max(SCALE_RATE, 1 / (PRIOR + state[at + SEEN])) * (size - scale);
  state[at + SUM] += size;
  state[at + TRUTHS]++;
  if (state[at + TRUTHS] < block) return false;
  const mean = state[at + SUM] / state[at + TRUTHS];
  state[at + SUM] = state[at + TRUTHS] = 0;
  return takeBlock(state, at, block, mean);
}

function takeBlock(state: Float64Array, at: number, block: number, mean: number): boolean {
  const blocks = ++state[at + BLOCKS];
  if (blocks === 1) {
    state[at + MEAN] = mean;
    return false;
  }
  const over = mean / state[at + MEAN] - 1;
  const known = blocks > FIRST_BLOCKS;
  if (known) {
    const excess = Math.max(state[at + EXCESS] + Math.min(over, CAP) - SHIFT, 0);
    // Independent exponential errors have this variance; less is luck, or a stream whose errors are all alike.
    const variance = Math.max(state[at + VARIANCE], 1 / block);
    if (2 * SHIFT * excess > ALARM * variance * (1 + UNCERTAINTY / blocks)) {
      resetDrift(state, at);
      return true;
    }
    state[at + EXCESS] = excess;
  }
  const limit = CLIP * Math.sqrt(state[at + VARIANCE]) + (known ? 0 : FIRST_CLIP);
  const moved = Math.min(over, limit);
  const rate = Math.max(RATE, 1 / blocks);
  state[at + VARIANCE] += rate * (moved * moved - state[at + VARIANCE]);
  // A change under suspicion does not become what is usual.
  if (state[at + EXCESS] === 0) state[at + MEAN] *= 1 + rate * moved;
  return false;
}
