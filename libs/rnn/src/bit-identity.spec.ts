import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { random, shuffled } from '../testing/random.js';
import {
  IMPLEMENTATIONS,
  bitsOf,
  network,
  randomSeries,
  randomWeights,
  stateOf,
  stepWave,
} from '../testing/streams.js';
import type { Network } from './network.types.js';
import { ACTIVATIONS, type LayerSpec, type NetworkSpec } from './spec.js';

const units = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(12, 15, 16, 17, 24, 31, 32, 33, 40));
const activation = fc.constantFrom(...ACTIVATIONS);
const usual = { tanh: fc.oneof(fc.constant('tanh' as const), activation) };
const recurrentActivation = fc.oneof(fc.constant('sigmoid' as const), activation);
const useBias = fc.boolean();
const layer: fc.Arbitrary<LayerSpec> = fc.oneof(
  fc.record({ type: fc.constant('simple_rnn' as const), units, activation: usual.tanh, useBias }),
  fc.record({ type: fc.constant('lstm' as const), units, activation: usual.tanh, recurrentActivation, useBias }),
  fc.record({
    ...{ type: fc.constant('gru' as const), units, activation: usual.tanh, recurrentActivation, useBias },
    resetAfter: fc.boolean(),
  }),
  fc.record({
    ...{ type: fc.constant('dense' as const), units, useBias },
    activation: fc.oneof(activation, fc.constant('softmax' as const)),
  }),
);
const embedding = fc.record({
  ...{ type: fc.constant('embedding' as const), inputDim: fc.integer({ min: 1, max: 6 }), outputDim: units },
  maskZero: fc.boolean(),
});
const spec: fc.Arbitrary<NetworkSpec> = fc
  .record({
    inputSize: fc.integer({ min: 1, max: 9 }),
    embedding: fc.option(embedding, { nil: undefined }),
    layers: fc.array(layer, { minLength: 0, maxLength: 4 }),
  })
  .map(({ inputSize, embedding: first, layers }) =>
    first === undefined ? { inputSize, layers } : { inputSize: 1, layers: [first, ...layers] },
  );
/** Large ones drive states to infinity and NaN: those have to agree as well. */
const scale = fc.constantFrom(0.3, 0.3, 1, 8, 1e20);
const seed = fc.integer();
const options = (numRuns: number): fc.Parameters<unknown> => ({ numRuns, seed: SEED, verbose: 1 });
/** fast-check prints it, and the path to the counterexample, when a property fails. */
const SEED = 20260713;
const STREAMS = 11;
const TICKS = 6;

type Waves = (net: Network, series: Float32Array[], outputs: Float32Array[][]) => void;

/** All streams a tick at a time, in slot order. */
const together: Waves = (net, series, outputs) => {
  const everyone = series.map((_, stream) => stream);
  for (let t = 0; t < TICKS; t++) {
    stepWave(net, everyone, (stream) => rowAt(net, series[stream], t)).forEach((y, i) => outputs[i].push(y));
  }
};

/** Waves of random size and order; streams get ahead of one another, each keeps its own order. */
const scattered =
  (from: number): Waves =>
  (net, series, outputs) => {
    const next = random(from);
    const done = series.map(() => 0);
    while (done.some((t) => t < TICKS)) {
      const ready = shuffled(series.length, next).filter((stream) => done[stream] < TICKS);
      const wave = ready.slice(0, 1 + Math.floor(next() * ready.length));
      stepWave(net, wave, (stream) => rowAt(net, series[stream], done[stream]++)).forEach((y, i) =>
        outputs[wave[i]].push(y),
      );
    }
  };

const oneByOne: Waves = (net, series, outputs) => {
  series.forEach((one, stream) => {
    for (let t = 0; t < TICKS; t++) outputs[stream].push(stepWave(net, [stream], () => rowAt(net, one, t))[0]);
  });
};

function rowAt(net: Network, series: Float32Array, tick: number): Float32Array {
  return series.subarray(tick * net.spec.inputSize, (tick + 1) * net.spec.inputSize);
}

/** Every output and every final state, as bits, stream by stream. */
function outcome(net: Network, series: Float32Array[], waves: Waves): number[][] {
  const outputs: Float32Array[][] = series.map(() => []);
  waves(net, series, outputs);
  return outputs.map((ys, stream) => [...ys, stateOf(net, stream)].flatMap((v) => Array.from(bitsOf(v))));
}

describe(`bit for bit, fast-check seed ${SEED}`, () => {
  it('SIMD kernel and scalar twin agree, however the waves are cut and ordered', () => {
    fc.assert(
      fc.property(spec, scale, seed, (spec, scale, seed) => {
        const weights = randomWeights(spec, seed, scale);
        const series = randomSeries(spec, STREAMS, TICKS, seed + 1, 2);
        const expected = outcome(network(spec, weights, 'scalar', STREAMS), series, together);
        for (const implementation of IMPLEMENTATIONS) {
          for (const waves of [together, scattered(seed), oneByOne]) {
            expect(outcome(network(spec, weights, implementation, STREAMS), series, waves)).toEqual(expected);
          }
        }
      }),
      options(150),
    );
  }, 120_000);

  it('a stream does not see its neighbours: the same rows in other company and another slot give the same bits', () => {
    fc.assert(
      fc.property(spec, seed, (spec, seed) => {
        const weights = randomWeights(spec, seed, 0.4);
        const series = randomSeries(spec, STREAMS, TICKS, seed + 1);
        const alone = outcome(network(spec, weights, 'simd', STREAMS), series, together);
        const order = shuffled(STREAMS, random(seed));
        const moved = outcome(
          network(spec, weights, 'simd', STREAMS),
          order.map((stream) => series[stream]),
          together,
        );
        order.forEach((stream, slot) => expect(moved[slot]).toEqual(alone[stream]));
      }),
      options(60),
    );
  });

  it('a state read out and written elsewhere goes on as if nothing had happened', () => {
    fc.assert(
      fc.property(spec, seed, (spec, seed) => {
        const weights = randomWeights(spec, seed, 0.4);
        const series = randomSeries(spec, 2, TICKS, seed + 1);
        const straight = outcome(network(spec, weights, 'simd'), series, together);
        const nets = IMPLEMENTATIONS.map((implementation) => network(spec, weights, implementation));
        const state = new Float32Array(nets[0].stateSize + 2);
        series.forEach((one, stream) => {
          const bits: number[] = [];
          for (let t = 0; t < TICKS; t++) {
            // Each tick in the other implementation and another slot.
            const net = nets[t % 2];
            net.writeState(t, state, 1);
            const [y] = stepWave(net, [t], () => rowAt(net, one, t));
            net.readState(t, state, 1);
            bits.push(...bitsOf(y));
          }
          bits.push(...bitsOf(state.subarray(1, state.length - 1)));
          expect(bits).toEqual(straight[stream]);
          state.fill(0);
        });
      }),
      options(60),
    );
  });

  it('NaN inputs leave the one canonical NaN behind', () => {
    const layers: LayerSpec[] = [
      { type: 'gru', units: 5, activation: 'tanh', recurrentActivation: 'sigmoid', useBias: true, resetAfter: true },
      { type: 'dense', units: 1, activation: 'linear', useBias: true },
    ];
    const odd = new Float32Array(new Int32Array([0xffc00001 | 0]).buffer);
    for (const implementation of IMPLEMENTATIONS) {
      const net = network({ inputSize: 1, layers }, randomWeights({ inputSize: 1, layers }, 1), implementation);
      const [y] = stepWave(net, [0], () => odd);
      expect(Array.from(bitsOf(y))).toEqual([0x7fc00000]);
      expect(Array.from(bitsOf(stateOf(net, 0)))).toEqual(new Array(5).fill(0x7fc00000));
    }
  });
});
