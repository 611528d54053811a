import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createNetwork } from '#rnn/network';
import { weightCount, weightShapes } from '#rnn/spec';
import { describeOnEachBackend } from '../../../test/support/backends.js';
import { gaussian, seededRandom } from './random.js';
import { initialWeights, networkSpec } from './recurrent-network.js';
import type { Cell } from './train.types.js';
import { unroll } from './unroll.js';

const [STEPS, SIZE, D, UNITS] = [11, 3, 2, 6];

/** tfjs-layers' own layer and read-out, given the same weights in Keras order. */
function oracle(cell: Cell, d: number, units: number, weights: readonly tf.Tensor[]): layers.Sequential {
  // The orthogonal default would need tfjs-core's chained ops, and its values are replaced anyway.
  const recurrentInitializer = 'glorotUniform' as const;
  const options = { units, returnSequences: true, inputShape: [null, d], recurrentInitializer };
  const gated = { ...options, recurrentActivation: 'sigmoid' as const };
  const layer = {
    'simple-rnn': () => layers.layers.simpleRNN(options),
    gru: () => layers.layers.gru(gated),
    lstm: () => layers.layers.lstm(gated),
  }[cell]();
  const model = layers.sequential({ layers: [layer, layers.layers.dense({ units: 1 })] });
  model.setWeights([...weights]);
  return model;
}

await describeOnEachBackend('the network', () => {
  describe.each(['simple-rnn', 'gru', 'lstm'] as const)('%s', (cell) => {
    const spec = networkSpec(cell, D, UNITS);
    const random = seededRandom(3);
    const weights = Float32Array.from({ length: weightCount(spec) }, () => 0.5 * gaussian(random));
    const inputs = Float32Array.from({ length: STEPS * SIZE * D }, () => gaussian(random));
    const sequences = { steps: STEPS, size: SIZE, inputs };

    it("equals tfjs-layers' own layers in outputs and gradients, its weights laid out as in Keras", () => {
      const sizes = fc.record({
        steps: fc.integer({ min: 1, max: 12 }),
        // The large ones take the weights' gradients in several chunks.
        size: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 60, max: 70 })),
        d: fc.integer({ min: 1, max: 5 }),
        units: fc.integer({ min: 1, max: 21 }),
        seed: fc.integer(),
      });
      fc.assert(
        fc.property(sizes, ({ steps, size, d, units, seed }) => {
          tf.engine().startScope();
          const draw = seededRandom(seed);
          const normal = (shape: number[]): tf.Tensor =>
            tf.tensor(
              Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.5 * gaussian(draw)),
              shape,
            );
          const skip = Math.floor(draw() * steps);
          const weights = weightShapes(networkSpec(cell, d, units)).map(({ shape }) => normal([...shape]));
          const x = normal([steps, size, d]);
          const y = tf.reshape(normal([steps - skip, size]), [(steps - skip) * size, 1]);
          const batch = { steps, size, inputs: x.dataSync<'float32'>() };
          const loss = (outputs: tf.Tensor): tf.Scalar => tf.mean(tf.square(tf.sub(outputs, y)));
          const flat = tf.concat1d(weights.map((w) => tf.reshape(w, [w.size])));
          const ours = tf.valueAndGrad((w: tf.Tensor1D) => loss(unroll(cell, units, w, batch, skip)))(flat);

          const model = oracle(cell, d, units, weights);
          const variables = model.trainableWeights.map((w) => (w as unknown as { val: tf.Variable }).val);
          const theirs = tf.variableGrads(() => {
            const outputs = tf.transpose(model.apply(tf.transpose(x, [1, 0, 2])) as tf.Tensor, [1, 0, 2]);
            return loss(tf.reshape(tf.slice(outputs, [skip, 0, 0]), [(steps - skip) * size, 1]));
          }, variables);
          const near = (a: tf.Tensor, b: tf.Tensor): void => {
            const expected = b.dataSync<'float32'>();
            // Weights so large let rounding grow from step to step: it is as large as the largest, also beside small ones.
            const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
            a.dataSync().forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(1e-4 * largest));
          };
          near(ours.value, theirs.value);
          near(ours.grad, tf.concat1d(variables.map(({ name, size }) => tf.reshape(theirs.grads[name], [size]))));
          model.dispose();
          tf.engine().endScope();
        }),
        { numRuns: 25 },
      );
    });

    it('equals what the served network gives, tick by tick', () => {
      const ours = unroll(cell, UNITS, tf.tensor1d(weights), sequences, 0).dataSync();
      const network = createNetwork(spec, weights, { capacity: SIZE, maxWave: SIZE });
      for (let t = 0; t < STEPS; t++) {
        network.slots.set([0, 1, 2]);
        network.inputs.set(inputs.subarray(t * SIZE * D, (t + 1) * SIZE * D));
        network.step(SIZE);
        network.outputs.slice(0, SIZE).forEach((y, b) => expect(Math.abs(y - ours[t * SIZE + b])).toBeLessThan(1e-5));
      }
    });

    it('starts with a read-out of zeros, an orthogonal recurrent kernel, and the same for the same seed', () => {
      const [, recurrent, , outKernel, outBias] = initialWeights(spec, 5);
      expect([...outKernel, ...outBias].every((w) => w === 0)).toBe(true);
      const width = recurrent.length / UNITS;
      for (let a = 0; a < UNITS; a++) {
        for (let b = 0; b <= a; b++) {
          let dot = 0;
          for (let i = 0; i < width; i++) dot += recurrent[a * width + i] * recurrent[b * width + i];
          expect(dot).toBeCloseTo(a === b ? 1 : 0, 5);
        }
      }
      expect(initialWeights(spec, 5)).toEqual(initialWeights(spec, 5));
      expect(initialWeights(spec, 6)).not.toEqual(initialWeights(spec, 5));
      expect(initialWeights(spec, 5).reduce((sum, w) => sum + w.length, 0)).toBe(weightCount(spec));
    });
  });
});
