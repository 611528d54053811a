/** What a training learns from and is judged by. */
import type { ForecastSpec } from '#domain/model';
import { ForecastPlan } from '#forecasting/forecast-plan';
import { forecastFeatures } from '#forecasting/other-inputs';
import { trainingRows, type TrainingRows } from '#forecasting/training-rows';

/** Of each window, the newest rows say what was learnt from the others. */
const HELD_BACK = 0.1;
const MAX_HELD_BACK = 512;

export interface Rows {
  readonly all: readonly TrainingRows[];
  /** Without the newest rows, and without the targets that lie in them. */
  readonly older: readonly TrainingRows[];
  /** Rows of each window that `older` is without. */
  readonly held: readonly number[];
}

export function rowsOf(spec: ForecastSpec, windows: readonly Float64Array[], inputs: number): Rows {
  const plan = new ForecastPlan(spec);
  const { targets = 1, horizon } = spec;
  const size = forecastFeatures(inputs, spec.gaps, targets);
  const all = windows.map((window) => trainingRows(plan, window, 1 + inputs, targets));
  const held = all.map(({ features }) => Math.min(MAX_HELD_BACK, Math.floor((HELD_BACK * features.length) / size)));
  return { all, held, older: all.map((rows, s) => before(rows, size, horizon, held[s])) };
}

function before({ features, targets }: TrainingRows, size: number, horizon: number, held: number): TrainingRows {
  const rows = features.length / size - held;
  const outputs = targets.length / (features.length / size);
  const known = targets.slice(0, rows * outputs);
  for (let t = Math.max(0, rows - horizon); t < rows; t++)
    for (let k = t * outputs; k < (t + 1) * outputs; k += horizon) known.fill(NaN, k + rows - t - 1, k + horizon);
  return { features: features.subarray(0, rows * size), targets: known };
}
