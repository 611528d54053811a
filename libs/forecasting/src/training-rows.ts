/** What a stored window teaches: at every tick what the network is given, and what it should say. */
import { FEATURES, type ForecastPlan } from './forecast-plan.js';

/** Targets stay within so many scales, as features do. */
const LIMIT = 8;

export interface TrainingRows {
  /** [rows, FEATURES] */
  readonly features: Float32Array;
  /** [rows, H]: the value `h` ticks later minus its base as known at the row, in the row's scales; NaN where either is missing. */
  readonly targets: Float32Array;
}

/** `window`: [n, 2], each ts (ms) and value, oldest first, NaN = missing. It is gone through as live ticks are; the first rows, of which the history
 *  knows no season yet, are left out. */
export function trainingRows(plan: ForecastPlan, window: Float64Array): TrainingRows {
  const { horizon: H } = plan;
  const n = window.length / 2;
  const state = new Float64Array(plan.size);
  plan.reset(state);
  const first = Math.min(n, plan.options.season + 1);
  const features = new Float32Array((n - first) * FEATURES);
  const targets = new Float32Array((n - first) * H).fill(NaN);
  for (let t = 0; t < n; t++) {
    plan.absorb(state, window[2 * t], window[2 * t + 1]);
    if (t < first) continue;
    const row = t - first;
    plan.writeFeatures(state, features, row * FEATURES);
    const scale = plan.scaleOf(state);
    for (let h = 1; h <= H && t + h < n; h++) {
      const target = (window[2 * (t + h) + 1] - plan.base(state, h)) / scale;
      targets[row * H + h - 1] = Math.min(Math.max(target, -LIMIT), LIMIT);
    }
  }
  return { features, targets };
}
