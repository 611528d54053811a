import { describe, expect, it } from 'vitest';
import { createNetwork } from '#rnn/network';
import { fitForecaster, type FitRequest, type ForecastRows } from './fit-forecaster.js';
import { seededRandom } from './random.js';

/** Two outputs that a memory of one step can tell: the last input, and the one before it. */
function echo(rows: number, seed: number): ForecastRows {
  const random = seededRandom(seed);
  const features = Float32Array.from({ length: rows }, () => 2 * random() - 1);
  const targets = new Float32Array(2 * rows);
  for (let t = 0; t < rows; t++) targets.set([features[t] / 2, t > 0 ? features[t - 1] / 2 : NaN], 2 * t);
  return { features, targets };
}

const request = (changes: Partial<FitRequest> = {}): FitRequest => ({
  streams: [echo(800, 1), echo(400, 2)],
  inputs: 1,
  outputs: 2,
  cell: 'gru',
  hidden: 12,
  seed: 3,
  epochs: 40,
  rate: 0.02,
  ...changes,
});

describe('fitForecaster', () => {
  it.each(['simple-rnn', 'gru', 'lstm'] as const)(
    'teaches a %s several outputs, which the served network gives',
    async (cell) => {
      const { network, weights } = await fitForecaster(request({ cell }));
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

  it('gives the same weights twice, and goes on from given ones', async () => {
    const one = await fitForecaster(request({ epochs: 3 }));
    expect((await fitForecaster(request({ epochs: 3 }))).weights).toEqual(one.weights);
    const on = await fitForecaster(request({ epochs: 3, warmStart: one.weights }));
    expect(on.loss).toBeLessThan(one.loss);
  });

  it('refuses too few rows, and what does not converge to numbers', async () => {
    await expect(fitForecaster(request({ streams: [echo(30, 1)] }))).rejects.toMatchObject({ code: 'TRAINING_FAILED' });
    const wild = echo(400, 1);
    wild.features.fill(NaN, 100, 110);
    await expect(fitForecaster(request({ streams: [wild] }))).rejects.toMatchObject({ code: 'TRAINING_FAILED' });
  });
});
