/** The network's weights as one TensorFlow.js variable, Adam over it, and every tensor accounted for. */
import * as tf from '@tensorflow/tfjs-core';
import { weightShapes, type NetworkSpec } from '#rnn/spec';
import type { Cell } from './train.types.js';
import { unroll } from './unroll.js';
import { joined, partsOf } from './weight-parts.js';

const MAX_GRADIENT_NORM = 1;

/** Time-major: step t of sequence b is row t * size + b. */
export interface Batch {
  readonly steps: number;
  readonly size: number;
  /** [steps, size, d] */
  readonly inputs: Float32Array;
  /** [steps, size, outputs] */
  readonly targets: Float32Array;
  /** [steps, size, outputs]: 1 where the target counts. */
  readonly counts: Float32Array;
}

class Adam extends tf.AdamOptimizer {
  setRate(rate: number): void {
    this.learningRate = rate;
  }
}

export interface LearnerOptions {
  /** Steps of a sequence that only warm its state up. */
  readonly burnIn: number;
  /** Where the loss turns from squared to absolute error. */
  readonly huber: number;
  /** Share that the recurrent layer's matrices lose in a step, and less as the rate falls (decoupled weight decay, Loshchilov & Hutter 2019). The read-out loses nothing: what moves
   *  a forecast by many scales, as a rare holiday does, would be forecast too small for ever. */
  readonly weightDecay: number;
}

export class Learner {
  private readonly variable: tf.Variable<tf.Rank.R1>;
  private readonly units: number;
  private readonly adam: Adam;
  /** What a step at the first rate takes away of each weight, where weights decay. */
  private readonly lost: tf.Tensor1D | undefined;
  /** The rate now, as a share of the first one. */
  private share = 1;

  constructor(
    private readonly cell: Cell,
    private readonly network: NetworkSpec,
    weights: readonly Float32Array[],
    private readonly rate: number,
    private readonly options: LearnerOptions,
  ) {
    const { weightDecay } = options;
    const shapes = weightShapes(network);
    this.units = shapes[1].shape[0];
    this.variable = tf.tidy(() => tf.variable(tf.tensor1d(joined(weights))));
    this.adam = new Adam(rate, 0.9, 0.999, 1e-7);
    const lost = shapes.flatMap(({ layer, shape }) =>
      new Array<number>(shape.reduce((a, b) => a * b, 1)).fill(layer === 0 && shape.length > 1 ? weightDecay : 0),
    );
    this.lost = weightDecay === 0 ? undefined : tf.tensor1d(lost);
  }

  /** One step of Adam on the batch; the loss before it, in units of scale. */
  learn(batch: Batch): number {
    const { steps, size, targets, counts } = batch;
    const { burnIn, huber } = this.options;
    return tf.tidy(() => {
      const outputs = targets.length / (steps * size);
      const counted = burnIn * size * outputs;
      const shape: [number, number] = [steps * size - burnIn * size, outputs];
      const y = tf.tensor2d(targets.subarray(counted), shape);
      const total = counts.reduce((a, b) => a + b, 0);
      const share = tf.tensor2d(
        counts.subarray(counted).map((v) => v / total),
        shape,
      );
      const { value, grads } = tf.variableGrads(() => {
        const error = tf.sub(unroll(this.cell, this.units, this.variable, batch, burnIn), y);
        // Pseudo-Huber: bounded gradients like the absolute error that counts in the end, yet smooth at zero.
        const loss = tf.sub(tf.sqrt(tf.add(tf.square(error), huber ** 2)), huber);
        return tf.sum(tf.mul(loss, share));
      }, [this.variable]);
      const loss = value.dataSync()[0];
      if (Number.isFinite(loss)) {
        const { name } = this.variable;
        this.adam.applyGradients([{ name, tensor: clipped(grads[name]) }]);
        if (this.lost !== undefined)
          this.variable.assign(tf.mul(this.variable, tf.sub(1, tf.mul(this.lost, this.share))));
      }
      return loss;
    });
  }

  /** In the order of `weightShapes`. */
  weights(): Float32Array[] {
    return partsOf(this.network, this.variable.dataSync<'float32'>());
  }

  setRate(rate: number): void {
    this.adam.setRate(rate);
    this.share = rate / this.rate;
  }

  dispose(): void {
    this.adam.dispose();
    this.variable.dispose();
    this.lost?.dispose();
  }
}

/** Shortened to MAX_GRADIENT_NORM. */
function clipped(gradient: tf.Tensor): tf.Tensor {
  const norm = Math.sqrt(tf.sum(tf.square(gradient)).dataSync()[0]);
  return norm > MAX_GRADIENT_NORM ? tf.mul(gradient, MAX_GRADIENT_NORM / norm) : gradient;
}
