/** What a stored window teaches: at every tick what the network is given, and what it should say. */
import { fitInputScale, SCALE_FIELDS } from '#rnn/scaler';
import type { ForecastPlan } from './forecast-plan.js';
import { forecastFeatures, writeOtherInput } from './other-inputs.js';
import { tickNumbers } from './spacing.js';

export interface TrainingRows {
  /** [rows, forecastFeatures(inputs, gaps, targets)] */
  readonly features: Float32Array;
  /** [rows, targets, H]: what the plan's transform makes of the value `h` ticks later (by default how far it is from its base as known at the row, in the row's scales); NaN where
   *  either is missing. */
  readonly targets: Float32Array;
}

/** `window`: [n, width], each ts (ms) and the inputs, oldest first, NaN = missing; the first `forecast` inputs are forecast. It is gone through as live ticks are; the
 *  first rows, of which the history knows no season yet, are left out. */
export function trainingRows(plan: ForecastPlan, window: Float64Array, width = 2, forecast = 1): TrainingRows {
  const { horizon: H } = plan;
  const inputs = width - 1;
  const n = Math.floor(window.length / width);
  const state = new Float64Array(forecast * plan.size);
  for (let k = 0; k < forecast; k++) plan.reset(state, k * plan.size);
  const first = Math.min(n, plan.options.season + 1);
  const size = forecastFeatures(inputs, plan.options.gaps, forecast);
  const features = new Float32Array((n - first) * size);
  const targets = new Float32Array((n - first) * forecast * H).fill(NaN);
  const scales = new Float64Array(inputs * SCALE_FIELDS);
  for (let k = forecast; k < inputs; k++)
    fitInputScale(
      Float64Array.from({ length: n }, (_, t) => window[t * width + 1 + k]),
      scales,
      k * SCALE_FIELDS,
    );
  const last = new Float64Array(inputs).fill(NaN);
  const own = forecast * plan.features;
  const numbers = plan.options.regular === true ? tickNumbers(window, width) : undefined;
  for (let t = 0; t < n; t++) {
    const row = t - first;
    for (let k = 0; k < forecast; k++) {
      plan.catchUp(state, k * plan.size, window[t * width]);
      plan.absorb(state, k * plan.size, window[t * width], window[t * width + 1 + k]);
    }
    for (let k = forecast; k < inputs; k++) {
      const value = window[t * width + 1 + k];
      const previous = last[k];
      if (value === value) last[k] = value;
      if (row >= 0)
        writeOtherInput(features, row * size + own, k - forecast, last[k], previous, scales, k * SCALE_FIELDS);
    }
    for (let k = 0; k < forecast && row >= 0; k++) {
      const at = k * plan.size;
      plan.writeFeatures(state, at, features, row * size + k * plan.features);
      const to = (row * forecast + k) * H;
      for (let later = t + 1; later < n; later++) {
        const h = numbers === undefined ? later - t : numbers[later] - numbers[t];
        if (h > H) break;
        targets[to + h - 1] = plan.target(state, at, h, window[later * width + 1 + k]);
      }
    }
  }
  return { features, targets };
}
