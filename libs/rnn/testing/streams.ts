/** Feeding networks in specs: series of input rows (or tokens) a stream, in waves. */
import { createNetwork } from '../src/network.js';
import type { Implementation, Network } from '../src/network.types.js';
import { weightCount, type NetworkSpec } from '../src/spec.js';
import { floats, random } from './random.js';

export const IMPLEMENTATIONS: readonly Implementation[] = ['simd', 'scalar'];

export function randomWeights(spec: NetworkSpec, seed: number, scale = 0.5): Float32Array {
  return floats(weightCount(spec), random(seed), scale);
}

/** `ticks` rows for each of `streams` streams; tokens for an embedding. */
export function randomSeries(
  spec: NetworkSpec,
  streams: number,
  ticks: number,
  seed: number,
  scale = 1,
): Float32Array[] {
  const next = random(seed);
  const first = spec.layers[0];
  return Array.from({ length: streams }, () => {
    const series = floats(ticks * spec.inputSize, next, scale);
    return first?.type === 'embedding' ? series.map(() => Math.floor(next() * first.inputDim)) : series;
  });
}

/** Steps the given streams (slot = stream) by one tick each; returns their output rows. */
export function stepWave(
  network: Network,
  streams: readonly number[],
  rowOf: (stream: number) => Float32Array,
): Float32Array[] {
  const { inputSize } = network.spec;
  streams.forEach((stream, i) => {
    const row = rowOf(stream);
    network.slots[i] = stream;
    network.tokens[i] = row[0];
    network.inputs.set(row, i * inputSize);
  });
  network.step(streams.length);
  return streams.map((_, i) => network.outputs.slice(i * network.outputSize, (i + 1) * network.outputSize));
}

export function network(spec: NetworkSpec, weights: Float32Array, implementation: Implementation, size = 64): Network {
  return createNetwork(spec, weights, { capacity: size, maxWave: size, implementation });
}

export function stateOf(network: Network, slot: number): Float32Array {
  const state = new Float32Array(network.stateSize);
  network.readState(slot, state);
  return state;
}

/** The bits of floats: NaN's and -0's too. */
export function bitsOf(values: Float32Array): Int32Array {
  return new Int32Array(values.slice().buffer);
}

/** FNV-1a over the bytes. */
export function fingerprint(values: Float32Array, from = 0x811c9dc5): number {
  let hash = from;
  for (const word of bitsOf(values)) {
    for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((word >>> shift) & 255), 0x01000193);
  }
  return hash >>> 0;
}
