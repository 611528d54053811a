/** Each stream's own scale, used alike in training and live: where an input lies (centre), how far it spreads (scale), and how much it changes from tick to tick (change).
 *  A robust start from a window of values, then one cheap step a tick. */

/** Three numbers an input in whatever array holds them: centre, scale, change. */
export const SCALE_FIELDS = 3;

/** Features and targets stay within +-LIMIT scales. */
export const LIMIT = 8;
/** Weight of a new tick: the scale follows a stream over some hundreds of ticks. */
const RATE = 1 / 256;
/** A deviation counts at most this many scales, so that one wild value moves little and a lasting one still moves the scale by 2 % a tick. */
const CLIP = 6;
/** For a normal distribution the mean absolute deviation times this is the standard deviation. */
const MAD_TO_STD = 1.2533141373155003;
/** And the median absolute deviation times this. */
const MEDIAN_AD_TO_STD = 1.4826;
/** Outliers are pulled in to this many robust deviations before means are taken. */
const PULL = 5;

/** Writes centre, scale and change of `values` (oldest first; NaN = missing) to target[at ..]. A constant stream has scale 1, and a change so small
 *  that whatever the network says of it comes to nothing. */
export function fitScale(values: ArrayLike<number>, target: Float64Array, at: number): void {
  const known = Array.from(values).filter(Number.isFinite);
  write(target, at, known, known);
}

/** The same for an input that the network is only given. Such a one may rest for long, as a flag does: how far it spreads and changes is told by the values it moves to, however
 *  rarely that is. What has never moved is taken to move by 1. */
export function fitInputScale(values: ArrayLike<number>, target: Float64Array, at: number): void {
  const known = Array.from(values).filter(Number.isFinite);
  const moves = known.filter((value, i) => i === 0 || value !== known[i - 1]);
  write(target, at, known, moves);
  if (moves.length < 2) target[at + 2] = 1;
}

/** The centre is that of all `known` values, scale and change are those of `telling` ones. */
function write(target: Float64Array, at: number, known: readonly number[], telling: readonly number[]): void {
  const changes = telling.slice(1).map((value, i) => value - telling[i]);
  const [all, sorted] = [known, telling].map((some) => [...some].sort((a, b) => a - b));
  const centre = mean(pulledIn(all, median(all))) ?? 0;
  target[at] = centre;
  target[at + 1] = spread(sorted, median(sorted), centre) || 1;
  target[at + 2] = spread(changes, 0, 0);
  for (let k = 1; k < SCALE_FIELDS; k++) target[at + k] = Math.max(target[at + k], floorOf(centre));
}

/** Moves centre, scale and change (meta[at ..]) by one value; `previous` is the last known one. */
export function updateScale(meta: Float64Array, at: number, value: number, previous: number): void {
  const floor = floorOf(meta[at]);
  const scale = meta[at + 1];
  const deviation = moveCentre(meta, at, value);
  meta[at + 1] = Math.max(scale + RATE * (MAD_TO_STD * Math.abs(deviation) - scale), floor);
  if (previous !== previous) return;
  const change = meta[at + 2];
  const moved = Math.min(Math.abs(value - previous), CLIP * change);
  meta[at + 2] = Math.max(change + RATE * (MAD_TO_STD * moved - change), floor);
}

/** The same for an input that the network is only given: see fitInputScale. */
export function updateInputScale(meta: Float64Array, at: number, value: number, previous: number): void {
  if (value === previous) moveCentre(meta, at, value);
  else updateScale(meta, at, value, previous);
}

/** Returns how far off the centre the value was, within CLIP scales. */
function moveCentre(meta: Float64Array, at: number, value: number): number {
  const limit = CLIP * meta[at + 1];
  const deviation = Math.min(Math.max(value - meta[at], -limit), limit);
  meta[at] += RATE * deviation;
  return deviation;
}

/** x within +-LIMIT. */
export const limited = (x: number): number => Math.min(Math.max(x, -LIMIT), LIMIT);

/** The level feature: (value - centre) / scale, limited. */
export const levelOf = (meta: Float64Array, at: number, value: number): number =>
  limited((value - meta[at]) / meta[at + 1]);

/** The change feature: (value - previous) / change, limited; 0 where there is no previous value. */
export const changeOf = (meta: Float64Array, at: number, value: number, previous: number): number =>
  previous === previous ? limited((value - previous) / meta[at + 2]) : 0;

/** Scaled mean absolute deviation from `centre` after outliers are pulled in; where more than half of the values are equal, the most extreme tenth is left out instead.
 *  0 if what is left is constant. */
function spread(values: readonly number[], middle: number, centre: number): number {
  const deviations = values.map((x) => Math.abs(x - middle)).sort((a, b) => a - b);
  const typical = MEDIAN_AD_TO_STD * median(deviations);
  const kept =
    typical > 0
      ? pulledIn(values, middle).map((x) => Math.abs(x - centre))
      : deviations.slice(0, Math.ceil(0.9 * deviations.length));
  return MAD_TO_STD * (mean(kept) ?? 0);
}

function pulledIn(values: readonly number[], middle: number): number[] {
  const reach = PULL * MEDIAN_AD_TO_STD * median(values.map((x) => Math.abs(x - middle)).sort((a, b) => a - b));
  return values.map((x) => Math.min(Math.max(x, middle - reach), middle + reach));
}

/** Below this, differences are rounding errors of the values themselves. */
const floorOf = (centre: number): number => 1e-9 * Math.max(Math.abs(centre), 1e-3);

const mean = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : values.reduce((sum, x) => sum + x, 0) / values.length;

/** Of sorted values; 0 of none. */
function median(sorted: readonly number[]): number {
  const at = sorted.length >> 1;
  if (sorted.length === 0) return 0;
  return sorted.length % 2 === 1 ? sorted[at] : (sorted[at - 1] + sorted[at]) / 2;
}
