import { describe, expect, it } from 'vitest';
import {
  IMPLEMENTATIONS,
  bitsOf,
  network,
  randomSeries,
  randomWeights,
  stateOf,
  stepWave,
} from '../testing/streams.js';
import { createNetwork, selectImplementation, stepState } from './network.js';
import { outputSize, stateSize, type LayerSpec, type NetworkSpec } from './spec.js';

const dense: LayerSpec = { type: 'dense', units: 2, activation: 'linear', useBias: true };
const gru = (units: number): LayerSpec => ({
  ...{ type: 'gru', units, activation: 'tanh', recurrentActivation: 'sigmoid', useBias: true, resetAfter: true },
});
const lstm = (units: number): LayerSpec => ({
  ...{ type: 'lstm', units, activation: 'tanh', recurrentActivation: 'sigmoid', useBias: true },
});
const stack: NetworkSpec = { inputSize: 3, layers: [gru(5), lstm(7), dense] };
const masked: NetworkSpec = {
  inputSize: 1,
  layers: [{ type: 'embedding', inputDim: 4, outputDim: 3, maskZero: true }, gru(5), lstm(2), dense],
};

it('chooses the SIMD kernel where it works', () => {
  expect(selectImplementation()).toBe('simd');
  expect(createNetwork(stack, randomWeights(stack, 1), { capacity: 1, maxWave: 1 }).implementation).toBe('simd');
});

describe.each(IMPLEMENTATIONS)('%s network', (implementation) => {
  it('knows its sizes', () => {
    const net = network(stack, randomWeights(stack, 1), implementation, 10);
    expect([net.stateSize, net.outputSize, net.capacity, net.maxWave]).toEqual([19, 2, 10, 10]);
    expect([net.slots.length, net.tokens.length, net.inputs.length, net.outputs.length]).toEqual([10, 10, 30, 20]);
    expect([stateSize(stack), outputSize(stack)]).toEqual([19, 2]);
  });

  it('begins with zeros and resets to zeros', () => {
    const net = network(stack, randomWeights(stack, 1), implementation);
    expect(stateOf(net, 5)).toEqual(new Float32Array(19));
    stepWave(net, [4, 5, 6], () => Float32Array.of(1, 2, 3));
    const neighbour = stateOf(net, 4);
    expect(stateOf(net, 5).every((v) => v !== 0)).toBe(true);
    net.resetState(5);
    expect(stateOf(net, 5)).toEqual(new Float32Array(19));
    expect(stateOf(net, 4)).toEqual(neighbour);
  });

  it('reads back exactly what was written, in the first and the last slot too', () => {
    const net = network(stack, randomWeights(stack, 1), implementation, 8);
    for (const slot of [0, 3, 7]) {
      const state = Float32Array.from({ length: 19 }, (_, i) => slot * 100 + i + 0.5);
      net.writeState(slot, state);
      expect(stateOf(net, slot)).toEqual(state);
    }
    expect(stateOf(net, 0)[0]).toBe(0.5);
  });

  it('leaves the states alone at a masked token and recomputes the read-out from them', () => {
    const net = network(masked, randomWeights(masked, 2), implementation);
    const token = (id: number) => (): Float32Array => Float32Array.of(id);
    const [before] = stepWave(net, [0, 1, 2, 3, 4], token(2));
    const state = stateOf(net, 3);
    const outputs = stepWave(net, [3, 1, 0, 2, 4], (s) => Float32Array.of(s === 3 || s === 4 ? 0 : 1));
    expect(stateOf(net, 3)).toEqual(state);
    expect(outputs[0]).toEqual(before);
    expect(outputs[4]).toEqual(before);
    expect(outputs[1]).not.toEqual(before);
    expect(stateOf(net, 1)).not.toEqual(state);
  });

  it('keeps its views through many steps', () => {
    const net = network(stack, randomWeights(stack, 1), implementation);
    const { outputs, inputs, slots } = net;
    for (let t = 0; t < 50; t++) stepWave(net, [1, 2, 3, 4, 5], () => Float32Array.of(t, 1, 2));
    expect([net.outputs, net.inputs, net.slots]).toEqual([outputs, inputs, slots]);
    expect(outputs.length).toBe(128);
  });

  it('copies the weights', () => {
    const weights = randomWeights(stack, 1);
    const net = network(stack, weights, implementation);
    const twin = network(stack, weights, implementation);
    const row = (): Float32Array => Float32Array.of(1, 2, 3);
    const [expected] = stepWave(twin, [0], row);
    weights.fill(9);
    expect(stepWave(net, [0], row)[0]).toEqual(expected);
  });

  it('has the recurrent state itself as output when nothing follows', () => {
    const spec: NetworkSpec = { inputSize: 1, layers: [lstm(3)] };
    const net = network(spec, randomWeights(spec, 3), implementation);
    const [y] = stepWave(net, [2], () => Float32Array.of(0.7));
    expect(y).toEqual(stateOf(net, 2).subarray(0, 3));
  });

  it('takes a step as a pure function of state and input, and is left as it was', () => {
    for (const spec of [stack, masked]) {
      const weights = randomWeights(spec, 4);
      const [series] = randomSeries(spec, 1, 5, 6);
      const [net, other] = [network(spec, weights, implementation), network(spec, weights, implementation)];
      let state = new Float32Array(net.stateSize);
      const given = state.slice();
      for (let t = 0; t < 5; t++) {
        const row = series.slice(t * spec.inputSize, (t + 1) * spec.inputSize);
        const result = stepState(net, state, spec === masked ? row[0] : row);
        if (t === 0) expect(state).toEqual(given);
        state = result.state as Float32Array<ArrayBuffer>;
        expect(bitsOf(result.output)).toEqual(bitsOf(stepWave(other, [9], () => row)[0]));
      }
      expect(bitsOf(state)).toEqual(bitsOf(stateOf(other, 9)));
      expect(stateOf(net, 0)).toEqual(given);
      expect([net.slots[0], net.inputs[0], net.outputs[0]]).toEqual([0, 0, 0]);
    }
  });

  it('refuses slots, tokens and waves outside its bounds before it changes anything', () => {
    const net = network(masked, randomWeights(masked, 2), implementation, 4);
    const state = new Float32Array(net.stateSize);
    expect(() => net.step(5)).toThrow(RangeError);
    expect(() => net.step(-1)).toThrow(RangeError);
    expect(() => net.step(NaN)).toThrow(RangeError);
    for (const slot of [-1, 4, 1.5, NaN]) {
      expect(() => net.readState(slot, state)).toThrow(/slot/);
      expect(() => net.writeState(slot, state)).toThrow(/slot/);
      expect(() => net.resetState(slot)).toThrow(/slot/);
    }
    expect(() => net.readState(0, state, 1)).toThrow(/does not fit/);
    expect(() => net.writeState(0, state.subarray(1))).toThrow(/does not fit/);
    net.tokens.set([1, 1]);
    for (const slot of [-1, 4]) {
      net.slots.set([0, slot]);
      expect(() => net.step(2)).toThrow(`slots[1] is ${slot}`);
    }
    net.slots.set([0, 1]);
    for (const token of [-1, 4]) {
      net.tokens.set([1, token]);
      expect(() => net.step(2)).toThrow(`tokens[1] is ${token}`);
    }
    expect(stateOf(net, 0)).toEqual(state);
  });
});

describe('createNetwork refuses', () => {
  const options = { capacity: 4, maxWave: 4 };
  const make = (layers: LayerSpec[], inputSize = 1): void => {
    const spec = { inputSize, layers };
    createNetwork(spec, new Float32Array(0), options);
  };

  it('weights of the wrong number, kind or value', () => {
    const weights = randomWeights(stack, 1);
    expect(() => createNetwork(stack, weights.subarray(1), options)).toThrow(/expected 530 floats.*got 529/);
    expect(() => createNetwork(stack, [1] as unknown as Float32Array, options)).toThrow(TypeError);
    for (const value of [NaN, Infinity, -Infinity]) {
      weights[7] = value;
      expect(() => createNetwork(stack, weights, options)).toThrow(/weights\[7\]/);
    }
  });

  it('sizes that are no positive integers', () => {
    for (const bad of [0, -1, 1.5, NaN, 2 ** 40]) {
      expect(() => make([gru(bad)])).toThrow(/layers\[0\]\.units/);
      expect(() => make([dense], bad)).toThrow(/inputSize/);
      const weights = randomWeights(stack, 1);
      expect(() => createNetwork(stack, weights, { capacity: bad, maxWave: 1 })).toThrow(/capacity/);
      expect(() => createNetwork(stack, weights, { capacity: 1, maxWave: bad })).toThrow(/maxWave/);
    }
  });

  it('unknown layers and activations, misplaced embeddings', () => {
    expect(() => make([{ ...dense, activation: 'gelu' } as unknown as LayerSpec])).toThrow(/gelu/);
    expect(() => make([{ ...gru(2), recurrentActivation: 'softmax' } as unknown as LayerSpec])).toThrow(TypeError);
    expect(() => make([{ type: 'conv1d', units: 2 } as unknown as LayerSpec])).toThrow(/conv1d/);
    const embedding: LayerSpec = { type: 'embedding', inputDim: 3, outputDim: 2 };
    expect(() => make([dense, embedding])).toThrow(/first layer/);
    expect(() => make([embedding], 2)).toThrow(/inputSize must be 1/);
  });

  it('more states than a WebAssembly memory holds', () => {
    const spec: NetworkSpec = { inputSize: 1, layers: [gru(32)] };
    const create = (): unknown =>
      createNetwork(spec, randomWeights(spec, 1), { capacity: 40_000_000, maxWave: 1, implementation: 'simd' });
    expect(create).toThrow(/4 GiB/);
  });
});

it('has room for a million GRU-32 streams, of which only the touched ones take memory', () => {
  const spec: NetworkSpec = { inputSize: 1, layers: [gru(32), dense] };
  const before = process.memoryUsage().rss;
  const net = createNetwork(spec, randomWeights(spec, 1), { capacity: 1_000_000, maxWave: 1000 });
  const wave = Array.from({ length: 1000 }, (_, i) => i);
  wave[999] = 999_999;
  const outputs = stepWave(net, wave, () => Float32Array.of(0.5));
  expect(outputs[999]).toEqual(outputs[0]);
  expect(process.memoryUsage().rss - before).toBeLessThan(40e6);
});
