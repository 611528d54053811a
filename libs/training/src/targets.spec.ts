import { describe, expect, it } from 'vitest';
import type { ForecastSpec } from '#domain/model';
import { FEATURES } from '#forecasting/forecast-plan';
import { describeOnEachBackend } from '../../../test/support/backends.js';
import { chooseRhythm } from './choose-rhythm.js';
import { candidatesFor } from './choose-transform.js';
import { rowsOf } from './held-back.js';
import { gaussian, seededRandom } from './random.js';
import { train } from './train.js';
import type { TrainRequest } from './train.types.js';

const ROWS = 400;
/** Rows of ts and some columns. */
const windowOf = (...columns: ((t: number) => number)[]): Float64Array =>
  Float64Array.from(Array.from({ length: ROWS }, (_, t) => [60_000 * t, ...columns.map((value) => value(t))]).flat());
const noise = (seed: number): number[] => {
  const random = seededRandom(seed);
  return Array.from({ length: ROWS }, () => gaussian(random));
};
const [heat, power, load] = [noise(1), noise(2), noise(3)];

describe('rows of several targets', () => {
  const spec: ForecastSpec = { horizon: 3, season: 4, timeZone: 'UTC' };
  const all = rowsOf(
    { ...spec, targets: 2 },
    [
      windowOf(
        (t) => heat[t],
        (t) => power[t],
        (t) => load[t],
      ),
    ],
    3,
  );
  const each = [heat, power].map((target) =>
    rowsOf(
      spec,
      [
        windowOf(
          (t) => target[t],
          (t) => load[t],
        ),
      ],
      2,
    ),
  );

  it.each(['all', 'older'] as const)('are those of each one, side by side: %s', (part) => {
    const [{ features, targets }] = all[part];
    const width = 2 * FEATURES + 2;
    const rows = features.length / width;
    expect(rows).toBe(each[0][part][0].features.length / (FEATURES + 2));
    expect(targets).toHaveLength(rows * 6);
    for (let t = 0; t < rows; t++)
      each.forEach(({ [part]: [one] }, k) => {
        const own = one.features.subarray(t * (FEATURES + 2), (t + 1) * (FEATURES + 2));
        const at = t * width;
        expect(features.subarray(at + k * FEATURES, at + (k + 1) * FEATURES)).toEqual(own.subarray(0, FEATURES));
        expect(features.subarray(at + 2 * FEATURES, at + width)).toEqual(own.subarray(FEATURES));
        expect(targets.subarray(6 * t + 3 * k, 6 * t + 3 * (k + 1))).toEqual(one.targets.subarray(3 * t, 3 * (t + 1)));
      });
  });
});

describe('what suits several targets', () => {
  const daily = (t: number): number => 10 * Math.sin((2 * Math.PI * t) / 24);

  it('is a season that most of them show', () => {
    const window = windowOf(
      (t) => heat[t],
      daily,
      (t) => 5 + daily(t),
    );
    const season = 'auto';
    expect(chooseRhythm([window], 4, { season, targets: 3 })).toMatchObject({ season: 24 });
    expect(chooseRhythm([window], 4, { season, targets: 2 })).toMatchObject({ season: 0 });
    expect(chooseRhythm([window], 4, { season })).toMatchObject({ season: 0 });
  });

  it('is a logarithm only where all are above 0', () => {
    const window = windowOf(() => 3, daily);
    expect(candidatesFor([window], 3, 1)).toContain('log');
    expect(candidatesFor([window], 3, 2)).not.toContain('log');
  });
});

await describeOnEachBackend('a training of several targets', () => {
  it('learns what the one says of the other, and how far off each is', async () => {
    // The second follows the first by a tick; the first is followed by nothing.
    const echo = (target: number[], size: number) => (t: number) => size * (t === 0 ? 0 : target[t - 1]);
    const windows = [heat, power, load].map((target) => windowOf((t) => target[t], echo(target, 100)));
    const request: TrainRequest = {
      windows,
      inputs: 2,
      targets: 2,
      ...{ horizon: 1, season: 0, timeZone: 'UTC', level: 0.9 },
      ...{ cell: 'gru', hidden: 8, seed: 1, epochs: 40, budgetSeconds: 60 },
    };
    const { forecast, network, record, improved } = await train(request);
    expect(improved).toBe(true);
    expect(forecast).toMatchObject({ targets: 2, horizon: 1 });
    expect(network.inputSize).toBe(2 * FEATURES);
    expect(network.layers.at(-1)).toMatchObject({ units: 2 });
    const { networkMae, baselineMae, rows } = record.validation;
    expect(rows).toBeGreaterThan(200);
    // Nothing can be better than the best constant for the first: that is about half of it all.
    expect(networkMae).toBeLessThan(0.75 * baselineMae!);
    const single = await train({ ...request, targets: undefined, windows: windows.map(swapped), inputs: 2 });
    expect(single.forecast).not.toHaveProperty('targets');
    expect(single.record.validation.networkMae).toBeLessThan(0.5 * single.record.validation.baselineMae!);
    expect(forecast.calibration).toHaveLength(2 * single.forecast.calibration!.length);
    // How many truths, and how far off: in scales of their own both have errors of their own.
    const [count, size] = forecast.calibration!.slice(forecast.calibration!.length / 2);
    expect(count).toBe(forecast.calibration![0]);
    expect(size).toBeLessThan(0.5 * forecast.calibration![1]);
  });
});

/** The second column forecast, the first beside it. */
const swapped = (window: Float64Array): Float64Array =>
  window.map((_, i) => window[i % 3 === 0 ? i : i % 3 === 1 ? i + 1 : i - 1]);
