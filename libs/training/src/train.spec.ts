import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it, vi } from 'vitest';
import { weightCount } from '#rnn/spec';
import { pickBackend } from './backend.js';
import { gaussian, seededRandom } from './random.js';
import { trainingSet, validationBatches } from './sequences.js';
import { train } from './train.js';
import type { Cell, TrainRequest } from './train.types.js';
import { unroll } from './unroll.js';

const listeners = (): number =>
  process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection');
const listenersAtFirst = listeners();
const random = seededRandom(11);
const windowOf = (rows: number, value: (t: number) => number): Float64Array =>
  Float64Array.from({ length: 2 * rows }, (_, i) => (i % 2 === 0 ? (i / 2) * 1000 : value((i - 1) / 2)));
const sines = Array.from({ length: 6 }, (_, s) =>
  windowOf(512, (t) => 100 * s + (1 + s) * (Math.sin(t * (0.25 + 0.05 * s)) + 0.05 * gaussian(random))),
);
const walk = (rows: number): Float64Array => {
  let x = 0;
  return windowOf(rows, () => (x += gaussian(random)));
};
const request = (changes: Partial<TrainRequest> = {}): TrainRequest => ({
  windows: sines,
  inputs: 1,
  cell: 'gru',
  hidden: 8,
  seed: 1,
  budgetSeconds: 60,
  ...changes,
});

describe('train', () => {
  it.each(['simple-rnn', 'gru', 'lstm'] as Cell[])(
    'a %s learns noisy sines far better than persistence',
    async (cell) => {
      const progress = vi.fn();
      const result = await train(request({ cell, hidden: 12, epochs: 30 }), { progress });
      const { mae, persistenceMae, rows } = result.record.validation;
      expect(mae).toBeLessThan(0.6 * persistenceMae);
      expect(rows).toBe(6 * 103);
      expect(result).toMatchObject({ improved: true, backend: 'wasm', record: { streams: 6, rows: 6 * 512, seed: 1 } });
      expect(result.weights.length).toBe(weightCount(result.network));
      expect(progress).toHaveBeenCalledTimes(result.record.epochs);
      expect(progress.mock.lastCall).toMatchObject([{ epochs: 30, validation: expect.any(Number) as number }]);
    },
  );

  it('is no worse than persistence on random walks it has not seen, and claims no improvement', async () => {
    const result = await train(request({ windows: Array.from({ length: 6 }, () => walk(512)) }));
    expect(result.record.validation.mae).toBeLessThanOrEqual(result.record.validation.persistenceMae);
    expect(result.improved).toBe(false);
    const [mae, persistenceMae] = errors(
      result.weights,
      8,
      Array.from({ length: 20 }, () => walk(512)),
    );
    expect(mae).toBeLessThan(1.02 * persistenceMae);
  });

  it('reports the error that its weights really make', async () => {
    const { weights, record } = await train(request({ epochs: 5 }));
    const [mae, persistenceMae] = errors(weights, 8, sines);
    expect(record.validation.mae).toBeCloseTo(mae, 5);
    expect(record.validation.persistenceMae).toBeCloseTo(persistenceMae, 5);
  });

  it('gives the same weights to the bit for the same seed, and others for another', async () => {
    const [a, b, c] = [
      await train(request({ epochs: 3 })),
      await train(request({ epochs: 3 })),
      await train(request({ epochs: 3, seed: 2 })),
    ];
    expect(b.weights).toEqual(a.weights);
    expect(b.record.validation).toEqual(a.record.validation);
    expect(c.weights).not.toEqual(a.weights);
  });

  it('goes on from given weights', async () => {
    const first = await train(request({ epochs: 10 }));
    const second = await train(request({ epochs: 2, warmStart: first.weights }));
    expect(second.record.validation.mae).toBeLessThanOrEqual(first.record.validation.mae + 1e-6);
    await expect(train(request({ warmStart: new Float32Array(3) }))).rejects.toMatchObject({ code: 'TRAINING_FAILED' });
  });

  it('bears missing values, constant streams, short ones and a reading of 1e9', async () => {
    const holes = windowOf(400, (t) => (t % 7 === 0 ? NaN : Math.sin(t / 3)));
    const spoilt = windowOf(400, (t) => (t === 390 ? 1e9 : Math.sin(t / 3)));
    const windows = [holes, spoilt, windowOf(400, () => 5), windowOf(400, () => NaN), windowOf(10, (t) => t)];
    const { weights, record } = await train(request({ windows, epochs: 12 }));
    expect(weights.every(Number.isFinite)).toBe(true);
    expect(record.streams).toBe(4);
    expect(record.validation.mae).toBeLessThan(record.validation.persistenceMae);
  });

  it('says no improvement where nothing ever changes, and why where there is nothing to train on', async () => {
    const still = await train(request({ windows: [windowOf(200, () => 5)], epochs: 3 }));
    expect(still).toMatchObject({ improved: false, record: { validation: { mae: 0, persistenceMae: 0 } } });
    for (const windows of [[], [windowOf(9, (t) => t)], [windowOf(200, () => NaN)]])
      await expect(train(request({ windows }))).rejects.toMatchObject({ code: 'TRAINING_FAILED' });
  });

  it('reads further inputs', async () => {
    let ahead = 0;
    // The second input is the first one's next step: all but perfectly predictable, if it is read.
    const rows: number[] = [];
    for (let t = 0, x = 0; t < 600; t++) {
      x += ahead;
      ahead = gaussian(random);
      rows.push(t, x, ahead);
    }
    const windows = [Float64Array.from(rows)];
    const { record } = await train(request({ windows, inputs: 2, cell: 'simple-rnn', epochs: 30 }));
    expect(record.validation.mae).toBeLessThan(0.3 * record.validation.persistenceMae);
  });

  it('stops when told to and when its time is over', async () => {
    let batches = 0;
    const stopped = await train(request(), { shouldStop: () => ++batches === 7 });
    expect(stopped.stopped).toBe('cancelled');
    expect(batches).toBe(7);
    const late = await train(request({ budgetSeconds: 0.05 }));
    expect(late.stopped).toBe('budget');
    expect(late.record.seconds).toBeLessThan(1.5);
  });

  it('leaves no tensor and no listener behind, and prints nothing', async () => {
    const printed = (['log', 'info', 'warn', 'error'] as const).map((method) => vi.spyOn(console, method));
    await pickBackend();
    const before = tf.memory().numTensors;
    await train(request({ epochs: 2 }));
    await train(request({ epochs: 2, cell: 'lstm' }));
    expect(tf.memory().numTensors).toBe(before);
    expect(listeners()).toBe(listenersAtFirst);
    for (const spy of printed) expect(spy).not.toHaveBeenCalled();
  });
});

/** Mean absolute errors of exported weights and of persistence on the windows' held-back rows. */
function errors(weights: Float32Array, hidden: number, windows: Float64Array[]): [number, number] {
  const tensor = tf.tensor1d(weights);
  let [sum, still, rows] = [0, 0, 0];
  for (const batch of validationBatches(trainingSet(windows, 1, seededRandom(1)), 32)) {
    const predicted = unroll('gru', hidden, tensor, batch, 0).dataSync();
    batch.counts.forEach((counted, i) => {
      sum += counted * Math.abs(batch.targets[i] - predicted[i]);
      still += counted * Math.abs(batch.targets[i]);
      rows += counted;
    });
  }
  tensor.dispose();
  return [sum / rows, still / rows];
}
