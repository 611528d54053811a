/** A recurrent layer over a batch of sequences as one TensorFlow.js op with its own gradient: loss, read-out, optimiser and bookkeeping stay
 *  TensorFlow.js', only the loop over the steps is ours. */
import * as tf from '@tensorflow/tfjs-core';
import { addColumnSums, addOuter, addProduct } from './products.js';
import { BLOCKS, RECURRENCES } from './recurrences.js';
import type { Cell } from './train.types.js';

export interface Sequences {
  readonly steps: number;
  readonly size: number;
  /** [steps, size, d] */
  readonly inputs: Float32Array;
}

/** The hidden states from step `skip` on: [(steps - skip) x size, units]. */
export function unroll(
  cell: Cell,
  weights: readonly [kernel: tf.Tensor2D, recurrent: tf.Tensor2D, bias: tf.Tensor1D],
  { steps, size, inputs }: Sequences,
  skip: number,
): tf.Tensor2D {
  const units = weights[1].shape[0];
  const d = weights[0].shape[0];
  const widths = BLOCKS[cell].map((w) => w * units);
  const rows = steps * size;
  const op = tf.customGrad((...args) => {
    const [kernel, recurrent, bias] = args as tf.Tensor[];
    const kernels = splitColumns(kernel.dataSync<'float32'>(), d, widths);
    const biases = splitColumns(bias.dataSync<'float32'>(), 1, widths);
    const blocks = widths.map((n, i) => {
      const block = new Float32Array(rows * n);
      for (let r = 0; r < rows; r++) block.set(biases[i], r * n);
      addProduct(block, inputs, kernels[i], rows, d, n);
      return block;
    });
    const hidden = new Float32Array((rows + size) * units);
    const run = { steps, size, units, blocks, hidden };
    const backward = RECURRENCES[cell]({
      ...run,
      recurrent: splitColumns(recurrent.dataSync<'float32'>(), units, widths),
    });

    const gradFunc = (dy: tf.Tensor): tf.Tensor[] => {
      const gradient = new Float32Array(rows * units);
      gradient.set(dy.dataSync<'float32'>(), skip * size * units);
      const { blocks: pre, operands } = backward(gradient);
      const dKernel = widths.map((n) => new Float32Array(d * n));
      const dRecurrent = widths.map((n) => new Float32Array(units * n));
      const dBias = widths.map((n) => new Float32Array(n));
      widths.forEach((n, i) => {
        addOuter(dKernel[i], inputs, pre[i], rows, d, n);
        addOuter(dRecurrent[i], operands[i], pre[i], rows, units, n);
        addColumnSums(dBias[i], pre[i], rows, n);
      });
      return [
        tf.tensor(joinColumns(dKernel, d, widths), kernel.shape),
        tf.tensor(joinColumns(dRecurrent, units, widths), recurrent.shape),
        tf.tensor(joinColumns(dBias, 1, widths), bias.shape),
      ];
    };
    return { value: tf.tensor2d(hidden.subarray((skip + 1) * size * units), [(steps - skip) * size, units]), gradFunc };
  });
  return op(...weights);
}

function splitColumns(m: Float32Array, rows: number, widths: readonly number[]): Float32Array[] {
  const width = m.length / rows;
  let from = 0;
  return widths.map((n) => {
    const part = new Float32Array(rows * n);
    for (let r = 0; r < rows; r++) part.set(m.subarray(r * width + from, r * width + from + n), r * n);
    from += n;
    return part;
  });
}

function joinColumns(parts: readonly Float32Array[], rows: number, widths: readonly number[]): Float32Array {
  const width = widths.reduce((a, b) => a + b, 0);
  const joined = new Float32Array(rows * width);
  let from = 0;
  parts.forEach((part, i) => {
    const n = widths[i];
    for (let r = 0; r < rows; r++) joined.set(part.subarray(r * n, (r + 1) * n), r * width + from);
    from += n;
  });
  return joined;
}
