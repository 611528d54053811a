import { describe, expect, it } from 'vitest';
import { modelFolder, ramp } from '../testing/files.js';
import { archive, input, layer, legacy, sequential, type Layer } from '../testing/models.js';
import { expectRefusal } from '../testing/refusal.js';
import { readModel } from './read-model.js';

const file = modelFolder();
const refused = async (
  topology: object,
  message: RegExp,
  code: 'MODEL_UNSUPPORTED' | 'MODEL_INVALID' = 'MODEL_UNSUPPORTED',
): Promise<void> => expectRefusal(await file('model.keras', await archive(topology, {})), code, message);
const gru = layer('GRU', { units: 3, return_sequences: true });
const dense = layer('Dense', { units: 1 });
const wrapping = (class_name: string, inner: Layer): Layer => layer(class_name, { layer: inner });

describe('layers that cannot be streamed', () => {
  it.each<[Layer, RegExp]>([
    [
      wrapping('Bidirectional', gru),
      /"bidirectional" \(Bidirectional\): its backward half reads the series from the end/,
    ],
    [
      layer('MultiHeadAttention', { num_heads: 2 }),
      /"multiheadattention" \(MultiHeadAttention\): attention looks back/,
    ],
    [layer('Attention'), /attention looks back/],
    [layer('Conv1D', { filters: 3 }), /window of ticks/],
    [layer('MaxPooling1D'), /whole series/],
    [layer('GlobalAveragePooling1D'), /whole series/],
    [layer('Flatten'), /joins all ticks/],
    [layer('RepeatVector', { n: 3 }), /changes what a tick is/],
    [layer('Masking', { mask_value: -1 }), /leave such ticks out/],
    [layer('LayerNormalization'), /each tick by its own mean/],
    [layer('Lambda', { function: 'import os' }), /code from a file is never run/],
    [{ ...layer('Wavelet'), registered_name: 'shop>Wavelet', module: null }, /custom layer is code/],
    [{ ...layer('Dense', { units: 1 }), module: 'my.package' }, /custom layer is code/],
    [layer('Quantum'), /not one of the layers riverrun reads/],
    [layer('CuDNNLSTM', { units: 3 }), /save it again with LSTM or GRU/],
    [layer('GRU', { units: 3, go_backwards: true }), /go_backwards reads the series from the end/],
    [layer('LSTM', { units: 3, return_state: true }), /return_state/],
    [layer('LSTM', { units: 3, activation: 'softmax' }), /softmax inside a recurrent layer/],
    [layer('LSTM', { units: 3, activation: 'gelu' }), /activation "gelu" is none that riverrun has \(linear/],
    [
      layer('Dense', { units: 3, activation: { class_name: 'function', config: 'relu', module: 'builtins' } }),
      /custom function/,
    ],
    [
      layer('Dense', {
        units: 3,
        dtype: { class_name: 'QuantizedDTypePolicy', config: { name: 'int8_from_float32' } },
      }),
      /quantised/,
    ],
    [layer('RNN', { cell: layer('MyCell', { units: 3 }) }), /its cell "MyCell"/],
    [wrapping('TimeDistributed', layer('Conv1D')), /window of ticks/],
    [wrapping('TimeDistributed', gru), /runs a series within every tick/],
    [layer('Embedding', { input_dim: 3, output_dim: 2 }), /can only be the first layer/],
    [layer('LeakyReLU'), /LeakyReLU is none of the activations/],
    [layer('BatchNormalization', { axis: 1 }), /any axis but the last/],
    [sequential(gru) as Layer, /a model inside the model/],
  ])('%o', async (bad, message) => {
    const weights = { 'gru/cell': [ramp(2, 9), ramp(3, 9), ramp(2, 9)] };
    await expectRefusal(
      await file('model.keras', await archive(sequential(input(null, 2), gru, bad, dense), weights)),
      'MODEL_UNSUPPORTED',
      message,
    );
  });

  it('a last state in the middle of a stack', async () => {
    const first = layer('GRU', { name: 'first', units: 3 });
    const bytes = await archive(sequential(input(null, 2), first, gru), {
      'gru/cell': [ramp(2, 9), ramp(3, 9), ramp(2, 9)],
    });
    await expectRefusal(await file('stack.keras', bytes), 'MODEL_UNSUPPORTED', /"gru" \(GRU\).*return_sequences=True/);
  });

  it('files of Keras 1, SavedModels, graph models and models without weights', async () => {
    const old = await legacy(sequential(input(null, 2), gru), {}, '1.2.2');
    await expectRefusal(await file('old.h5', old), 'MODEL_UNSUPPORTED', /saved by Keras "1.2.2"; load it in Keras 2/);
    const saved = await file('saved/saved_model.pb', 'x');
    await expectRefusal(saved.replace('/saved_model.pb', ''), 'MODEL_UNSUPPORTED', /SavedModel/);
    await expectRefusal(await file('graph.json', '{"format": "graph-model"}'), 'MODEL_UNSUPPORTED', /graph-model/);
    await expectRefusal(
      await file('json.json', JSON.stringify(sequential(gru))),
      'MODEL_UNSUPPORTED',
      /without its weights/,
    );
    await expectRefusal(await file('any.json', '{"a": 1}'), 'MODEL_INVALID', /neither/);
    await expectRefusal(await file('any.keras', 'GIF89a..'), 'MODEL_INVALID', /no model that riverrun reads/);
    await expectRefusal(await file('empty.h5', ''), 'MODEL_INVALID', /is empty/);
    await expectRefusal('/nowhere/model.keras', 'MODEL_INVALID', /cannot be read/);
  });
});

describe('models that are no chain', () => {
  const node = (of: Layer, ...from: string[]): object => ({
    ...of,
    name: of.config.name,
    inbound_nodes: from.length === 0 ? [] : [[...from.map((name) => [name, 0, 0, {}])]],
  });
  const functional = (layers: object[], inputs: string[], outputs: string[]): object => ({
    class_name: 'Functional',
    config: { layers, input_layers: inputs.map((n) => [n, 0, 0]), output_layers: outputs.map((n) => [n, 0, 0]) },
  });
  const start = node(layer('InputLayer', { name: 'in', batch_shape: [null, null, 2] }));
  const other = node(layer('InputLayer', { name: 'in2', batch_shape: [null, null, 2] }));
  const named = (name: string): Layer => layer('GRU', { name, units: 3, return_sequences: true });

  it('branches', async () => {
    const layers = [start, node(named('a'), 'in'), node(named('b'), 'a'), node(named('c'), 'a')];
    await refused(functional(layers, ['in'], ['c']), /layer "a": its output branches, to "b" and "c"/);
  });

  it('joins', async () => {
    const layers = [start, node(named('a'), 'in'), node(layer('Add', { name: 'sum' }), 'a', 'in')];
    await refused(functional(layers, ['in'], ['sum']), /"sum" \(Add\): it joins several layers/);
    await refused(
      functional([start, node(named('a'), 'in', 'in')], ['in'], ['a']),
      /"a" \(GRU\): it joins "in" and "in"/,
    );
  });

  it('several inputs or outputs, shared layers, initial states, loops, loose ends', async () => {
    const a = node(named('a'), 'in');
    await refused(functional([start, other, a], ['in', 'in2'], ['a']), /2 inputs \("in", "in2"\)/);
    await refused(functional([start, a], ['in'], ['a', 'in']), /2 outputs/);
    const shared = { ...a, inbound_nodes: [[['in', 0, 0, {}]], [['a', 0, 0, {}]]] };
    await refused(functional([start, shared], ['in'], ['a']), /"a" \(GRU\): it is shared: used in 2 places/);
    const seeded = { ...a, inbound_nodes: [[['in', 0, 0, { initial_state: ['in', 0, 0] }]]] };
    await refused(functional([start, seeded], ['in'], ['a']), /takes "in" as its "initial_state"/);
    const second = { ...a, inbound_nodes: [[['in', 0, 1, {}]]] };
    await refused(functional([start, second], ['in'], ['a']), /"in": it has several outputs/);
    await refused(
      functional([start, a, node(named('b'), 'a')], ['in'], ['a']),
      /"b" \(GRU\): it does not stand in the chain/,
    );
    await refused(
      functional([start, node(named('a'), 'b'), node(named('b'), 'a')], ['in'], ['b']),
      /not connected/,
      'MODEL_INVALID',
    );
    await refused(
      functional([start, node(named('a'), 'x')], ['in'], ['a']),
      /"x", which is not in the model/,
      'MODEL_INVALID',
    );
  });
});

describe('what is left out or noted', () => {
  it('says so', async () => {
    const topology = sequential(
      input(24, 2),
      layer('GRU', { units: 3, stateful: true, unroll: true, implementation: 1, dropout: 0.5 }),
      layer('Dropout', { rate: 0.5 }),
      layer('Flatten'),
      layer('Dense', { units: 1 }),
    );
    const model = await readModel(
      await file(
        'notes.keras',
        await archive(topology, { 'gru/cell': [ramp(2, 9), ramp(3, 9), ramp(2, 9)], dense: [ramp(3, 1), ramp(1)] }),
      ),
    );
    expect(model.network.layers).toHaveLength(2);
    expect(model.notes).toEqual([
      'layer "gru" (GRU): stateful is ignored; every stream keeps its own state',
      'the model was built for series of 24 ticks; it is streamed on beyond them, its state never starts over',
    ]);
  });

  it('takes what a legacy file leaves unsaid from its time', async () => {
    const topology = sequential(input(null, 2), layer('GRU', { units: 3 }));
    const gru = (bias: number[]): Record<string, Record<string, ReturnType<typeof ramp>>> => ({
      gru: { 'gru/kernel:0': ramp(2, 9), 'gru/recurrent_kernel:0': ramp(3, 9), 'gru/bias:0': ramp(...bias) },
    });
    const old = await readModel(await file('old.h5', await legacy(topology, gru([9]), '2.1.6')));
    expect(old.network.layers[0]).toMatchObject({ resetAfter: false, recurrentActivation: 'hard_sigmoid_keras2' });
    const tf = await readModel(await file('tf.h5', await legacy(topology, gru([2, 9]), '2.2.4-tf')));
    expect(tf.network.layers[0]).toMatchObject({ resetAfter: true, recurrentActivation: 'sigmoid' });
  });
});
