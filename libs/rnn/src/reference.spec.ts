import { describe, expect, it } from 'vitest';
import { floats, random } from '../testing/random.js';
import { ReferenceNetwork } from '../testing/reference.js';
import { IMPLEMENTATIONS, network, stateOf, stepWave } from '../testing/streams.js';
import { weightShapes, type LayerSpec, type NetworkSpec } from './spec.js';

const common = { units: 32, activation: 'tanh', recurrentActivation: 'sigmoid', useBias: true } as const;
const cells: [string, LayerSpec[]][] = [
  ['simple_rnn', [{ type: 'simple_rnn', units: 32, activation: 'tanh', useBias: true }]],
  ['lstm', [{ type: 'lstm', ...common }]],
  ['gru, reset after', [{ type: 'gru', ...common, resetAfter: true }]],
  ['gru, reset before', [{ type: 'gru', ...common, resetAfter: false }]],
  ['simple_rnn relu', [{ type: 'simple_rnn', units: 17, activation: 'relu', useBias: true }]],
  ['lstm, no bias, hard_sigmoid', [{ type: 'lstm', ...common, recurrentActivation: 'hard_sigmoid', useBias: false }]],
  ['gru silu', [{ type: 'gru', ...common, activation: 'silu', units: 21, resetAfter: true }]],
  [
    'stack',
    [
      { type: 'lstm', ...common, units: 9 },
      { type: 'dense', units: 6, activation: 'softplus', useBias: true },
      { type: 'gru', ...common, units: 13, resetAfter: true },
      { type: 'dense', units: 3, activation: 'linear', useBias: true },
    ],
  ],
];

/** Rounding errors die out only where the step contracts: recurrent weights of small norm. */
function contractive(spec: NetworkSpec, seed: number): Float32Array {
  const next = random(seed);
  const parts = weightShapes(spec).map(({ name, shape }) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return floats(size, next, name === 'recurrent_kernel' ? 0.8 / Math.sqrt(shape[0]) : 0.5);
  });
  return Float32Array.from(parts.flatMap((part) => Array.from(part)));
}

describe.each(cells)('%s against float64', (_, layers) => {
  it.each([1, 2, 3])('is within 1e-6 of max(1, |h|) through 1,000 steps, weights %i', (seed) => {
    const spec: NetworkSpec = { inputSize: 2, layers };
    const weights = contractive(spec, seed);
    const nets = IMPLEMENTATIONS.map((implementation) => network(spec, weights, implementation));
    const reference = new ReferenceNetwork(spec, weights);
    const next = random(seed + 100);
    let largest = 0;
    for (let t = 0; t < 1000; t++) {
      const row = floats(2, next);
      const exact = reference.step(row);
      for (const net of nets) {
        const [y] = stepWave(net, [1], () => row);
        exact.forEach((v, k) => (largest = Math.max(largest, Math.abs(v - y[k]) / Math.max(1, Math.abs(v)))));
      }
    }
    const exact = reference.state;
    for (const net of nets) {
      stateOf(net, 1).forEach((v, k) => {
        largest = Math.max(largest, Math.abs(v - exact[k]) / Math.max(1, Math.abs(exact[k])));
      });
    }
    expect(largest).toBeLessThan(1e-6);
  });
});
