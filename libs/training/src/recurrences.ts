/** Each cell's step over a batch, forward and backward, in plain arrays. TensorFlow.js would run a dozen ops for every step and four dozen back;
 *  at these sizes calling an op costs far more than what it computes. tfjs-layers' own cells are the oracle (recurrent-network.spec.ts). */
import { addProduct, transposed } from './products.js';
import type { Cell } from './train.types.js';

/** What a cell needs to run over `steps` steps of `size` sequences with `units` units. All arrays are [steps, size, …]. */
export interface Run {
  readonly steps: number;
  readonly size: number;
  readonly units: number;
  /** The inputs' part of the pre-activations, by column block; becomes the activations on the way. */
  readonly blocks: readonly Float32Array[];
  /** The recurrent kernel by column block. */
  readonly recurrent: readonly Float32Array[];
  /** [steps + 1, size, units]: the states, after the zeros before the first step. */
  readonly hidden: Float32Array;
}

/** What the backward pass needs: for each block the gradient of its pre-activations, and what its recurrent kernel was multiplied with. */
export interface Gradients {
  readonly blocks: readonly Float32Array[];
  readonly operands: readonly Float32Array[];
}

/** Fills `hidden`; what it returns takes the gradient of the states [steps, size, units] back. */
export type Recurrence = (run: Run) => (gradient: Float32Array) => Gradients;

/** Widths of a cell's column blocks in units: what is multiplied with the same operand stands in one block. */
export const BLOCKS: Record<Cell, readonly number[]> = { 'simple-rnn': [1], gru: [2, 1], lstm: [4] };

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
/** Absolute error 1e-16, at half the time of Math.tanh. */
const tanh = (x: number): number => 2 / (1 + Math.exp(-2 * x)) - 1;
const at = (array: Float32Array, row: number, width: number): Float32Array =>
  array.subarray(row * width, (row + 1) * width);

const simpleRnn: Recurrence = ({ steps, size, units, blocks: [a], recurrent: [u], hidden }) => {
  const n = size * units;
  for (let t = 0; t < steps; t++) {
    const x = at(a, t, n);
    addProduct(x, at(hidden, t, n), u, size, units, units);
    const next = at(hidden, t + 1, n);
    for (let i = 0; i < n; i++) next[i] = tanh(x[i]);
  }
  return (gradient) => {
    const back = transposed(u, units, units);
    const da = new Float32Array(steps * n);
    const carry = new Float32Array(n);
    for (let t = steps - 1; t >= 0; t--) {
      const h = at(hidden, t + 1, n);
      const dh = at(gradient, t, n);
      const d = at(da, t, n);
      for (let i = 0; i < n; i++) d[i] = (dh[i] + carry[i]) * (1 - h[i] * h[i]);
      addProduct(carry.fill(0), d, back, size, units, units);
    }
    return { blocks: [da], operands: [hidden] };
  };
};

/** h' = n + z (h - n), n = tanh(x + (r h) U): the reset gate before the product. */
const gru: Recurrence = ({ steps, size, units, blocks: [gates, candidates], recurrent: [ug, un], hidden }) => {
  const n = size * units;
  const reset = new Float32Array(steps * n);
  for (let t = 0; t < steps; t++) {
    const h = at(hidden, t, n);
    const next = at(hidden, t + 1, n);
    const zr = at(gates, t, 2 * n);
    const rh = at(reset, t, n);
    const c = at(candidates, t, n);
    addProduct(zr, h, ug, size, units, 2 * units);
    for (let i = 0; i < 2 * n; i++) zr[i] = sigmoid(zr[i]);
    for (let b = 0, i = 0; b < size; b++)
      for (let j = 0, z = 2 * b * units; j < units; j++, i++) rh[i] = zr[z + units + j] * h[i];
    addProduct(c, rh, un, size, units, units);
    for (let b = 0, i = 0; b < size; b++) {
      for (let j = 0, z = 2 * b * units; j < units; j++, i++) {
        c[i] = tanh(c[i]);
        next[i] = c[i] + zr[z + j] * (h[i] - c[i]);
      }
    }
  }
  return (gradient) => {
    const backGates = transposed(ug, units, 2 * units);
    const backCandidate = transposed(un, units, units);
    const dGates = new Float32Array(steps * 2 * n);
    const dCandidates = new Float32Array(steps * n);
    const carry = new Float32Array(n);
    const dReset = new Float32Array(n);
    for (let t = steps - 1; t >= 0; t--) {
      const h = at(hidden, t, n);
      const dh = at(gradient, t, n);
      const zr = at(gates, t, 2 * n);
      const c = at(candidates, t, n);
      const dzr = at(dGates, t, 2 * n);
      const dc = at(dCandidates, t, n);
      for (let b = 0, i = 0; b < size; b++) {
        for (let j = 0, k = 2 * b * units; j < units; j++, i++, k++) {
          const d = dh[i] + carry[i];
          const z = zr[k];
          dzr[k] = d * (h[i] - c[i]) * z * (1 - z);
          dc[i] = d * (1 - z) * (1 - c[i] * c[i]);
          carry[i] = d * z;
        }
      }
      addProduct(dReset.fill(0), dc, backCandidate, size, units, units);
      for (let b = 0, i = 0; b < size; b++) {
        for (let j = 0, k = (2 * b + 1) * units; j < units; j++, i++, k++) {
          const r = zr[k];
          dzr[k] = dReset[i] * h[i] * r * (1 - r);
          carry[i] += dReset[i] * r;
        }
      }
      addProduct(carry, dzr, backGates, size, 2 * units, units);
    }
    return { blocks: [dGates, dCandidates], operands: [hidden, reset] };
  };
};

const lstm: Recurrence = ({ steps, size, units, blocks: [gates], recurrent: [u], hidden }) => {
  const n = size * units;
  const cells = new Float32Array((steps + 1) * n);
  for (let t = 0; t < steps; t++) {
    const g = at(gates, t, 4 * n);
    const c = at(cells, t, n);
    const nextC = at(cells, t + 1, n);
    const next = at(hidden, t + 1, n);
    addProduct(g, at(hidden, t, n), u, size, units, 4 * units);
    for (let b = 0, i = 0; b < size; b++) {
      for (let j = 0, k = 4 * b * units; j < units; j++, i++, k++) {
        g[k] = sigmoid(g[k]);
        g[k + units] = sigmoid(g[k + units]);
        g[k + 2 * units] = tanh(g[k + 2 * units]);
        g[k + 3 * units] = sigmoid(g[k + 3 * units]);
        nextC[i] = g[k + units] * c[i] + g[k] * g[k + 2 * units];
        next[i] = g[k + 3 * units] * tanh(nextC[i]);
      }
    }
  }
  return (gradient) => {
    const back = transposed(u, units, 4 * units);
    const dGates = new Float32Array(steps * 4 * n);
    const carry = new Float32Array(n);
    const carryC = new Float32Array(n);
    for (let t = steps - 1; t >= 0; t--) {
      const gate = at(gates, t, 4 * n);
      const dg = at(dGates, t, 4 * n);
      const dh = at(gradient, t, n);
      const before = at(cells, t, n);
      const after = at(cells, t + 1, n);
      for (let b = 0, i = 0; b < size; b++) {
        for (let j = 0, k = 4 * b * units; j < units; j++, i++, k++) {
          const [input, forget, cell, output] = [gate[k], gate[k + units], gate[k + 2 * units], gate[k + 3 * units]];
          const squashed = tanh(after[i]);
          const d = dh[i] + carry[i];
          const dc = carryC[i] + d * output * (1 - squashed * squashed);
          dg[k] = dc * cell * input * (1 - input);
          dg[k + units] = dc * before[i] * forget * (1 - forget);
          dg[k + 2 * units] = dc * input * (1 - cell * cell);
          dg[k + 3 * units] = d * squashed * output * (1 - output);
          carryC[i] = dc * forget;
        }
      }
      addProduct(carry.fill(0), dg, back, size, 4 * units, units);
    }
    return { blocks: [dGates], operands: [hidden] };
  };
};

export const RECURRENCES: Record<Cell, Recurrence> = { 'simple-rnn': simpleRnn, gru, lstm };
