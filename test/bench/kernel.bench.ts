/** One recurrent step: the SIMD kernel against its scalar twin, loops as one would write them by hand, and TensorFlow.js' gruCell. All in
 *  one run, rounds interleaved; a ratio is the median of the rounds' ratios. Alone: node dist/test/bench/kernel.bench.js */
import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { createNetwork } from '#rnn/network';
import type { Implementation } from '#rnn/network.types';
import { weightCount, type NetworkSpec } from '#rnn/spec';

const ROUNDS = 15;
const WAVE = 1000;

interface Contestant {
  readonly name: string;
  /** Streams stepped by one `run`. */
  readonly steps: number;
  readonly run: () => void;
}

export async function kernelBench(): Promise<Record<string, unknown>> {
  const backend = await startTensorFlow();
  const contestants = [
    ...([WAVE, 1] as const).flatMap((wave) => [kernel(32, wave, 'simd'), kernel(32, wave, 'scalar')]),
    handWritten(32),
    ...[64, 128].flatMap((units) => [
      kernel(units, WAVE, 'simd'),
      kernel(units, 1, 'simd'),
      kernel(units, WAVE, 'scalar'),
    ]),
    tensorFlow(32, backend),
  ];
  const times = race(contestants);
  const us = (name: string): number => round(median(times.get(name)!));
  const ratio = (slow: string, fast: string): number =>
    round(median(times.get(slow)!.map((t, r) => t / times.get(fast)![r])));
  const gflops = (units: number, wave: number): number =>
    round(gruFlops(units) / us(`simd ${units} wave ${wave}`) / 1e3);
  return {
    'GRU-32, Dense(1), us a step': Object.fromEntries(
      [
        `simd 32 wave ${WAVE}`,
        'simd 32 wave 1',
        `scalar 32 wave ${WAVE}`,
        'scalar 32 wave 1',
        'hand-written loops 32',
      ].map((name) => [name, us(name)]),
    ),
    'SIMD times as fast as': {
      [`the scalar twin, waves of ${WAVE}`]: ratio(`scalar 32 wave ${WAVE}`, `simd 32 wave ${WAVE}`),
      'the scalar twin, waves of 1': ratio('scalar 32 wave 1', 'simd 32 wave 1'),
      [`hand-written loops, waves of ${WAVE}`]: ratio('hand-written loops 32', `simd 32 wave ${WAVE}`),
      'hand-written loops, waves of 1': ratio('hand-written loops 32', 'simd 32 wave 1'),
      [`tfjs-${backend} gruCell with batch 1, waves of ${WAVE}`]: ratio('tfjs 32', `simd 32 wave ${WAVE}`),
      [`tfjs-${backend} gruCell with batch 1, waves of 1`]: ratio('tfjs 32', 'simd 32 wave 1'),
    },
    [`tfjs-${backend} gruCell with batch 1, us a step`]: us('tfjs 32'),
    'larger, GFLOP/s': Object.fromEntries(
      [64, 128].flatMap((units) => [WAVE, 1].map((wave) => [`GRU-${units}, waves of ${wave}`, gflops(units, wave)])),
    ),
    'larger, us a step': Object.fromEntries(
      [64, 128].flatMap((units) =>
        [WAVE, 1].map((wave) => [`GRU-${units}, waves of ${wave}`, us(`simd ${units} wave ${wave}`)]),
      ),
    ),
  };
}

/** 2 H 3H for the recurrent kernel and 2 3H for the one input; the gates are not counted. */
function gruFlops(units: number): number {
  return 2 * units * 3 * units + 2 * 3 * units;
}

function kernel(units: number, wave: number, implementation: Implementation): Contestant {
  const spec: NetworkSpec = {
    inputSize: 1,
    layers: [
      { type: 'gru', units, activation: 'tanh', recurrentActivation: 'sigmoid', useBias: true, resetAfter: true },
      { type: 'dense', units: 1, activation: 'linear', useBias: true },
    ],
  };
  const weights = numbers(weightCount(spec), 1 / Math.sqrt(units));
  const network = createNetwork(spec, weights, { capacity: WAVE, maxWave: wave, implementation });
  network.slots.set(network.slots.map((_, s) => s));
  network.inputs.set(numbers(wave, 1));
  return { name: `${implementation} ${units} wave ${wave}`, steps: wave, run: () => network.step(wave) };
}

/** What one writes first: float64 arithmetic and Math.exp, one stream after the other. */
function handWritten(units: number): Contestant {
  const gates = 3 * units;
  const kernelRow = numbers(gates, 0.5);
  const recurrent = numbers(units * gates, 1 / Math.sqrt(units));
  const bias = numbers(2 * gates, 0.5);
  const readOut = numbers(units, 0.5);
  const states = Array.from({ length: WAVE }, () => new Float32Array(units));
  const inputs = numbers(WAVE, 1);
  const outputs = new Float32Array(WAVE);
  const fromInput = new Float32Array(gates);
  const fromState = new Float32Array(gates);
  const step = (x: number, h: Float32Array): number => {
    for (let k = 0; k < gates; k++) {
      fromInput[k] = bias[k] + x * kernelRow[k];
      fromState[k] = bias[gates + k];
    }
    for (let j = 0; j < units; j++) {
      const row = j * gates;
      for (let k = 0; k < gates; k++) fromState[k] += h[j] * recurrent[row + k];
    }
    let y = 0;
    for (let k = 0; k < units; k++) {
      const z = 1 / (1 + Math.exp(-(fromInput[k] + fromState[k])));
      const r = 1 / (1 + Math.exp(-(fromInput[units + k] + fromState[units + k])));
      const n = Math.tanh(fromInput[2 * units + k] + r * fromState[2 * units + k]);
      h[k] = z * h[k] + (1 - z) * n;
      y += h[k] * readOut[k];
    }
    return y;
  };
  return {
    name: `hand-written loops ${units}`,
    steps: WAVE,
    run: () => states.forEach((h, s) => (outputs[s] = step(inputs[s], h))),
  };
}

/** TensorFlow.js' own cell, batch 1, no read-out: less work than the others have. */
function tensorFlow(units: number, backend: string): Contestant {
  const cell = tfl.layers.gruCell({ units, recurrentInitializer: 'glorotUniform' });
  cell.build([1, 1]);
  let h = tf.zeros([1, units]);
  return {
    name: `tfjs ${units}`,
    steps: 1,
    run: () => {
      const next = tf.tidy(() => (cell.call([tf.ones([1, 1]), h], {}) as tf.Tensor[])[0]);
      h.dispose();
      h = next;
      // The wasm and cpu backends have computed by now; reading makes sure of it.
      if (h.dataSync().length !== units) throw new Error(`tfjs-${backend} gave no state`);
    },
  };
}

async function startTensorFlow(): Promise<string> {
  tf.enableProdMode();
  const manifest = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json');
  setWasmPaths(`${dirname(manifest)}${sep}dist${sep}`);
  setThreadsCount(1);
  await tf.setBackend('wasm');
  const product = tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]])).dataSync();
  if (product[0] !== 11) throw new Error('TensorFlow.js multiplies wrongly');
  return tf.getBackend();
}

/** Microseconds a step by contestant, one number a round. */
function race(contestants: Contestant[]): Map<string, number[]> {
  const times = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  const repeats = contestants.map((contestant) => {
    // Warm, then as many as fill some milliseconds.
    let took = 0;
    let runs = 1;
    for (; took < 30; runs *= 2) took = measure(contestant, runs);
    return Math.max(1, Math.round((runs / 2) * (12 / took)));
  });
  for (let r = 0; r < ROUNDS; r++) {
    contestants.forEach((contestant, c) => {
      times.get(contestant.name)!.push((measure(contestant, repeats[c]) * 1e3) / (repeats[c] * contestant.steps));
    });
  }
  return times;
}

function measure({ run }: Contestant, runs: number): number {
  const start = performance.now();
  for (let i = 0; i < runs; i++) run();
  return performance.now() - start;
}

function numbers(size: number, scale: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => Math.sin(i * 12.9898 + 78.233) * scale);
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(JSON.stringify(await kernelBench(), null, 2));
