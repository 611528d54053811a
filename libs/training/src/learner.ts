/** The network's weights as TensorFlow.js variables, Adam over them, and every tensor accounted for. */
import * as tf from '@tensorflow/tfjs-core';
import { weightShapes, type NetworkSpec } from '#rnn/spec';
import { forward } from './recurrent-network.js';
import { BURN_IN, type Batch } from './sequences.js';
import type { Cell } from './train.types.js';

const MAX_GRADIENT_NORM = 1;
/** Where the loss turns from squared to absolute error, in units of persistence's error. */
const HUBER = 0.5;

class Adam extends tf.AdamOptimizer {
  halveRate(): void {
    this.learningRate /= 2;
  }
}

export class Learner {
  private readonly variables: tf.Variable[];
  private readonly adam: Adam;

  /** Targets are divided by `gain`, predictions multiplied by it. */
  constructor(
    private readonly cell: Cell,
    network: NetworkSpec,
    weights: readonly Float32Array[],
    private readonly gain: number,
    rate: number,
  ) {
    this.variables = weightShapes(network).map(({ shape }, i) =>
      tf.tidy(() => tf.variable(tf.tensor(weights[i], [...shape]))),
    );
    this.adam = new Adam(rate, 0.9, 0.999, 1e-7);
  }

  /** One step of Adam on the batch; the loss before it, in units of scale. */
  learn(batch: Batch): number {
    const { size, targets, counts } = batch;
    return tf.tidy(() => {
      const counted = BURN_IN * size;
      const y = tf.tensor2d(
        targets.subarray(counted).map((v) => v / this.gain),
        [targets.length - counted, 1],
      );
      const total = counts.reduce((a, b) => a + b, 0);
      const share = tf.tensor2d(
        counts.subarray(counted).map((v) => v / total),
        [counts.length - counted, 1],
      );
      const { value, grads } = tf.variableGrads(() => {
        const error = tf.sub(forward(this.cell, this.variables, batch, BURN_IN), y);
        // Pseudo-Huber: bounded gradients like the absolute error that counts in the end, yet smooth at zero.
        const loss = tf.sub(tf.sqrt(tf.add(tf.square(error), HUBER ** 2)), HUBER);
        return tf.sum(tf.mul(loss, share));
      }, this.variables);
      const loss = value.dataSync()[0];
      if (Number.isFinite(loss)) this.adam.applyGradients(clipped(grads));
      return loss * this.gain;
    });
  }

  /** [steps, size] */
  predict(batch: Batch): Float32Array {
    return tf.tidy(() => {
      return tf
        .mul(forward(this.cell, this.variables, batch, 0), this.gain)
        .dataSync<'float32'>()
        .slice();
    });
  }

  /** In the order of `weightShapes`. */
  weights(): Float32Array[] {
    return this.variables.map((variable) => variable.dataSync<'float32'>().slice());
  }

  halveRate(): void {
    this.adam.halveRate();
  }

  dispose(): void {
    this.adam.dispose();
    for (const variable of this.variables) variable.dispose();
  }
}

/** All gradients together shortened to MAX_GRADIENT_NORM. */
function clipped(grads: tf.NamedTensorMap): { name: string; tensor: tf.Tensor }[] {
  const squares = Object.values(grads).map((g) => tf.sum(tf.square(g)));
  const norm = Math.sqrt(squares.reduce((sum, s) => sum + s.dataSync()[0], 0));
  const factor = Math.min(1, MAX_GRADIENT_NORM / norm);
  return Object.entries(grads).map(([name, g]) => ({ name, tensor: factor < 1 ? tf.mul(g, factor) : g }));
}
