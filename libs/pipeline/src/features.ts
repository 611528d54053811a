/** What the network is given of a tick, and what its output means in the stream's own units. */
import type { ModelManifest } from '#domain/model';
import { forecastFeatures } from '#forecasting/other-inputs';
import { changeOf, levelOf } from '#rnn/scaler';
import type { Network } from '#rnn/network.types';

/** The part of a model slot that matters here. */
interface Served {
  readonly manifest: ModelManifest;
  readonly network: Network;
  /** Anything but undefined: a token model. */
  readonly vocabulary: { readonly size: number } | undefined;
}

/** Features a tick under the model, for a pipeline with so many inputs. */
export function featureCount({ features, network, forecast }: ModelManifest, inputs: number): number {
  if (forecast !== undefined) return forecastFeatures(inputs, forecast.gaps, forecast.targets);
  if (network.layers[0]?.type === 'embedding') return 1;
  return features === 'level-and-change' ? 2 * inputs : inputs;
}

/** Writes the features of one input into row `row` of the wave: a token's id, a raw value, or its level and, behind the levels of all inputs, its change.
 *  `previous`: the last known value before this one. A value never seen counts as the centre. */
export function writeFeatures(
  model: Served,
  row: number,
  input: number,
  inputs: number,
  value: number,
  previous: number,
  meta: Float64Array,
  scaleAt: number,
): void {
  const { network, manifest } = model;
  if (model.vocabulary !== undefined) {
    // A window may hold what is no token of this model: values, or ids of a larger vocabulary, from before a swap.
    network.tokens[row] = Number.isInteger(value) && value >= 0 && value < model.vocabulary.size ? value : 0;
    return;
  }
  const at = row * network.spec.inputSize + input;
  if (manifest.scaler === 'none') {
    network.inputs[at] = value === value ? value : 0;
    return;
  }
  network.inputs[at] = value === value ? levelOf(meta, scaleAt, value) : 0;
  if (manifest.features === 'level-and-change')
    network.inputs[at + inputs] = value === value ? changeOf(meta, scaleAt, value, previous) : 0;
}

/** The network's output in the stream's own units; `last` is the last known value, `scaleAt` where the first input's scale lies. */
export function toStreamUnits(
  { manifest: { scaler, target } }: Pick<Served, 'manifest'>,
  y: number,
  last: number,
  meta: Float64Array,
  scaleAt: number,
): number {
  if (target === 'difference') return last + (scaler === 'none' ? y : y * meta[scaleAt + 2]);
  return scaler === 'none' ? y : meta[scaleAt] + y * meta[scaleAt + 1];
}
