import { expect, it } from 'vitest';
import { createNetwork } from '#rnn/network';
import type { TrainingRows } from '#forecasting/training-rows';
import { describeOnEachBackend } from '../../../test/support/backends.js';
import { fitForecaster, type FitRequest } from './fit-forecaster.js';
import { seededRandom } from './random.js';
import { networkSpec } from './recurrent-network.js';

/** Two outputs that a memory of one step can tell: the last input, and the one before it. */
function echo(rows: number, seed: number): TrainingRows {
  const random = seededRandom(seed);
  const features = Float32Array.from({ length: rows }, () => 2 * random() - 1);
  const targets = new Float32Array(2 * rows);
  for (let t = 0; t < rows; t++) targets.set([features[t] / 2, t > 0 ? features[t - 1] / 2 : NaN], 2 * t);
  return { features, targets };
}

const request = (changes: Partial<FitRequest> = {}): FitRequest => ({
  streams: [echo(800, 1), echo(400, 2)],
  network: networkSpec('gru', 1, 12, 2),
  cell: 'gru',
  seed: 3,
  epochs: 40,
  rate: 0.02,
  ...changes,
});

await describeOnEachBackend('fitForecaster', () => {
  it.each(['simple-rnn', 'gru', 'lstm'] as const)(
    'teaches a %s several outputs, which the served network gives',
    (cell) => {
      const network = networkSpec(cell, 1, 12, 2);
      const { weights } = fitForecaster(request({ cell, network }));
      const served = createNetwork(network, weights, { capacity: 1, maxWave: 1 });
      const { features, targets } = echo(200, 9);
      let error = 0;
      for (let t = 0; t < 200; t++) {
        served.slots[0] = 0;
        served.inputs[0] = features[t];
        served.step(1);
        if (t > 10)
          error +=
            (Math.abs(served.outputs[0] - targets[2 * t]) + Math.abs(served.outputs[1] - targets[2 * t + 1])) / 378;
      }
      // Saying nothing errs by 0.25.
      expect(error).toBeLessThan(0.05);
    },
  );

  it('gives the same weights twice, and goes on from given ones', () => {
    const one = fitForecaster(request({ epochs: 3 }));
    expect(fitForecaster(request({ epochs: 3 })).weights).toEqual(one.weights);
    const on = fitForecaster(request({ epochs: 3, start: one.weights }));
    expect(on.loss).toBeLessThan(one.loss);
  });

  it('stops when told to, with what it has', () => {
    let batches = 0;
    const seen: number[] = [];
    const stopped = fitForecaster(request({ shouldStop: () => ++batches === 5, onEpoch: (epoch) => seen.push(epoch) }));
    expect(batches).toBe(5);
    expect(stopped.epochs).toBe(seen.length);
    expect(stopped.weights.every(Number.isFinite)).toBe(true);
  });

  it('refuses too few rows, and what does not converge to numbers', () => {
    expect(() => fitForecaster(request({ streams: [echo(30, 1)] }))).toThrow(/Nothing to train on/);
    const wild = echo(400, 1);
    wild.features.fill(NaN, 100, 110);
    expect(() => fitForecaster(request({ streams: [wild] }))).toThrow(/not finite/);
  });
});
