/** What a stored window teaches: at every tick what the network is given, and what it should say. */
import { fitScale, SCALE_FIELDS } from '#rnn/scaler';
import type { ForecastPlan } from './forecast-plan.js';
import { forecastFeatures, writeOtherInput } from './other-inputs.js';

export interface TrainingRows {
  /** [rows, forecastFeatures(inputs, gaps)] */
  readonly features: Float32Array;
  /** [rows, H]: what the plan's transform makes of the value `h` ticks later (by default how far it is from its base as known at the row, in the row's scales); NaN where
   *  either is missing. */
  readonly targets: Float32Array;
}

/** `window`: [n, width], each ts (ms) and the inputs, oldest first, NaN = missing; the first input is forecast. It is gone through as live ticks are; the first
 *  rows, of which the history knows no season yet, are left out. */
export function trainingRows(plan: ForecastPlan, window: Float64Array, width = 2): TrainingRows {
  const { horizon: H } = plan;
  const inputs = width - 1;
  const n = Math.floor(window.length / width);
  const state = new Float64Array(plan.size);
  plan.reset(state);
  const first = Math.min(n, plan.options.season + 1);
  const size = forecastFeatures(inputs, plan.options.gaps);
  const features = new Float32Array((n - first) * size);
  const targets = new Float32Array((n - first) * H).fill(NaN);
  const scales = new Float64Array(inputs * SCALE_FIELDS);
  for (let k = 1; k < inputs; k++)
    fitScale(
      Float64Array.from({ length: n }, (_, t) => window[t * width + 1 + k]),
      scales,
      k * SCALE_FIELDS,
    );
  const last = new Float64Array(inputs).fill(NaN);
  for (let t = 0; t < n; t++) {
    const row = t - first;
    plan.absorb(state, 0, window[t * width], window[t * width + 1]);
    for (let k = 1; k < inputs; k++) {
      const value = window[t * width + 1 + k];
      const previous = last[k];
      if (value === value) last[k] = value;
      if (row >= 0)
        writeOtherInput(features, row * size + plan.features, k, last[k], previous, scales, k * SCALE_FIELDS);
    }
    if (row < 0) continue;
    plan.writeFeatures(state, 0, features, row * size);
    for (let h = 1; h <= H && t + h < n; h++)
      targets[row * H + h - 1] = plan.target(state, 0, h, window[(t + h) * width + 1]);
  }
  return { features, targets };
}
