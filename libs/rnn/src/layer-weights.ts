import { weightShapes, type NetworkSpec } from './spec.js';

/** A layer's arrays as views into the network's weights; absent ones are empty. */
export interface LayerWeights {
  /** Floats of a row of this layer's input. */
  readonly inputSize: number;
  readonly embeddings: Float32Array;
  readonly kernel: Float32Array;
  readonly recurrent: Float32Array;
  readonly bias: Float32Array;
}

type Writable = { -readonly [K in keyof LayerWeights]: LayerWeights[K] };

export function splitWeights(spec: NetworkSpec, weights: Float32Array): LayerWeights[] {
  const none = new Float32Array(0);
  const layers = spec.layers.map((_, index): Writable => ({
    inputSize: inputSizeOf(spec, index),
    embeddings: none,
    kernel: none,
    recurrent: none,
    bias: none,
  }));
  let at = 0;
  for (const { layer, name, shape } of weightShapes(spec)) {
    const size = shape.reduce((a, b) => a * b, 1);
    layers[layer][name === 'recurrent_kernel' ? 'recurrent' : name] = weights.subarray(at, at + size);
    at += size;
  }
  return layers;
}

function inputSizeOf(spec: NetworkSpec, index: number): number {
  const before = spec.layers[index - 1];
  if (before === undefined) return spec.inputSize;
  return before.type === 'embedding' ? before.outputDim : before.units;
}

/** Where a bias row is added to both parts of a gate, the two rows are one: rounded here, once. */
export function sumOfBiases(bias: Float32Array, gates: number, column: number): number {
  if (bias.length === 0) return 0;
  return bias.length === 2 * gates ? Math.fround(bias[column] + bias[gates + column]) : bias[column];
}
