import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReferenceNetwork } from '../testing/reference.js';
import { floats, random } from '../testing/random.js';
import { weightCount, type NetworkSpec } from './spec.js';
import { TrainingKernel, type SequenceShape } from './training-kernel.js';

const kernel = new TrainingKernel();

function networkOf({ cell, inputSize, units }: SequenceShape): NetworkSpec {
  const common = { units, activation: 'tanh', useBias: true } as const;
  const gated = { ...common, recurrentActivation: 'sigmoid' } as const;
  const layer = {
    'simple-rnn': { type: 'simple_rnn', ...common },
    gru: { type: 'gru', ...gated, resetAfter: false },
    lstm: { type: 'lstm', ...gated },
  } as const;
  return { inputSize, layers: [layer[cell], { type: 'dense', units: 1, activation: 'linear', useBias: true }] };
}

/** A batch with every array it needs, from a seed. */
const cases = fc
  .record({
    cell: fc.constantFrom('simple-rnn', 'gru', 'lstm'),
    steps: fc.integer({ min: 1, max: 9 }),
    size: fc.integer({ min: 1, max: 9 }),
    inputSize: fc.integer({ min: 1, max: 5 }),
    units: fc.integer({ min: 1, max: 19 }),
    skipped: fc.double({ min: 0, max: 0.99, noNaN: true }),
    seed: fc.integer(),
  })
  .map(({ skipped, seed, ...shape }) => {
    const next = random(seed);
    const skip = Math.floor(skipped * shape.steps);
    const weights = floats(weightCount(networkOf(shape)), next);
    const inputs = floats(shape.steps * shape.size * shape.inputSize, next, 2);
    return { shape, skip, weights, inputs, gradient: floats((shape.steps - skip) * shape.size, next), next };
  });

/** [steps - skip, size] in float64. */
function reference(shape: SequenceShape, weights: Float64Array, inputs: Float32Array, skip: number): number[] {
  const { steps, size, inputSize } = shape;
  const networks = Array.from({ length: size }, () => new ReferenceNetwork(networkOf(shape), weights));
  const outputs: number[] = [];
  for (let row = 0; row < steps * size; row++) {
    const [y] = networks[row % size].step(inputs.subarray(row * inputSize, (row + 1) * inputSize));
    if (row >= skip * size) outputs.push(y);
  }
  return outputs;
}

describe('a pass over a batch of sequences', () => {
  it('has the outputs of the definitions, and the gradient that differences of them have', () => {
    fc.assert(
      fc.property(cases, ({ shape, skip, weights, inputs, gradient, next }) => {
        const flat = Float64Array.from(weights);
        const pass = kernel.forward(shape, inputs, weights, skip);
        reference(shape, flat, inputs, skip).forEach((y, i) =>
          expect(Math.abs(y - pass.outputs[i])).toBeLessThan(1e-5),
        );
        const slopes = pass.backward(gradient);
        expect(slopes.length).toBe(flat.length);
        const loss = (at: number, shift: number): number => {
          const moved = flat.slice();
          moved[at] += shift;
          return reference(shape, moved, inputs, skip).reduce((sum, y, i) => sum + y * gradient[i], 0);
        };
        for (let i = 0; i < 40; i++) {
          const at = Math.floor(next() * flat.length);
          const slope = (loss(at, 1e-5) - loss(at, -1e-5)) / 2e-5;
          expect(Math.abs(slopes[at] - slope)).toBeLessThan(1e-4 * Math.max(1, Math.abs(slope)));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('gives the same bits whatever ran before it, and whatever runs between its way forward and its way back', () => {
    fc.assert(
      fc.property(cases, cases, (a, b) => {
        const run = ({ shape, skip, weights, inputs }: typeof a): ReturnType<TrainingKernel['forward']> =>
          kernel.forward(shape, inputs, weights, skip);
        const alone = new TrainingKernel().forward(a.shape, a.inputs, a.weights, a.skip);
        const expected = alone.backward(a.gradient);
        const pass = run(a);
        run(b);
        expect(pass.outputs).toEqual(alone.outputs);
        expect(pass.backward(a.gradient)).toEqual(expected);
        expect(pass.backward(a.gradient)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps sequences apart: NaN in one changes no bit of the others, and one whose outputs do not count changes no gradient', () => {
    fc.assert(
      fc.property(cases, fc.nat(), ({ shape, skip, weights, inputs, gradient }, at) => {
        const { size, inputSize } = shape;
        const one = at % size;
        const spoil = (value: number): Float32Array =>
          inputs.map((x, i) => (Math.floor(i / inputSize) % size === one ? value : x));
        const pass = kernel.forward(shape, inputs, weights, skip);
        kernel.forward(shape, spoil(NaN), weights, skip).outputs.forEach((y, i) => {
          if (i % size === one) expect(y).toBeNaN();
          else expect(y).toBe(pass.outputs[i]);
        });
        const masked = gradient.map((g, i) => (i % size === one ? 0 : g));
        expect(kernel.forward(shape, spoil(0.5), weights, skip).backward(masked)).toEqual(pass.backward(masked));
      }),
      { numRuns: 60 },
    );
  });
});
