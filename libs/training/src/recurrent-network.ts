/** The network that is trained, one recurrent layer and a linear read-out: its shapes and its first weights. */
import { weightShapes, type NetworkSpec } from '#rnn/spec';
import { gaussian, seededRandom } from './random.js';
import type { Cell } from './train.types.js';

export function networkSpec(cell: Cell, inputs: number, hidden: number, outputs = 1): NetworkSpec {
  const common = { units: hidden, activation: 'tanh', useBias: true } as const;
  const recurrent = {
    'simple-rnn': { type: 'simple_rnn', ...common },
    gru: { type: 'gru', ...common, recurrentActivation: 'sigmoid', resetAfter: false },
    lstm: { type: 'lstm', ...common, recurrentActivation: 'sigmoid' },
  } as const;
  return {
    inputSize: inputs,
    layers: [recurrent[cell], { type: 'dense', units: outputs, activation: 'linear', useBias: true }],
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
