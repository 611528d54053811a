/** A recurrent layer and a linear read-out as TensorFlow.js ops, unrolled over a batch of sequences; weights in and out as `weightShapes` lays
 *  them out. Equal to tfjs-layers' own SimpleRNN, GRU (reset before) and LSTM, with fewer ops a step: ops are what the time goes to. */
import * as tf from '@tensorflow/tfjs-core';
import { gateCount, weightShapes, type NetworkSpec } from '#rnn/spec';
import { gaussian, seededRandom } from './random.js';
import type { Cell } from './train.types.js';

type Matrix = tf.Tensor2D;
/** Steps the state by one tick, given the inputs' part of the pre-activations in the layer's column blocks. */
type Step = (x: Matrix[], state: Matrix[]) => Matrix[];

export function networkSpec(cell: Cell, inputs: number, hidden: number): NetworkSpec {
  const common = { units: hidden, activation: 'tanh', useBias: true } as const;
  const recurrent = {
    'simple-rnn': { type: 'simple_rnn', ...common },
    gru: { type: 'gru', ...common, recurrentActivation: 'sigmoid', resetAfter: false },
    lstm: { type: 'lstm', ...common, recurrentActivation: 'sigmoid' },
  } as const;
  return {
    inputSize: inputs,
    layers: [recurrent[cell], { type: 'dense', units: 1, activation: 'linear', useBias: true }],
  };
}

/** Glorot-uniform kernel, orthogonal recurrent kernel, an LSTM's forget bias 1, and a read-out of zeros: untrained, the network says "no change". */
export function initialWeights(spec: NetworkSpec, seed: number): Float32Array[] {
  const random = seededRandom(seed);
  return weightShapes(spec).map(({ layer, name, shape }) => {
    const weights = new Float32Array(shape.reduce((a, b) => a * b, 1));
    if (layer > 0) return weights;
    if (name === 'kernel') {
      const limit = Math.sqrt(6 / (shape[0] + shape[1]));
      return weights.map(() => (2 * random() - 1) * limit);
    }
    if (name === 'recurrent_kernel') return orthogonalRows(shape[0], shape[1], () => gaussian(random));
    const recurrent = spec.layers[0];
    if (recurrent.type === 'lstm') weights.fill(1, recurrent.units, 2 * recurrent.units);
    return weights;
  });
}

/** Read-outs [steps - skip, size] flattened to one column; `skip` leaves out the first steps'. */
export function forward(
  spec: NetworkSpec,
  weights: readonly tf.Tensor[],
  inputs: Matrix,
  steps: number,
  skip: number,
): Matrix {
  const layer = spec.layers[0];
  if (layer.type === 'embedding' || layer.type === 'dense') throw new Error(`Not a recurrent layer: ${layer.type}`);
  const [kernel, recurrent, bias, outKernel, outBias] = weights as [Matrix, Matrix, tf.Tensor1D, Matrix, tf.Tensor1D];
  const { units } = layer;
  const blocks = layer.type === 'gru' ? [2 * units, units] : [gateCount(layer) * units];
  const kernels = columns(kernel, blocks);
  const biases = blocks.length === 1 ? [bias] : tf.split(bias, blocks);
  const step = { simple_rnn: simpleRnn, gru, lstm }[layer.type](columns(recurrent, blocks));
  // The inputs' part of all steps at once: one product instead of one a step.
  const projected = kernels.map((w, i) => tf.split<Matrix>(tf.add(tf.matMul(inputs, w), biases[i]), steps));
  const zeros = (): Matrix => tf.zeros([inputs.shape[0] / steps, units]);
  let state = layer.type === 'lstm' ? [zeros(), zeros()] : [zeros()];
  const hidden: Matrix[] = [];
  for (let t = 0; t < steps; t++) {
    const x = projected.map((parts) => parts[t]);
    const before = state;
    state = tf.tidy(() => step(x, before));
    if (t >= skip) hidden.push(state[0]);
  }
  return tf.add(tf.matMul(tf.concat(hidden), outKernel), outBias);
}

const columns = (matrix: Matrix, blocks: number[]): Matrix[] =>
  blocks.length === 1 ? [matrix] : tf.split(matrix, blocks, 1);

const simpleRnn =
  ([u]: Matrix[]): Step =>
  ([x], [h]) => [tf.tanh(tf.add<Matrix>(x, tf.matMul(h, u)))];

const gru =
  ([gates, candidate]: Matrix[]): Step =>
  ([xGates, xCandidate], [h]) => {
    const [z, r] = tf.split<Matrix>(tf.sigmoid(tf.add<Matrix>(xGates, tf.matMul(h, gates))), 2, 1);
    const n = tf.tanh(tf.add<Matrix>(xCandidate, tf.matMul(tf.mul<Matrix>(r, h), candidate)));
    return [tf.add<Matrix>(n, tf.mul(z, tf.sub(h, n)))];
  };

const lstm =
  ([u]: Matrix[]): Step =>
  ([x], [h, c]) => {
    const [i, f, g, o] = tf.split<Matrix>(tf.add<Matrix>(x, tf.matMul(h, u)), 4, 1);
    const cell = tf.add<Matrix>(tf.mul(tf.sigmoid(f), c), tf.mul(tf.sigmoid(i), tf.tanh(g)));
    return [tf.mul(tf.sigmoid(o), tf.tanh(cell)), cell];
  };

/** [rows, columns], rows <= columns, with orthonormal rows (Gram-Schmidt on a Gaussian matrix), as Keras starts recurrent kernels. */
function orthogonalRows(rows: number, width: number, draw: () => number): Float32Array {
  const basis: Float64Array[] = [];
  while (basis.length < rows) {
    const v = Float64Array.from({ length: width }, draw);
    for (const b of basis) {
      const along = v.reduce((sum, x, i) => sum + x * b[i], 0);
      b.forEach((x, i) => (v[i] -= along * x));
    }
    const length = Math.hypot(...v);
    if (length > 1e-6) basis.push(v.map((x) => x / length));
  }
  return Float32Array.from(basis.flatMap((row) => [...row]));
}
