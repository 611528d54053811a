/** Which transform suits some windows: the one by which a network errs least on the newest rows after a short training on the others. */
import type { ForecastSpec, TrainingRecord, Transform } from '#domain/model';
import type { NetworkSpec } from '#rnn/spec';
import { evaluate } from './evaluate.js';
import { fitForecaster, type FitRequest } from './fit-forecaster.js';
import { rowsOf } from './held-back.js';

/** Short trainings on few rows tell little, and warm starts keep what was chosen: another transform has to be this much better than the difference … */
const CLEARLY = 0.98;
/** … by so many standard errors. */
const SURELY = 1.5;
/** Errors of h-step forecasts hang together over h: as many horizons count as one. */
const BLOCK_HORIZONS = 2;

/** Those that windows' first `targets` inputs allow, the difference first. Only what is above 0 has logarithms. */
export function candidatesFor(windows: readonly Float64Array[], width: number, targets: number): Transform[] {
  const positive = windows.every((window) => {
    for (let at = 1; at < window.length; at += width)
      for (let k = 0; k < targets; k++) if (window[at + k] <= 0) return false;
    return true;
  });
  return positive ? ['difference', 'log', 'none'] : ['difference', 'none'];
}

export interface Choice {
  readonly transform: Transform;
  /** Mean errors of a network by each, in the streams' units of scale; fewer where `shouldStop` has cut it short. */
  readonly errors: NonNullable<TrainingRecord['transforms']>;
}

/** The difference unless another of `candidates` has clearly smaller errors. */
export function chooseTransform(
  candidates: readonly Transform[],
  spec: ForecastSpec & { readonly level: number },
  network: NetworkSpec,
  windows: readonly Float64Array[],
  inputs: number,
  fit: Omit<FitRequest, 'streams' | 'network'>,
): Choice {
  const means: { [name in Transform]?: number } = {};
  let [transform, least]: [Transform, number] = ['difference', Infinity];
  let plain: readonly number[] = [];
  for (const candidate of candidates) {
    const plan = { ...spec, transform: candidate };
    const { all, older, held } = rowsOf(plan, windows, inputs);
    const { weights } = fitForecaster({ ...fit, streams: older, network });
    if (fit.shouldStop?.() === true) break;
    const { networkMae, errors } = evaluate(plan, network, weights, windows, all, held, inputs);
    means[candidate] = networkMae;
    if (candidate === 'difference') plain = errors;
    else if (networkMae < least && networkMae < CLEARLY * means.difference! && surely(errors, plain, spec.horizon))
      [transform, least] = [candidate, networkMae];
  }
  return { transform, errors: means };
}

/** Whether the one's errors are smaller than the other's beyond chance, row by row. */
function surely(one: readonly number[], other: readonly number[], horizon: number): boolean {
  const gains = one.map((error, i) => other[i] - error).filter((gain) => gain === gain);
  const size = BLOCK_HORIZONS * horizon;
  const blocks = Array.from({ length: Math.floor(gains.length / size) }, (_, b) =>
    mean(gains.slice(b * size, (b + 1) * size)),
  );
  const gain = mean(blocks);
  const variance = blocks.reduce((sum, x) => sum + (x - gain) ** 2, 0) / (blocks.length - 1);
  return gain > SURELY * Math.sqrt(variance / blocks.length);
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
