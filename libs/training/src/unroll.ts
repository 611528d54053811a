/** The network over a batch of sequences as one TensorFlow.js op with its own gradient: loss, optimiser and bookkeeping stay TensorFlow.js', the
 *  steps run in our kernel. TensorFlow.js would run a dozen ops for every step and four dozen back; at these sizes calling an op costs far more
 *  than what it computes. tfjs-layers' own layers are the oracle (recurrent-network.spec.ts). */
import * as tf from '@tensorflow/tfjs-core';
import { RiverrunError } from '#domain/errors';
import { TrainingKernel } from '#rnn/training-kernel';
import type { Cell } from './train.types.js';

export interface Sequences {
  readonly steps: number;
  readonly size: number;
  /** [steps, size, d] */
  readonly inputs: Float32Array;
}

const GATES: Record<Cell, number> = { 'simple-rnn': 1, gru: 3, lstm: 4 };

/** One a thread: made for the first batch, its memory used by all. */
let kernel: TrainingKernel | undefined;

/** Read-outs from step `skip` on: [(steps - skip) x size, outputs]. `weights`: all of them, as `weightShapes` of `networkSpec` lays them out; one
 *  tensor, because the optimiser's ops cost by the call. RiverrunError TRAINING_FAILED where the engine lacks WebAssembly SIMD. */
export function unroll(
  cell: Cell,
  units: number,
  weights: tf.Tensor1D,
  { steps, size, inputs }: Sequences,
  skip: number,
): tf.Tensor2D {
  kernel ??= makeKernel();
  const inputSize = inputs.length / (steps * size);
  const layer = GATES[cell] * units * (inputSize + units + 1);
  const outputs = (weights.size - layer) / (units + 1);
  const shape = { cell, steps, size, inputSize, units, outputs };
  const pass = kernel.forward(shape, inputs, weights.dataSync<'float32'>(), skip);
  const op = tf.customGrad(() => ({
    value: tf.tensor2d(pass.outputs, [(steps - skip) * size, outputs]),
    gradFunc: (dy: tf.Tensor2D): tf.Tensor => tf.tensor1d(pass.backward(dy.dataSync<'float32'>())),
  }));
  return op(weights);
}

function makeKernel(): TrainingKernel {
  try {
    return new TrainingKernel();
  } catch (cause) {
    throw new RiverrunError(
      'TRAINING_FAILED',
      'Training needs WebAssembly with SIMD, which this engine lacks: train on another machine, or import a model',
      { cause },
    );
  }
}
