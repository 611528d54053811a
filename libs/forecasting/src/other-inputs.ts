/** Inputs that are not forecast themselves: the network is given the level and the change of each, behind the plan's features. */
import { changeOf, levelOf } from '#rnn/scaler';
import { FEATURES } from './forecast-plan.js';

/** Features a tick for so many inputs, the first `targets` of which are forecast; `gaps` as in the plan. */
export const forecastFeatures = (inputs: number, gaps = false, targets = 1): number =>
  targets * (FEATURES + Number(gaps)) + 2 * (inputs - targets);

/** Writes the k-th of them, from 0 on, to its place in target[from ..], where the targets' own features end; scales[scale ..]: see #rnn/scaler. `value` and `previous` are the last known ones; 0 for one never seen. */
export function writeOtherInput(
  target: Float32Array,
  from: number,
  k: number,
  value: number,
  previous: number,
  scales: Float64Array,
  scale: number,
): void {
  const to = from + 2 * k;
  target[to] = value === value ? levelOf(scales, scale, value) : 0;
  target[to + 1] = value === value ? changeOf(scales, scale, value, previous) : 0;
}
