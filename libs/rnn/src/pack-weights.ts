/** Keras' weights in the kernel's order: panels of 8 columns, panel after panel, row after row; missing columns are zeros. */
import { sumOfBiases, type LayerWeights } from './layer-weights.js';
import { gateCount, type DenseSpec, type GruSpec, type LstmSpec, type SimpleRnnSpec } from './spec.js';

const PANEL = 8;

export interface Packed {
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

export function panelsOf(units: number): number {
  return Math.ceil(units / PANEL);
}

/** `order`: which gates (blocks of `units` columns), in which order. `matrices` stand one below the other. */
function packGates(
  units: number,
  order: readonly number[],
  columns: number,
  matrices: readonly Float32Array[],
  biasOf: (column: number) => number,
): Packed {
  const panels = panelsOf(units);
  const rows = matrices.reduce((sum, m) => sum + m.length / columns, 0);
  const weights = new Float32Array(order.length * panels * rows * PANEL);
  const bias = new Float32Array(order.length * panels * PANEL);
  order.forEach((gate, block) => {
    for (let k = 0; k < units; k++) {
      const column = gate * units + k;
      const panel = block * panels + Math.floor(k / PANEL);
      bias[panel * PANEL + (k % PANEL)] = biasOf(column);
      let at = panel * rows * PANEL + (k % PANEL);
      for (const matrix of matrices) {
        for (let i = column; i < matrix.length; i += columns, at += PANEL) weights[at] = matrix[i]!;
      }
    }
  });
  return { weights, bias };
}

export interface PackedRecurrent {
  readonly gates: Packed;
  readonly candidateInput?: Packed;
  readonly candidate?: Packed;
}

export function packRecurrent(layer: SimpleRnnSpec | LstmSpec | GruSpec, weights: LayerWeights): PackedRecurrent {
  const { kernel, recurrent, bias } = weights;
  const { units } = layer;
  const all = gateCount(layer) * units;
  const both = [kernel, recurrent];
  const summed = (column: number): number => sumOfBiases(bias, all, column);
  switch (layer.type) {
    case 'simple_rnn':
      return { gates: packGates(units, [0], all, both, summed) };
    case 'lstm':
      // i, f, o, c: the gates that share an activation side by side.
      return { gates: packGates(units, [0, 1, 3, 2], all, both, summed) };
    case 'gru': {
      const gates = packGates(units, [0, 1], all, both, summed);
      if (!layer.resetAfter) return { gates, candidate: packGates(units, [2], all, both, summed) };
      const row = (from: number) => (column: number) => (bias.length === 0 ? 0 : bias[from + column]);
      return {
        gates,
        candidateInput: packGates(units, [2], all, [kernel], row(0)),
        candidate: packGates(units, [2], all, [recurrent], row(all)),
      };
    }
  }
}

/** `dot`: a few outputs, whose weights lie output by output, filled up to a multiple of 4. */
export function packDense(layer: DenseSpec, { kernel, bias, inputSize }: LayerWeights, dot: boolean): Packed {
  const { units } = layer;
  if (!dot) return packGates(units, [0], units, [kernel], (column) => sumOfBiases(bias, units, column));
  const stride = Math.ceil(inputSize / 4) * 4;
  const weights = new Float32Array(units * stride);
  for (let i = 0; i < inputSize; i++) {
    for (let k = 0; k < units; k++) weights[k * stride + i] = kernel[i * units + k]!;
  }
  return { weights, bias: Float32Array.from({ length: units }, (_, k) => sumOfBiases(bias, units, k)) };
}
