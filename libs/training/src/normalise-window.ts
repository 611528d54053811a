/** Brings a stored window to the network's units, as the live pipeline does when it warms a stream up: one fit of centre, scale and change over the whole window. */
import { changeOf, fitScale, levelOf, limited, SCALE_FIELDS } from '#rnn/scaler';

export interface NormalisedWindow {
  readonly rows: number;
  /** [rows, 2 d]: the levels of all inputs, then their changes; missing values carried forward; 0 before an input's first value. */
  readonly features: Float32Array;
  /** [rows]: (x1 of the next row - x1) / change of x1, limited; 0 where `known` is 0. */
  readonly targets: Float32Array;
  /** [rows]: 1 where both values that the target needs are there. */
  readonly known: Uint8Array;
}

/** `rows`: [n, width], each ts then the inputs, oldest first, NaN = missing. */
export function normaliseWindow(rows: Float64Array, width: number): NormalisedWindow {
  const n = Math.floor(rows.length / width);
  const d = width - 1;
  const scales = new Float64Array(d * SCALE_FIELDS);
  const features = new Float32Array(n * 2 * d);
  for (let k = 0; k < d; k++) {
    const at = k * SCALE_FIELDS;
    fitScale(
      Float64Array.from({ length: n }, (_, t) => rows[t * width + 1 + k]),
      scales,
      at,
    );
    let last = NaN;
    for (let t = 0; t < n; t++) {
      const value = rows[t * width + 1 + k];
      const previous = last;
      if (Number.isFinite(value)) last = value;
      if (last !== last) continue;
      features[t * 2 * d + k] = levelOf(scales, at, last);
      features[t * 2 * d + d + k] = changeOf(scales, at, last, previous);
    }
  }
  const targets = new Float32Array(n);
  const known = new Uint8Array(n);
  for (let t = 0; t + 1 < n; t++) {
    const difference = rows[(t + 1) * width + 1] - rows[t * width + 1];
    if (!Number.isFinite(difference)) continue;
    targets[t] = limited(difference / scales[2]);
    known[t] = 1;
  }
  return { rows: n, features, targets, known };
}
