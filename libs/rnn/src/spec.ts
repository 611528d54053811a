/** The shapes of a network: which layers it has and how their weights lie in memory. Pure data, no arithmetic. */

/** Element-wise activations, by their Keras names. `hard_sigmoid_keras2` is clip(0.2 x + 0.5, 0, 1), Keras 2's and TensorFlow.js' form;
 *  `hard_sigmoid` is Keras 3's relu6(x + 3) / 6. */
export const ACTIVATIONS = [
  'linear',
  'tanh',
  'sigmoid',
  'relu',
  'relu6',
  'hard_sigmoid',
  'hard_sigmoid_keras2',
  'softsign',
  'elu',
  'selu',
  'exponential',
  'softplus',
  'silu',
] as const;
export type Activation = (typeof ACTIVATIONS)[number];

/** Maps an integer id to a row. Weights: embeddings [inputDim, outputDim]. With `maskZero`, id 0 leaves every later state as it is. */
export interface EmbeddingSpec {
  readonly type: 'embedding';
  readonly inputDim: number;
  readonly outputDim: number;
  readonly maskZero?: boolean;
}

/** h' = f(x W + h U + b). Weights: kernel [in, units], recurrent_kernel [units, units], bias [units] if useBias. */
export interface SimpleRnnSpec {
  readonly type: 'simple_rnn';
  readonly units: number;
  readonly activation: Activation;
  readonly useBias: boolean;
}

/** Gate order i, f, c, o. Weights: kernel [in, 4 units], recurrent_kernel [units, 4 units], bias [4 units] if useBias. State: h then c. */
export interface LstmSpec {
  readonly type: 'lstm';
  readonly units: number;
  readonly activation: Activation;
  readonly recurrentActivation: Activation;
  readonly useBias: boolean;
}

/** Gate order z, r, h. Weights: kernel [in, 3 units], recurrent_kernel [units, 3 units], bias [2, 3 units] (input row, recurrent row) if
 *  resetAfter, else [3 units]. State: h. h' = z h + (1 - z) n. */
export interface GruSpec {
  readonly type: 'gru';
  readonly units: number;
  readonly activation: Activation;
  readonly recurrentActivation: Activation;
  readonly useBias: boolean;
  readonly resetAfter: boolean;
}

/** y = f(x W + b), at every step. Weights: kernel [in, units], bias [units] if useBias. */
export interface DenseSpec {
  readonly type: 'dense';
  readonly units: number;
  readonly activation: Activation | 'softmax';
  readonly useBias: boolean;
}

export type LayerSpec = EmbeddingSpec | SimpleRnnSpec | LstmSpec | GruSpec | DenseSpec;

/** `inputSize`: features a tick; 1 (the token's id) when the first layer is an embedding. */
export interface NetworkSpec {
  readonly inputSize: number;
  readonly layers: readonly LayerSpec[];
}

/** One weight array of a layer, by its Keras name. */
export interface WeightShape {
  readonly layer: number;
  readonly name: 'embeddings' | 'kernel' | 'recurrent_kernel' | 'bias';
  readonly shape: readonly number[];
}

/** Every weight array in Keras order (layer by layer: kernel, recurrent_kernel, bias). A network's weights are these, row-major, one after
 *  the other in a single Float32Array. */
export function weightShapes(spec: NetworkSpec): WeightShape[] {
  const shapes: WeightShape[] = [];
  let size = spec.inputSize;
  spec.layers.forEach((layer, index) => {
    const add = (name: WeightShape['name'], ...shape: number[]): void =>
      void shapes.push({ layer: index, name, shape });
    switch (layer.type) {
      case 'embedding':
        add('embeddings', layer.inputDim, layer.outputDim);
        size = layer.outputDim;
        return;
      case 'dense':
        add('kernel', size, layer.units);
        if (layer.useBias) add('bias', layer.units);
        break;
      default: {
        const gates = gateCount(layer) * layer.units;
        add('kernel', size, gates);
        add('recurrent_kernel', layer.units, gates);
        if (layer.useBias && layer.type === 'gru' && layer.resetAfter) add('bias', 2, gates);
        else if (layer.useBias) add('bias', gates);
      }
    }
    size = layer.units;
  });
  return shapes;
}

export function weightCount(spec: NetworkSpec): number {
  return weightShapes(spec).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

/** Floats of hidden state a stream has, all layers together (an LSTM has h and c). */
export function stateSize(spec: NetworkSpec): number {
  return spec.layers.reduce((sum, layer) => sum + layerStateSize(layer), 0);
}

export function layerStateSize(layer: LayerSpec): number {
  if (layer.type === 'embedding' || layer.type === 'dense') return 0;
  return layer.type === 'lstm' ? 2 * layer.units : layer.units;
}

export function outputSize(spec: NetworkSpec): number {
  const last = spec.layers[spec.layers.length - 1];
  if (last === undefined) return spec.inputSize;
  return last.type === 'embedding' ? last.outputDim : last.units;
}

/** Blocks of `units` columns in a recurrent layer's kernels. */
export function gateCount(layer: SimpleRnnSpec | LstmSpec | GruSpec): number {
  return { simple_rnn: 1, lstm: 4, gru: 3 }[layer.type];
}
