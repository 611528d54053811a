import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ReferenceNetwork } from '../testing/reference.js';
import { IMPLEMENTATIONS, network, stepWave } from '../testing/streams.js';
import { ACTIVATIONS, type NetworkSpec } from './spec.js';

interface Fixture {
  readonly name: string;
  readonly spec: NetworkSpec;
  readonly weights: number[];
  readonly inputs: number[];
  readonly outputs: number[];
}

/** Made by testing/keras-fixtures.py with Keras 3.15.1. */
const fixtures = readFileSync(new URL('../testing/keras-fixtures.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Fixture);

function largestError(fixture: Fixture, outputOf: (row: Float32Array) => ArrayLike<number>): number {
  const { spec, inputs, outputs } = fixture;
  const ticks = inputs.length / spec.inputSize;
  const size = outputs.length / ticks;
  let largest = 0;
  for (let t = 0; t < ticks; t++) {
    const row = Float32Array.from(inputs.slice(t * spec.inputSize, (t + 1) * spec.inputSize));
    const y = outputOf(row);
    for (let k = 0; k < size; k++) {
      const error = Math.abs(y[k] - outputs[t * size + k]);
      largest = Number.isNaN(error) ? Infinity : Math.max(largest, error);
    }
  }
  return largest;
}

describe('what Keras itself computes', () => {
  it('covers every activation that Keras 3 has', () => {
    const names = fixtures.map(({ name }) => name);
    for (const activation of ACTIVATIONS)
      if (activation !== 'hard_sigmoid_keras2') expect(names).toContain(`dense ${activation}`);
  });

  describe.each(fixtures)('$name', (fixture) => {
    const weights = Float32Array.from(fixture.weights);

    it.each(IMPLEMENTATIONS)('%s: within 1e-5 at every step', (implementation) => {
      const net = network(fixture.spec, weights, implementation);
      expect(largestError(fixture, (row) => stepWave(net, [3], () => row)[0])).toBeLessThan(1e-5);
    });

    it('the float64 reference agrees as well', () => {
      const reference = new ReferenceNetwork(fixture.spec, weights);
      expect(largestError(fixture, (row) => reference.step(row))).toBeLessThan(1e-5);
    });
  });
});
