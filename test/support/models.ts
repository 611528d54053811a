/** Small models with seeded random weights, for tests of what happens around the network. */
import type { ModelArtifact, ModelManifest } from '#domain/model';
import { weightCount, type NetworkSpec } from '#rnn/spec';

/** A seeded generator in [0, 1). */
export function seeded(seed: number): () => number {
  let s = seed | 0;
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) | 0;
    return (s >>> 8) / (1 << 24);
  };
}

/** Contractive enough not to run away: weights within +-0.4. */
export function randomWeights(spec: NetworkSpec, seed: number): Float32Array {
  const random = seeded(seed);
  return Float32Array.from({ length: weightCount(spec) }, () => 0.8 * random() - 0.4);
}

export function gruSpec(units: number, inputs = 1): NetworkSpec {
  return {
    inputSize: inputs,
    layers: [
      { type: 'gru', units, activation: 'tanh', recurrentActivation: 'sigmoid', useBias: true, resetAfter: true },
      { type: 'dense', units: 1, activation: 'linear', useBias: true },
    ],
  };
}

/** `seed` makes both weights and digest. */
export function modelOf(network: NetworkSpec, seed: number, manifest: Partial<ModelManifest> = {}): ModelArtifact {
  return {
    manifest: {
      format: 1,
      name: 'test',
      version: seed,
      digest: seed.toString(16).padStart(8, '0').repeat(8),
      network,
      scaler: 'none',
      target: 'value',
      warmUp: 0,
      origin: 'imported',
      pinned: true,
      createdAt: '2026-01-01T00:00:00Z',
      ...manifest,
    },
    weights: randomWeights(network, seed),
  };
}
