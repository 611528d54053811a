/** Brings a stored window to the network's units. The live pipeline uses running estimates of centre and scale; over a whole window the same
 *  two are estimated robustly, so that one broken reading does not flatten the rest. */

/** Network inputs, and targets during training, are clamped to this many scales. */
export const CLAMP = 8;

export interface NormalisedWindow {
  readonly rows: number;
  /** One for each input. */
  readonly centre: Float64Array;
  readonly scale: Float64Array;
  /** [rows, d]: clamp((x - centre) / scale), missing values carried forward; 0 before an input's first value. */
  readonly inputs: Float32Array;
  /** [rows]: (x1 of the next row - x1) / scale of x1, clamped; 0 where `known` is 0. */
  readonly targets: Float32Array;
  /** [rows]: 1 where both values that the target needs are there. */
  readonly known: Uint8Array;
}

/** `rows`: [n, width], each ts then the inputs, oldest first, NaN = missing. */
export function normaliseWindow(rows: Float64Array, width: number): NormalisedWindow {
  const n = Math.floor(rows.length / width);
  const d = width - 1;
  const centre = new Float64Array(d);
  const scale = new Float64Array(d);
  const inputs = new Float32Array(n * d);
  for (let k = 0; k < d; k++) {
    const column = Float64Array.from({ length: n }, (_, t) => rows[t * width + 1 + k]);
    [centre[k], scale[k]] = centreAndScale(column);
    let last = 0;
    for (let t = 0; t < n; t++) {
      if (Number.isFinite(column[t])) last = clamp((column[t] - centre[k]) / scale[k]);
      inputs[t * d + k] = last;
    }
  }
  const targets = new Float32Array(n);
  const known = new Uint8Array(n);
  for (let t = 0; t + 1 < n; t++) {
    const difference = rows[(t + 1) * width + 1] - rows[t * width + 1];
    if (!Number.isFinite(difference)) continue;
    targets[t] = clamp(difference / scale[0]);
    known[t] = 1;
  }
  return { rows: n, centre, scale, inputs, targets, known };
}

/** Mean and standard deviation after everything further than 5 robust deviations from the median is pulled in to there: as a running mean and
 *  deviation would see an ordinary stream, yet unmoved by a reading of 1e9. */
function centreAndScale(column: Float64Array): [number, number] {
  const sorted = column.filter((x) => Number.isFinite(x)).sort();
  if (sorted.length === 0) return [0, 1];
  const median = quantile(sorted, 0.5);
  const spread = robustSpread(sorted, median);
  // Rounding noise in a constant stream is not a scale.
  if (!(spread > 1e-12 * Math.abs(median))) return [median, 1];
  let sum = 0;
  let squares = 0;
  for (const x of sorted) {
    const e = Math.min(Math.max((x - median) / spread, -5), 5);
    sum += e;
    squares += e * e;
  }
  const mean = sum / sorted.length;
  const deviation = Math.sqrt(squares / sorted.length - mean * mean);
  const scale = spread * deviation;
  return Number.isFinite(scale) && scale > 0 ? [median + spread * mean, scale] : [median, 1];
}

/** A standard deviation's worth: from the median absolute deviation; where more than half the values are equal, from the quartiles; where those
 *  are too, from all but the outermost 1 % (and at least one value) on either side. */
function robustSpread(sorted: Float64Array, median: number): number {
  const mad = quantile(sorted.map((x) => Math.abs(x - median)).sort(), 0.5);
  if (mad > 0) return mad * 1.4826;
  const quartiles = quantile(sorted, 0.75) - quantile(sorted, 0.25);
  if (quartiles > 0) return quartiles / 1.349;
  const trim = Math.max(1, Math.ceil(sorted.length * 0.01));
  const inner = sorted.subarray(trim, sorted.length - trim);
  if (inner.length === 0) return 0;
  return Math.sqrt(inner.reduce((sum, x) => sum + (x - median) ** 2, 0) / inner.length);
}

function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.ceil(at);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

const clamp = (x: number): number => Math.min(Math.max(x, -CLAMP), CLAMP);
