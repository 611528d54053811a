/** The equations in float64, straight from the definitions and sharing nothing with the library but the weights' layout: the oracle. */
import { weightShapes, type Activation, type LayerSpec, type NetworkSpec } from '../src/spec.js';

type Vector = number[];
type Weights = Float32Array | Float64Array;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const clip = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);

export const REFERENCE_ACTIVATIONS: Record<Activation, (x: number) => number> = {
  linear: (x) => x,
  tanh: Math.tanh,
  sigmoid,
  relu: (x) => Math.max(x, 0),
  relu6: (x) => clip(x, 0, 6),
  hard_sigmoid: (x) => clip(x + 3, 0, 6) / 6,
  hard_sigmoid_keras2: (x) => clip(0.2 * x + 0.5, 0, 1),
  softsign: (x) => x / (1 + Math.abs(x)),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  exponential: Math.exp,
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  silu: (x) => x * sigmoid(x),
};

interface Arrays {
  readonly kernel?: Weights;
  readonly recurrent_kernel?: Weights;
  readonly bias?: Weights;
  readonly embeddings?: Weights;
}

/** One stream's network; `step` takes a row (or [token]) and gives the output row. */
export class ReferenceNetwork {
  private readonly arrays: Arrays[];
  private readonly h: Vector[];
  private readonly c: Vector[];

  constructor(
    private readonly spec: NetworkSpec,
    weights: Weights,
  ) {
    this.arrays = spec.layers.map(() => ({}));
    let at = 0;
    for (const { layer, name, shape } of weightShapes(spec)) {
      const size = shape.reduce((a, b) => a * b, 1);
      Object.assign(this.arrays[layer], { [name]: weights.subarray(at, at + size) });
      at += size;
    }
    const zeros = (layer: LayerSpec): Vector => new Array<number>('units' in layer ? layer.units : 0).fill(0);
    this.h = spec.layers.map(zeros);
    this.c = spec.layers.map(zeros);
  }

  /** All hidden states, layer by layer, h then c. */
  get state(): Vector {
    return this.spec.layers.flatMap((layer, l) => {
      if (layer.type === 'embedding' || layer.type === 'dense') return [];
      return layer.type === 'lstm' ? [...this.h[l], ...this.c[l]] : this.h[l];
    });
  }

  step(input: ArrayLike<number>): Vector {
    let x: Vector = Array.from(input);
    let masked = false;
    this.spec.layers.forEach((layer, l) => {
      const { embeddings } = this.arrays[l];
      if (layer.type === 'embedding') {
        masked = layer.maskZero === true && x[0] === 0;
        x = Array.from(embeddings!.subarray(x[0] * layer.outputDim, (x[0] + 1) * layer.outputDim));
      } else if (layer.type === 'dense') x = this.dense(l, x);
      else {
        if (!masked) this.recur(l, x);
        x = this.h[l];
      }
    });
    return x;
  }

  private dense(l: number, x: Vector): Vector {
    const layer = this.spec.layers[l];
    if (layer.type !== 'dense') throw new Error('not dense');
    const { kernel, bias } = this.arrays[l];
    const y = times(x, kernel!, layer.units).map((v, k) => v + (bias?.[k] ?? 0));
    if (layer.activation !== 'softmax') return y.map(REFERENCE_ACTIVATIONS[layer.activation]);
    const max = Math.max(...y);
    const sum = y.reduce((total, v) => total + Math.exp(v - max), 0);
    return y.map((v) => Math.exp(v - max) / sum);
  }

  private recur(l: number, x: Vector): void {
    const layer = this.spec.layers[l];
    if (layer.type === 'dense' || layer.type === 'embedding') throw new Error('not recurrent');
    const { kernel, recurrent_kernel: recurrent, bias } = this.arrays[l];
    const f = REFERENCE_ACTIVATIONS[layer.activation];
    const n = layer.units;
    const units = Array.from({ length: n }, (_, k) => k);
    const h = this.h[l];
    const gates = kernel!.length / x.length;
    const wx = times(x, kernel!, gates).map((v, k) => v + (bias?.[k] ?? 0));
    const uh = times(h, recurrent!, gates);
    if (layer.type === 'simple_rnn') {
      this.h[l] = units.map((k) => f(wx[k] + uh[k]));
      return;
    }
    const g = REFERENCE_ACTIVATIONS[layer.recurrentActivation];
    if (layer.type === 'lstm') {
      const gate = (index: number, k: number): number => wx[index * n + k] + uh[index * n + k];
      this.c[l] = units.map((k) => g(gate(1, k)) * this.c[l][k] + g(gate(0, k)) * f(gate(2, k)));
      this.h[l] = units.map((k) => g(gate(3, k)) * f(this.c[l][k]));
      return;
    }
    const recurrentBias = (k: number): number => (layer.resetAfter ? (bias?.[gates + k] ?? 0) : 0);
    const z = units.map((k) => g(wx[k] + uh[k] + recurrentBias(k)));
    const r = units.map((k) => g(wx[n + k] + uh[n + k] + recurrentBias(n + k)));
    const ofReset = layer.resetAfter
      ? units.map((k) => r[k] * (uh[2 * n + k] + recurrentBias(2 * n + k)))
      : times(
          h.map((v, k) => v * r[k]),
          recurrent!,
          gates,
        ).slice(2 * n);
    this.h[l] = units.map((k) => z[k] * h[k] + (1 - z[k]) * f(wx[2 * n + k] + ofReset[k]));
  }
}

/** The row vector x times a matrix of `columns` columns. */
function times(x: Vector, matrix: Weights, columns: number): Vector {
  return Array.from({ length: columns }, (_, k) => x.reduce((sum, v, i) => sum + v * matrix[i * columns + k], 0));
}
