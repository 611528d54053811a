import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as tfl from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { IMPLEMENTATIONS, network, randomSeries, randomWeights, stepWave } from '../testing/streams.js';
import { weightShapes, type Activation, type LayerSpec, type NetworkSpec } from './spec.js';

const usual = { activation: 'tanh', recurrentActivation: 'sigmoid', useBias: true } as const;
const dense = (units: number, activation: Activation | 'softmax' = 'linear'): LayerSpec => ({
  ...{ type: 'dense', units, activation, useBias: true },
});
/** TensorFlow.js has no GRU with reset_after: keras.spec.ts and reference.spec.ts cover it. */
const cases: [string, NetworkSpec][] = [
  ['lstm', { inputSize: 3, layers: [{ type: 'lstm', units: 11, ...usual }, dense(2)] }],
  ['gru', { inputSize: 2, layers: [{ type: 'gru', units: 13, ...usual, resetAfter: false }, dense(1)] }],
  ['simple_rnn', { inputSize: 1, layers: [{ type: 'simple_rnn', units: 9, activation: 'tanh', useBias: false }] }],
  [
    'lstm with the hard sigmoid of Keras 2',
    { inputSize: 1, layers: [{ type: 'lstm', units: 8, ...usual, recurrentActivation: 'hard_sigmoid_keras2' }] },
  ],
  [
    'embedding, lstm, softmax',
    {
      inputSize: 1,
      layers: [
        { type: 'embedding', inputDim: 7, outputDim: 4 },
        { type: 'lstm', units: 5, ...usual },
        dense(7, 'softmax'),
      ],
    },
  ],
  [
    'stack',
    {
      inputSize: 2,
      layers: [
        { type: 'gru', units: 6, ...usual, resetAfter: false },
        dense(5, 'selu'),
        { type: 'lstm', units: 4, ...usual, useBias: false },
        { type: 'simple_rnn', units: 10, activation: 'softsign', useBias: true },
        dense(3, 'elu'),
      ],
    },
  ],
  ...(['relu', 'relu6', 'sigmoid', 'hard_sigmoid_keras2', 'softplus', 'softsign'] as const).map(
    (activation): [string, NetworkSpec] => [`dense ${activation}`, { inputSize: 4, layers: [dense(9, activation)] }],
  ),
];

function tfjsName(activation: Activation | 'softmax'): 'linear' {
  const names: Record<string, string> = { hard_sigmoid_keras2: 'hardSigmoid' };
  return (names[activation] ?? activation) as 'linear';
}

function tfjsLayer(layer: LayerSpec): tfl.layers.Layer {
  if (layer.type === 'embedding') return tfl.layers.embedding(layer);
  const common = { units: layer.units, useBias: layer.useBias, activation: tfjsName(layer.activation) };
  const recurrent = { ...common, returnSequences: true, recurrentInitializer: 'zeros' as const };
  switch (layer.type) {
    case 'dense':
      return tfl.layers.dense(common);
    case 'simple_rnn':
      return tfl.layers.simpleRNN(recurrent);
    case 'lstm':
      return tfl.layers.lstm({ ...recurrent, recurrentActivation: tfjsName(layer.recurrentActivation) });
    case 'gru':
      return tfl.layers.gru({ ...recurrent, recurrentActivation: tfjsName(layer.recurrentActivation) });
  }
}

/** All output rows of TensorFlow.js' own layers. */
async function tfjsOutputs(spec: NetworkSpec, weights: Float32Array, series: Float32Array): Promise<Float32Array> {
  const ticks = series.length / spec.inputSize;
  const shape = spec.layers[0].type === 'embedding' ? [ticks] : [ticks, spec.inputSize];
  const model = tfl.sequential();
  model.add(tfl.layers.inputLayer({ inputShape: shape }));
  spec.layers.forEach((layer) => model.add(tfjsLayer(layer)));
  let at = 0;
  const tensors = weightShapes(spec).map(({ shape }) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return tf.tensor(weights.slice(at, (at += size)), [...shape]);
  });
  model.setWeights(tensors);
  return (await (model.predict(tf.tensor(series, [1, ...shape])) as tf.Tensor).data()) as Float32Array;
}

beforeAll(async () => {
  // Without its greeting.
  tf.enableProdMode();
  await tf.setBackend('cpu');
});

describe.each(cases)("TensorFlow.js' own layers: %s", (_, spec) => {
  it('within 1e-5 at every step', async () => {
    const weights = randomWeights(spec, 3, 0.6);
    const [series] = randomSeries(spec, 1, 30, 4);
    const expected = await tfjsOutputs(spec, weights, series);
    for (const implementation of IMPLEMENTATIONS) {
      const net = network(spec, weights, implementation);
      const size = net.outputSize;
      let largest = 0;
      for (let t = 0; t < 30; t++) {
        const [y] = stepWave(net, [2], () => series.subarray(t * spec.inputSize, (t + 1) * spec.inputSize));
        y.forEach((v, k) => (largest = Math.max(largest, Math.abs(v - expected[t * size + k]))));
      }
      expect(expected.length).toBe(30 * size);
      expect(largest).toBeLessThan(1e-5);
    }
  });
});
