import type { NetworkOptions } from './network.types.js';
import { ACTIVATIONS, weightCount, type LayerSpec, type NetworkSpec } from './spec.js';

/** Refuses what no network can be made of, naming the place. */
export function validateNetwork(spec: NetworkSpec, weights: Float32Array, options: NetworkOptions): void {
  requireCount(spec.inputSize, 'inputSize');
  spec.layers.forEach((layer, index) => {
    validateLayer(layer, `layers[${index}]`);
    if (layer.type !== 'embedding') return;
    if (index > 0) throw new RangeError(`layers[${index}]: an embedding can only be the first layer`);
    if (spec.inputSize !== 1)
      throw new RangeError(`inputSize must be 1 (the token's id) before an embedding, not ${spec.inputSize}`);
  });
  if (!(weights instanceof Float32Array)) throw new TypeError('weights must be a Float32Array');
  const expected = weightCount(spec);
  if (weights.length !== expected)
    throw new RangeError(`weights: expected ${expected} floats for this network, got ${weights.length}`);
  const bad = weights.findIndex((w) => !Number.isFinite(w));
  if (bad >= 0) throw new RangeError(`weights[${bad}] is ${weights[bad]}, not a finite number`);
  requireCount(options.capacity, 'capacity');
  requireCount(options.maxWave, 'maxWave');
}

function validateLayer(layer: LayerSpec, where: string): void {
  switch (layer.type) {
    case 'embedding':
      requireCount(layer.inputDim, `${where}.inputDim`);
      requireCount(layer.outputDim, `${where}.outputDim`);
      return;
    case 'dense':
      requireCount(layer.units, `${where}.units`);
      if (layer.activation !== 'softmax') requireActivation(layer.activation, `${where}.activation`);
      return;
    case 'simple_rnn':
      requireCount(layer.units, `${where}.units`);
      requireActivation(layer.activation, `${where}.activation`);
      return;
    case 'lstm':
    case 'gru':
      requireCount(layer.units, `${where}.units`);
      requireActivation(layer.activation, `${where}.activation`);
      requireActivation(layer.recurrentActivation, `${where}.recurrentActivation`);
      return;
    default:
      throw new TypeError(`${where}: unknown layer type ${JSON.stringify((layer as { type?: unknown }).type)}`);
  }
}

function requireCount(value: number, name: string): void {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, not ${typeof value}`);
  if (!Number.isInteger(value) || value < 1 || value > 0x7fffffff)
    throw new RangeError(`${name} must be an integer from 1 to 2147483647, not ${value}`);
}

function requireActivation(value: string, name: string): void {
  if (!(ACTIVATIONS as readonly string[]).includes(value))
    throw new TypeError(`${name}: unknown activation ${JSON.stringify(value)}`);
}
