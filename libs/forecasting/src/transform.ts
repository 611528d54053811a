/** What a network is given of a stream's values and asked for, where that is not how far they are from their base in the stream's own scales (`difference`):
 *
 *  log    the logarithm of value over base, over how large these typically are: what grows and swings in proportion to its level looks the same at every level.
 *         A base that is not above 0 has no logarithm: there the difference speaks, and a value that is not is as far down as can be said.
 *  none   the value from the stream's running centre, over its running spread: for what comes back to where it was.
 *
 *  Baselines, mixture, intervals and scores know nothing of it. What a transform has to know of a stream lies in the stream's plan, at state[at ..]. */
import type { Transform } from '#domain/model';
import { exp, ln } from './logarithm.js';

export const Returns = { spread: 0, count: 1, last: 2, change: 3 } as const;
const Level = { centre: 0, spread: 1, count: 2 } as const;

/** Floats each keeps of a stream, all float64. No two have as many: a stored plan of one is never taken for that of another. */
export const TRANSFORM_FIELDS: Readonly<Record<Transform, number>> = { difference: 0, log: 4, none: 3 };

/** Features and targets stay within so many scales. */
const LIMIT = 8;
/** Ticks that centre and spread remember, and from when on a wild one counts as LIMIT spreads. */
const MEMORY = 512;
const TRUSTED = 32;
/** Smaller ratios are rounding. */
const LEAST_RETURN = 1e-6;
/** A forecast is at most e to this times its base: both ends are float32s. */
const MOST_RETURN = 80;

/** x within +-LIMIT; NaN stays NaN. */
export const limited = (x: number): number => Math.min(Math.max(x, -LIMIT), LIMIT);

/** Below this share of the level a residual is rounding. */
export const floorOf = (level: number): number => (level === level ? Math.abs(level) * 1e-6 : 0) + 1e-12;

/** Takes in a tick whose base was `base`; `scale` is the stream's. NaN = missing. */
export function followReturns(state: Float64Array, at: number, value: number, base: number, scale: number): void {
  if (value > 0 && base > 0) {
    const size = Math.abs(ln(value / base));
    const spread = state[at + Returns.spread];
    // As long as nothing has moved, nothing is known of how large moves are.
    const n = (state[at + Returns.count] = spread > 0 ? Math.min(state[at + Returns.count] + 1, MEMORY) : 1);
    state[at + Returns.spread] += ((n > TRUSTED ? Math.min(size, LIMIT * spread) : size) - spread) / n;
  }
  const last = returnIn(state, at, value, base, scale);
  state[at + Returns.change] = last - state[at + Returns.last];
  state[at + Returns.last] = last;
}

/** What the network is given or asked for of a value; NaN where value or base is missing, or nothing is known yet. */
export function returnIn(state: Float64Array, at: number, value: number, base: number, scale: number): number {
  if (!(base > 0)) return (value - base) / scale;
  if (!(value > 0)) return value === value ? -LIMIT : NaN;
  return ln(value / base) / typicalReturn(state, at);
}

/** The forecast that the network's y is. */
export function returnOut(state: Float64Array, at: number, y: number, base: number, scale: number): number {
  if (!(base > 0)) return base + y * scale;
  const over = limited(y) * typicalReturn(state, at);
  return base * exp(Math.min(Math.max(over, -MOST_RETURN), MOST_RETURN));
}

const typicalReturn = (state: Float64Array, at: number): number =>
  state[at + Returns.count] > 0 ? Math.max(state[at + Returns.spread], LEAST_RETURN) : NaN;

/** Takes in a value; NaN = missing. */
export function followLevel(state: Float64Array, at: number, value: number): void {
  if (value !== value) return;
  const [centre, spread, count] = [at + Level.centre, at + Level.spread, at + Level.count];
  if (state[count] === 0) {
    state[centre] = value;
    state[count] = 1;
    return;
  }
  // As long as nothing has moved, nothing is known of how large moves are.
  const n = (state[count] = state[spread] > 0 ? Math.min(state[count] + 1, MEMORY) : 2);
  const most = n > TRUSTED ? LIMIT * state[spread] : Infinity;
  const deviation = Math.min(Math.max(value - state[centre], -most), most);
  state[spread] += (Math.abs(deviation) - state[spread]) / (n - 1);
  state[centre] += deviation / n;
}

export const levelIn = (state: Float64Array, at: number, value: number): number =>
  (value - state[at + Level.centre]) / typicalDeviation(state, at);

/** The forecast that the network's y is. */
export const levelOut = (state: Float64Array, at: number, y: number): number =>
  state[at + Level.centre] + y * typicalDeviation(state, at);

const typicalDeviation = (state: Float64Array, at: number): number =>
  state[at + Level.count] > 1 ? Math.max(state[at + Level.spread], floorOf(state[at + Level.centre])) : NaN;
