/** Each stream's own scale. A robust start from its window, then one cheap step a tick. */

/** Weight of a new tick: the scale follows a stream over some hundreds of ticks. */
const RATE = 1 / 256;
/** A deviation counts at most this many scales, so that one wild value moves little and a lasting one still moves the scale by 2 % a tick. */
const CLIP = 6;
/** For a normal distribution the mean absolute deviation times this is the standard deviation. */
const MAD_TO_STD = 1.2533141373155003;
/** And the median absolute deviation times this. */
const MEDIAN_AD_TO_STD = 1.4826;
const PULL = 5;
/** Inputs to the network stay within +-LIMIT scales. */
const LIMIT = 8;

/** Centre and scale of the finite values among `values`: their mean, and their scaled mean absolute deviation from it, after pulling outliers in to the median +-
 *  PULL robust deviations. Where more than half of the values are equal, the most extreme tenth is left out instead; a constant stream has scale 1. */
export function robustScale(values: readonly number[]): { centre: number; scale: number } {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return { centre: 0, scale: 1 };
  const middle = median(sorted);
  const deviations = sorted.map((x) => Math.abs(x - middle)).sort((a, b) => a - b);
  const typical = MEDIAN_AD_TO_STD * median(deviations);
  if (typical > 0) {
    const pulled = sorted.map((x) => Math.min(Math.max(x, middle - PULL * typical), middle + PULL * typical));
    const centre = mean(pulled);
    return { centre, scale: Math.max(MAD_TO_STD * mean(pulled.map((x) => Math.abs(x - centre))), floorOf(centre)) };
  }
  const scale = MAD_TO_STD * mean(deviations.slice(0, Math.max(1, Math.ceil(0.9 * deviations.length))));
  return { centre: middle, scale: scale > 0 ? Math.max(scale, floorOf(middle)) : 1 };
}

/** Moves centre (meta[at]) and scale (meta[at + 1]) by one value. */
export function updateScale(meta: Float64Array, at: number, value: number): void {
  const centre = meta[at];
  const scale = meta[at + 1];
  const limit = CLIP * scale;
  const deviation = Math.min(Math.max(value - centre, -limit), limit);
  meta[at] = centre + RATE * deviation;
  meta[at + 1] = Math.max(scale + RATE * (MAD_TO_STD * Math.abs(deviation) - scale), floorOf(centre));
}

/** (value - centre) / scale, within +-LIMIT. */
export function normalise(meta: Float64Array, at: number, value: number): number {
  return Math.min(Math.max((value - meta[at]) / meta[at + 1], -LIMIT), LIMIT);
}

/** Below this, differences are rounding errors of the values themselves. */
const floorOf = (centre: number): number => 1e-9 * Math.max(Math.abs(centre), 1e-3);

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
