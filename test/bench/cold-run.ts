/** What a stream is told from its first tick on: the forecasts of one series, with or without a network, against those of the baselines alone. */
import type { ModelArtifact } from '#domain/model';
import { Predictor } from '#forecasting/forecast-plan';
import { Forecaster } from '#forecasting/forecaster';
import { createNetwork } from '#rnn/network';

/** Forecasts made at these ticks of a stream, counted from 1. */
export const PHASES = [
  { from: 1, to: 10 },
  { from: 11, to: 100 },
  { from: 101, to: 500 },
] as const;

/** Mean absolute errors of a phase's forecasts, in the stream's own units. */
export interface Phase {
  truths: number;
  served: number;
  persistence: number;
  statistical: number;
  /** Issued with them, and how many held. */
  intervals: number;
  held: number;
}

export interface Run {
  readonly phases: readonly Phase[];
  /** The tick whose forecast is the first with an interval, or undefined. */
  readonly firstInterval: number | undefined;
}

/** `rows`: [n, 2], ts and value; NaN = missing. `level`: of its intervals. */
export function runCold(rows: Float64Array, model: ModelArtifact | undefined, level = 0.9): Run {
  const forecast = model?.manifest.forecast ?? { horizon: 1, season: 0, timeZone: 'UTC' };
  const forecaster = new Forecaster({ ...forecast, calibratedFor: model?.manifest.forecast?.level, level });
  const { plan } = forecaster;
  const network =
    model === undefined ? undefined : createNetwork(model.manifest.network, model.weights, { capacity: 1, maxWave: 1 });
  const state = new Float64Array(forecaster.size);
  forecaster.reset(state);
  network?.resetState(0);
  const phases = PHASES.map(() => ({
    truths: 0,
    served: 0,
    persistence: 0,
    statistical: 0,
    intervals: 0,
    held: 0,
  }));
  let firstInterval: number | undefined;
  const said = { served: NaN, persistence: NaN, statistical: NaN, half: NaN };
  for (let t = 1; t <= rows.length / 2; t++) {
    const value = rows[2 * t - 1];
    const phase = phases[PHASES.findIndex(({ from, to }) => t - 1 >= from && t - 1 <= to)];
    if (phase !== undefined && value === value && said.served === said.served) {
      const error = Math.abs(value - said.served);
      phase.truths += 1;
      phase.served += error;
      phase.persistence += Math.abs(value - said.persistence);
      phase.statistical += Math.abs(value - said.statistical);
      if (said.half === said.half) {
        phase.intervals += 1;
        phase.held += error <= said.half ? 1 : 0;
      }
    }
    forecaster.absorb(state, 0, rows[2 * t - 2], value);
    if (network !== undefined) {
      forecaster.writeFeatures(state, 0, network.inputs, 0);
      network.slots[0] = 0;
      network.step(1);
    }
    forecaster.forecast(state, 0, network?.outputs);
    [said.served, said.half] = [plan.mixed[0], forecaster.halves[0]];
    said.persistence = plan.forecasts[Predictor.persistence];
    said.statistical = plan.forecasts[Predictor.statistical];
    if (said.half === said.half) firstInterval ??= t;
  }
  return { phases, firstInterval };
}
