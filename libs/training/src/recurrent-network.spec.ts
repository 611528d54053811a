import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { createNetwork } from '#rnn/network';
import { weightCount, weightShapes } from '#rnn/spec';
import { pickBackend } from './backend.js';
import { gaussian, seededRandom } from './random.js';
import { forward, initialWeights, networkSpec } from './recurrent-network.js';
import type { Cell } from './train.types.js';

const [STEPS, SIZE, D, UNITS] = [11, 3, 2, 6];

/** tfjs-layers' own layer and read-out, given the same weights in Keras order. */
function oracle(cell: Cell, weights: readonly tf.Tensor[]): (inputs: tf.Tensor) => tf.Tensor {
  // The orthogonal default would need tfjs-core's chained ops, and its values are replaced anyway.
  const recurrentInitializer = 'glorotUniform' as const;
  const options = { units: UNITS, returnSequences: true, inputShape: [STEPS, D], recurrentInitializer };
  const gated = { ...options, recurrentActivation: 'sigmoid' as const };
  const layer = {
    'simple-rnn': () => layers.layers.simpleRNN(options),
    gru: () => layers.layers.gru(gated),
    lstm: () => layers.layers.lstm(gated),
  }[cell]();
  const model = layers.sequential({ layers: [layer, layers.layers.dense({ units: 1 })] });
  model.setWeights([...weights]);
  return (inputs) => model.predict(inputs) as tf.Tensor;
}

describe.each(['simple-rnn', 'gru', 'lstm'] as const)('%s', (cell) => {
  const spec = networkSpec(cell, D, UNITS);
  const random = seededRandom(3);
  const arrays = weightShapes(spec).map(({ shape }) =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.5 * gaussian(random)),
  );
  const inputs = Float32Array.from({ length: STEPS * SIZE * D }, () => gaussian(random));
  const sequences = { steps: STEPS, size: SIZE, inputs };
  const tensors = (): tf.Tensor[] => weightShapes(spec).map(({ shape }, i) => tf.tensor(arrays[i], [...shape]));

  beforeAll(async () => {
    await pickBackend();
  });

  it("equals tfjs-layers' own predictions, its weights laid out as in Keras", () => {
    const ours = forward(cell, tensors(), sequences, 0).dataSync();
    const theirs = tf
      .transpose(oracle(cell, tensors())(tf.transpose(tf.tensor3d(inputs, [STEPS, SIZE, D]), [1, 0, 2])), [1, 0, 2])
      .dataSync();
    expect(theirs.length).toBe(STEPS * SIZE);
    theirs.forEach((value, i) => expect(Math.abs(value - ours[i])).toBeLessThan(1e-5));
  });

  it('equals what the served network gives, tick by tick', () => {
    const flat = Float32Array.from(arrays.flatMap((array) => [...array]));
    const ours = forward(cell, tensors(), sequences, 0).dataSync();
    const network = createNetwork(spec, flat, { capacity: SIZE, maxWave: SIZE });
    for (let t = 0; t < STEPS; t++) {
      network.slots.set([0, 1, 2]);
      network.inputs.set(inputs.subarray(t * SIZE * D, (t + 1) * SIZE * D));
      network.step(SIZE);
      network.outputs.slice(0, SIZE).forEach((y, b) => expect(Math.abs(y - ours[t * SIZE + b])).toBeLessThan(1e-5));
    }
  });

  it('has the gradient that differences of the loss have', () => {
    const skip = 3;
    const y = tf.tensor2d(
      Float32Array.from({ length: (STEPS - skip) * SIZE }, () => gaussian(random)),
      [(STEPS - skip) * SIZE, 1],
    );
    const loss = (...weights: tf.Tensor[]): tf.Scalar =>
      tf.mean(tf.square(tf.sub(forward(cell, weights, sequences, skip), y)));
    const gradients = tf
      .grads(loss)(tensors())
      .map((g) => g.dataSync());
    const lossAt = (array: number, at: number, shift: number): number => {
      const moved = tensors();
      const changed = arrays[array].slice();
      changed[at] += shift;
      moved[array] = tf.tensor(changed, moved[array].shape);
      return loss(...moved).dataSync()[0];
    };
    arrays.forEach((array, i) => {
      for (let at = 0; at < array.length; at++) {
        const slope = (lossAt(i, at, 1e-2) - lossAt(i, at, -1e-2)) / 2e-2;
        expect(Math.abs(gradients[i][at] - slope)).toBeLessThan(2e-3 + 0.01 * Math.abs(slope));
      }
    });
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
