/** What step 3 makes of a batch. */

/** Numbers of a step in `SteppedBatch.steps`: forecast, and half the width of its interval. */
export const STEP_FIELDS = 2;

/** Columns by record; where several inputs are forecast, those of [count] are the first one's. */
export interface SteppedBatch {
  readonly prediction: Float64Array;
  /** Half the width of its interval; NaN where there is none. */
  readonly half: Float64Array;
  /** What had been forecast for this tick, and half the width of the interval issued with it; NaN if nothing. */
  readonly expected: Float64Array;
  readonly expectedHalf: Float64Array;
  readonly expectedFromModel: Uint8Array;
  /** [count, targets] */
  readonly source: Int8Array;
  /** [count, outputSize]; filled for models with several outputs that are served raw. */
  readonly outputs: Float32Array;
  /** Under a forecast plan: [count, targets, H, STEP_FIELDS], good until the next batch; and [count, targets], the network's share in the forecast H steps ahead. */
  readonly steps: Float64Array;
  readonly weight: Float64Array;
  /** [count, targets, H, quantiles] How far each quantile lies above the forecast, good until the next batch; NaN where it is not calibrated. */
  readonly quantiles: Float64Array;
  /** [count, targets] How many half widths the tick lay off what had been forecast for it; NaN where nothing was. */
  readonly anomaly: Float64Array;
}
