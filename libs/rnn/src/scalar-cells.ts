/** The cells as plain loops over Keras' own weight layout: the readable description of the order of every float32 operation. A gate's sum
 *  starts at the bias, takes the inputs ascending, then the states ascending; every product is rounded before it is added. */
import { sumOfBiases, type LayerWeights } from './layer-weights.js';
import { activate, softmax } from './scalar-math.js';
import type { DenseSpec, GruSpec, LstmSpec, SimpleRnnSpec } from './spec.js';

const f = Math.fround;

/** Advances the state that lies at `states[at..]` by the input row `x[xAt..]`. */
export type Cell = (x: Float32Array, xAt: number, states: States, at: number) => void;

/** Floats, and a way to write NaN as the one canonical NaN: which one an operation makes differs between processors. */
export class States {
  readonly floats: Float32Array;
  private readonly bits: Int32Array;

  constructor(size: number) {
    this.floats = new Float32Array(size);
    this.bits = new Int32Array(this.floats.buffer);
  }

  put(index: number, value: number): void {
    if (value === value) this.floats[index] = value;
    else this.bits[index] = 0x7fc00000;
  }
}

/** sums[to + k] += sum over i of x[xAt + i] * weights[i, from + k], for k in 0..width, i ascending. */
function addRows(
  sums: Float32Array,
  to: number,
  width: number,
  x: Float32Array,
  xAt: number,
  size: number,
  weights: Float32Array,
  columns: number,
  from: number,
): void {
  for (let i = 0; i < size; i++) {
    const xi = x[xAt + i];
    const row = i * columns + from;
    for (let k = 0; k < width; k++) sums[to + k] = f(sums[to + k] + f(xi * weights[row + k]));
  }
}

export function simpleRnnCell(spec: SimpleRnnSpec, { kernel, recurrent, bias, inputSize }: LayerWeights): Cell {
  const { units } = spec;
  const start = Float32Array.from({ length: units }, (_, k) => sumOfBiases(bias, units, k));
  const sums = new Float32Array(units);
  return (x, xAt, states, at) => {
    sums.set(start);
    addRows(sums, 0, units, x, xAt, inputSize, kernel, units, 0);
    addRows(sums, 0, units, states.floats, at, units, recurrent, units, 0);
    activate(spec.activation, sums, 0, units);
    for (let k = 0; k < units; k++) states.put(at + k, sums[k]);
  };
}

/** c' = f c + i g; h' = o f(c'). The state is h, then c. */
export function lstmCell(spec: LstmSpec, { kernel, recurrent, bias, inputSize }: LayerWeights): Cell {
  const { units, activation, recurrentActivation } = spec;
  const all = 4 * units;
  const start = Float32Array.from({ length: all }, (_, k) => sumOfBiases(bias, all, k));
  const gates = new Float32Array(all);
  const cells = new Float32Array(units);
  return (x, xAt, states, at) => {
    gates.set(start);
    addRows(gates, 0, all, x, xAt, inputSize, kernel, all, 0);
    addRows(gates, 0, all, states.floats, at, units, recurrent, all, 0);
    activate(recurrentActivation, gates, 0, 2 * units);
    activate(activation, gates, 2 * units, 3 * units);
    activate(recurrentActivation, gates, 3 * units, all);
    for (let k = 0; k < units; k++) {
      const old = states.floats[at + units + k];
      cells[k] = f(f(gates[units + k] * old) + f(gates[k] * gates[2 * units + k]));
      states.put(at + units + k, cells[k]);
    }
    activate(activation, cells, 0, units);
    for (let k = 0; k < units; k++) states.put(at + k, f(gates[3 * units + k] * cells[k]));
  };
}

/** h' = z h + (1 - z) n, with n = f(x W + b + r (h U + b')) if `resetAfter`, else n = f(x W + b + (r h) U). */
export function gruCell(spec: GruSpec, { kernel, recurrent, bias, inputSize }: LayerWeights): Cell {
  const { units, activation, recurrentActivation, resetAfter } = spec;
  const all = 3 * units;
  const two = 2 * units;
  const start = Float32Array.from({ length: all }, (_, k) => {
    // The candidate's two biases stay apart if r stands between them.
    return k < two || bias.length !== 2 * all ? sumOfBiases(bias, all, k) : bias[k];
  });
  const recurrentStart = bias.subarray(all + two, 2 * all);
  const gates = new Float32Array(all);
  const part = new Float32Array(units);
  return (x, xAt, states, at) => {
    gates.set(start);
    addRows(gates, 0, all, x, xAt, inputSize, kernel, all, 0);
    addRows(gates, 0, two, states.floats, at, units, recurrent, all, 0);
    activate(recurrentActivation, gates, 0, two);
    if (resetAfter) {
      part.fill(0);
      part.set(recurrentStart);
      addRows(part, 0, units, states.floats, at, units, recurrent, all, two);
      for (let k = 0; k < units; k++) gates[two + k] = f(gates[two + k] + f(gates[units + k] * part[k]));
    } else {
      for (let k = 0; k < units; k++) part[k] = f(gates[units + k] * states.floats[at + k]);
      addRows(gates, two, units, part, 0, units, recurrent, all, two);
    }
    activate(activation, gates, two, all);
    for (let k = 0; k < units; k++) {
      const z = gates[k];
      const kept = f(z * states.floats[at + k]);
      states.put(at + k, f(kept + f(f(1 - z) * gates[two + k])));
    }
  };
}

/** Up to this many outputs a dense layer (without softmax) is one dot product an output instead of a row-wise sum. */
export const DOT_UNITS = 4;

/** Here `states` are the layer's own output rows. */
export function denseCell(spec: DenseSpec, { kernel, bias, inputSize }: LayerWeights): Cell {
  const { units, activation } = spec;
  const start = Float32Array.from({ length: units }, (_, k) => sumOfBiases(bias, units, k));
  const sums = new Float32Array(units);
  return (x, xAt, rows, at) => {
    if (units <= DOT_UNITS && activation !== 'softmax') {
      for (let k = 0; k < units; k++) sums[k] = f(dot(x, xAt, inputSize, kernel, units, k) + start[k]);
    } else {
      sums.set(start);
      addRows(sums, 0, units, x, xAt, inputSize, kernel, units, 0);
    }
    if (activation === 'softmax') softmax(sums, units);
    else activate(activation, sums, 0, units);
    for (let k = 0; k < units; k++) rows.put(at + k, sums[k]);
  };
}

/** Four partial sums, over inputs 0, 4, .. | 1, 5, .. | 2, 6, .. | 3, 7, ..; then (p0 + p1) + (p2 + p3). */
function dot(
  x: Float32Array,
  xAt: number,
  size: number,
  weights: Float32Array,
  columns: number,
  column: number,
): number {
  let p0 = 0;
  let p1 = 0;
  let p2 = 0;
  let p3 = 0;
  for (let i = 0; i < size; i += 4) {
    p0 = f(p0 + f(x[xAt + i] * weights[i * columns + column]));
    if (i + 1 < size) p1 = f(p1 + f(x[xAt + i + 1] * weights[(i + 1) * columns + column]));
    if (i + 2 < size) p2 = f(p2 + f(x[xAt + i + 2] * weights[(i + 2) * columns + column]));
    if (i + 3 < size) p3 = f(p3 + f(x[xAt + i + 3] * weights[(i + 3) * columns + column]));
  }
  return f(f(p0 + p1) + f(p2 + p3));
}
