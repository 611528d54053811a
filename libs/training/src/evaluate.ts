/** What a network is worth on the newest rows of some windows, which it was not trained on: each window is gone through as live ticks are, forecasts first. */
import type { Forecaster } from '#forecasting/forecaster';
import { JointForecaster } from '#forecasting/joint-forecaster';
import { forecastFeatures } from '#forecasting/other-inputs';
import type { TrainingRows } from '#forecasting/training-rows';
import { intervalPlan, intervalPoolSize, learnIntervalPool, resetIntervalPool } from '#forecasting/intervals';
import type { ForecastSpec } from '#domain/model';
import { createNetwork } from '#rnn/network';
import type { NetworkSpec } from '#rnn/spec';

/** Rows the hidden state is warmed up with before the first that is scored. */
const CONTEXT = 256;

export interface Evaluation {
  /** Truths scored. */
  readonly rows: number;
  /** Mean absolute errors H steps ahead, in units of each stream's scale, over all targets: of the mixture, the network alone, persistence and the best of all baselines. */
  readonly mae: number;
  readonly networkMae: number;
  readonly persistenceMae: number;
  readonly baselineMae: number;
  /** Errors by target and step, for streams that have no truths of their own yet. */
  readonly calibration: number[];
  /** The network's errors one by one, a held-back row each (of its targets the mean); NaN where there is none. */
  readonly errors: number[];
}

/** `rows[s]` belongs to windows[s], whose last `held[s]` rows are scored. */
export function evaluate(
  plan: ForecastSpec & { readonly level: number },
  network: NetworkSpec,
  weights: Float32Array,
  windows: readonly Float64Array[],
  rows: readonly TrainingRows[],
  held: readonly number[],
  inputs: number,
): Evaluation {
  const forecaster = new JointForecaster(plan);
  const served = createNetwork(network, weights, { capacity: 1, maxWave: 1 });
  const { targets, part } = forecaster;
  const pooled = intervalPlan({ steps: targets[0].plan.knots.length, level: plan.level, phases: 0 });
  const pools = targets.map(() => new Float64Array(intervalPoolSize(pooled)));
  for (const pool of pools) resetIntervalPool(pooled, pool);
  const state = new Float64Array(forecaster.size);
  const width = 1 + inputs;
  const size = forecastFeatures(inputs, plan.gaps, plan.targets);
  const errors: number[] = [];
  windows.forEach((window, s) => {
    const n = Math.floor(window.length / width);
    const { features } = rows[s];
    const skipped = n - features.length / size;
    forecaster.reset(state);
    served.resetState(0);
    const before = { ...forecaster.tally };
    for (let t = 0; t < n; t++) {
      const scored = t >= n - held[s];
      forecaster.catchUp(state, 0, window[t * width]);
      if (scored) {
        const each = targets.map((target, k) => {
          const value = window[t * width + 1 + k];
          learnPool(target, state, k * part, value, pooled, pools[k]);
          return Math.abs(value - target.saidByNetwork(state, k * part)) / target.plan.scaleOf(state, k * part);
        });
        errors.push(meanOfKnown(each));
      }
      forecaster.absorb(state, 0, window[t * width], window, t * width + 1);
      // Only what is held back counts.
      if (!scored) Object.assign(forecaster.tally, before);
      const warm = t >= skipped && t >= n - held[s] - CONTEXT;
      if (warm) {
        served.slots[0] = 0;
        served.inputs.set(features.subarray((t - skipped) * size, (t - skipped + 1) * size));
        served.step(1);
      }
      forecaster.forecast(state, 0, warm ? served.outputs : undefined);
    }
  });
  const { truths, mixed, network: alone, networkTruths, persistence, seasonalNaive, statistical } = forecaster.tally;
  return {
    rows: truths,
    mae: mixed / truths,
    networkMae: alone / networkTruths,
    persistenceMae: persistence / truths,
    baselineMae: Math.min(persistence, seasonalNaive, statistical) / truths,
    calibration: pools.flatMap((pool) => [...pool]),
    errors,
  };
}

function learnPool(
  { plan }: Forecaster,
  state: Float64Array,
  at: number,
  value: number,
  pooled: ReturnType<typeof intervalPlan>,
  pool: Float64Array,
): void {
  const unit = plan.scaleOf(state, at);
  for (let j = 0; j < plan.knots.length; j++)
    learnIntervalPool(pooled, pool, j, unit, value - plan.expected(state, at, j));
}

function meanOfKnown(values: readonly number[]): number {
  const known = values.filter((x) => x === x);
  return known.reduce((a, b) => a + b, 0) / known.length;
}
