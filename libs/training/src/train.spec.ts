import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it, vi } from 'vitest';
import type { Transform } from '#domain/model';
import { Forecaster } from '#forecasting/forecaster';
import { createNetwork } from '#rnn/network';
import { weightCount } from '#rnn/spec';
import { describeOnEachBackend } from '../../../test/support/backends.js';
import { gaussian, seededRandom } from './random.js';
import { train } from './train.js';
import type { Cell, Loss, TrainRequest } from './train.types.js';

const listeners = (): number =>
  process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection');
const listenersAtFirst = listeners();
const random = seededRandom(11);
const windowOf = (rows: number, value: (t: number) => number): Float64Array =>
  Float64Array.from({ length: 2 * rows }, (_, i) => (i % 2 === 0 ? (i / 2) * 1000 : value((i - 1) / 2)));
const sines = Array.from({ length: 6 }, (_, s) =>
  windowOf(512, (t) => 100 * s + (1 + s) * (Math.sin(t * (0.25 + 0.05 * s)) + 0.05 * gaussian(random))),
);
const walk = (rows: number, seed?: number): Float64Array => {
  const draw = seed === undefined ? random : seededRandom(seed);
  let x = 0;
  return windowOf(rows, () => (x += gaussian(draw)));
};
const request = (changes: Partial<TrainRequest> = {}): TrainRequest => ({
  windows: sines,
  inputs: 1,
  horizon: 1,
  season: 0,
  timeZone: 'UTC',
  level: 0.9,
  cell: 'gru',
  hidden: 8,
  seed: 1,
  budgetSeconds: 60,
  ...changes,
});

await describeOnEachBackend('train', (backend) => {
  it.each(['simple-rnn', 'gru', 'lstm'] as Cell[])(
    'a %s learns noisy sines far better than persistence',
    async (cell) => {
      const progress = vi.fn();
      const result = await train(request({ cell, hidden: 12, epochs: 30 }), { progress });
      const { networkMae, baselineMae, mae, persistenceMae, rows } = result.record.validation;
      expect(networkMae).toBeLessThan(0.6 * persistenceMae);
      expect(networkMae).toBeLessThan(0.8 * baselineMae!);
      expect(mae).toBeLessThan(0.7 * persistenceMae);
      expect(rows).toBe(6 * 51);
      expect(result).toMatchObject({ improved: true, backend, record: { streams: 6, rows: 6 * 512, seed: 1 } });
      expect(result.forecast).toMatchObject({ horizon: 1, season: 0, timeZone: 'UTC' });
      expect(result.weights.length).toBe(weightCount(result.network));
      expect(progress).toHaveBeenCalledTimes(result.record.epochs);
      expect(progress.mock.lastCall).toMatchObject([{ epoch: 60, epochs: 60, fraction: 1 }]);
    },
  );

  it('takes the place of what stands in for a champion only if it is no worse', async () => {
    const good = await train(request({ epochs: 30 }));
    const standIn = { network: good.network, weights: good.weights, season: 0 };
    // Another size of network than the one that stands in; hardly trained, and still better than the baselines.
    const hasty = request({ hidden: 4, epochs: 3 });
    expect(await train(hasty)).toMatchObject({ improved: true });
    expect(await train({ ...hasty, standIn })).toMatchObject({ improved: false });
    expect(await train({ ...hasty, standIn: { ...standIn, season: 24 } })).toMatchObject({ improved: true });
    expect(await train(request({ hidden: 12, epochs: 30, standIn }))).toMatchObject({ improved: true });
  });

  it('is little worse than the best baseline on random walks', async () => {
    const result = await train(request({ windows: Array.from({ length: 6 }, () => walk(512)) }));
    const { mae, baselineMae } = result.record.validation;
    expect(mae).toBeLessThan(1.02 * baselineMae!);
  });

  it('finds a season where one is asked for, and forecasts several steps', async () => {
    const windows = sines.map((_, s) =>
      windowOf(512, (t) => 10 * Math.sin((2 * Math.PI * t) / 24) + s + gaussian(random)),
    );
    const { forecast, network, record } = await train(request({ windows, horizon: 5, season: 'auto', epochs: 5 }));
    expect(forecast).toMatchObject({ horizon: 5, season: 24 });
    // Five steps that learn, three numbers each.
    expect(forecast.calibration).toHaveLength(15);
    expect(network.layers[1]).toMatchObject({ units: 5 });
    expect(record.validation.mae).toBeLessThan(0.5 * record.validation.persistenceMae);
  });

  it('says what errors are like, for streams without truths', async () => {
    const windows = Array.from({ length: 4 }, () => walk(2000));
    const { forecast } = await train(request({ windows, epochs: 1 }));
    const [truths, error, quantile] = forecast.calibration!;
    expect(truths).toBe(4 * 199);
    // Of a random walk, in typical changes: 1, and 90 % of a normal distribution within 1.645 / 0.798 of that.
    expect(error).toBeGreaterThan(0.85);
    expect(error).toBeLessThan(1.2);
    expect(error * quantile).toBeGreaterThan(1.7);
    expect(error * quantile).toBeLessThan(2.5);
  });

  it('learns nothing of the newest rows before it is judged by them', async () => {
    const seen: Float64Array[] = [];
    const one = windowOf(512, (t) => Math.sin(t / 3));
    const other = one.slice();
    // Another end: what is held back, and what only targets reach.
    for (let t = 512 - 51; t < 512; t++) other[2 * t + 1] = 5 + Math.cos(t);
    for (const window of [one, other]) seen.push(window);
    const [a, b] = await Promise.all(
      seen.map((window) => train(request({ windows: [window], epochs: 3, horizon: 3 }), { shouldStop: counter(9) })),
    );
    // Stopped within the first pass, which the newest rows have no part in.
    expect(b.weights).toEqual(a.weights);
    expect(b.record.validation.mae).not.toEqual(a.record.validation.mae);
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
    const champion = { weights: first.weights, season: 0 };
    const second = await train(request({ epochs: 2, champion }));
    expect(second.record.validation.networkMae).toBeLessThan(1.1 * first.record.validation.networkMae!);
    await expect(train(request({ champion: { weights: new Float32Array(3), season: 0 } }))).rejects.toMatchObject({
      code: 'TRAINING_FAILED',
    });
    // Made for another season: begun anew.
    const anew = await train(request({ epochs: 2, champion: { ...champion, season: 7 } }));
    expect(anew.weights).toEqual((await train(request({ epochs: 2 }))).weights);
  });

  it('learns the median by the absolute error, and nearly the mean by the squared one', async () => {
    const draw = seededRandom(4);
    // No memory: the best there is to say is one number; the median of these is 0.69, their mean 1.
    const skewed = [0, 1, 2].map(() => windowOf(1200, () => -Math.log(1 - draw())));
    const saidBy = async (loss: Loss): Promise<number> => {
      const asked = request({ windows: skewed, loss, epochs: 30, transform: 'none' });
      const { weights, network, forecast } = await train(asked);
      const forecaster = new Forecaster({ ...forecast, level: 0.9, blend: false });
      const state = new Float64Array(forecaster.size);
      forecaster.reset(state);
      const served = createNetwork(network, weights, { capacity: 1, maxWave: 1 });
      let sum = 0;
      for (let t = 0; t < 1200; t++) {
        forecaster.absorb(state, 0, skewed[0][2 * t], skewed[0][2 * t + 1]);
        forecaster.writeFeatures(state, 0, served.inputs, 0);
        served.slots[0] = 0;
        served.step(1);
        forecaster.forecast(state, 0, served.outputs);
        if (t >= 200) sum += forecaster.plan.mixed[0] / 1000;
      }
      return sum;
    };
    const [median, mean] = [await saidBy('mae'), await saidBy('huber')];
    expect(median).toBeGreaterThan(0.6);
    expect(median).toBeLessThan(0.85);
    expect(mean).toBeGreaterThan(median + 0.05);
  });

  it('is given the gaps where ticks come irregularly, goes on so, and begins anew where it is asked not to be', async () => {
    const draw = seededRandom(8);
    // What comes next is in how long the last tick was waited for, and in nothing else.
    const windows = [0, 1, 2].map(() => {
      const gaps = Array.from({ length: 1201 }, () => Math.exp(gaussian(draw)));
      let ts = 0;
      return Float64Array.from({ length: 2400 }, (_, i) =>
        i % 2 === 0 ? (ts += 60_000 * gaps[i / 2 + 1]) : Math.log(gaps[(i - 1) / 2]) + 0.1 * gaussian(draw),
      );
    });
    const asked = request({ windows, hidden: 12, epochs: 30, gaps: 'auto' });
    const [given, bare] = [await train(asked), await train({ ...asked, gaps: false })];
    expect(given.forecast.gaps).toBe(true);
    expect(given.network.inputSize).toBe(bare.network.inputSize + 1);
    expect(bare.forecast).not.toHaveProperty('gaps');
    expect(given.record.validation.networkMae).toBeLessThan(0.7 * bare.record.validation.networkMae!);
    const champion = { weights: given.weights, season: 0, gaps: true };
    const regular = request({ epochs: 2, hidden: 12, gaps: 'auto', champion });
    expect((await train(regular)).forecast.gaps).toBe(true);
    const without = await train({ ...regular, gaps: false });
    expect(without.weights).toEqual((await train({ ...regular, gaps: false, champion: undefined })).weights);
    expect((await train(request({ epochs: 1, gaps: 'auto' }))).forecast).not.toHaveProperty('gaps');
  });

  describe('the transform', () => {
    const proportional = (seed: number): Float64Array => {
      const draw = seededRandom(seed);
      let level = 0;
      return windowOf(1200, (t) => {
        level += 0.002 + 0.02 * gaussian(draw);
        return Math.exp(level + Math.sin((2 * Math.PI * t) / 24) + 0.1 * gaussian(draw));
      });
    };
    const momentum = (seed: number): Float64Array => {
      const draw = seededRandom(seed);
      let [level, speed] = [0, 0];
      return windowOf(1200, () => {
        speed = 0.6 * speed + 0.1 * gaussian(draw);
        return Math.exp((level += speed));
      });
    };
    const returning = (seed: number): Float64Array => {
      const draw = seededRandom(seed);
      let x = 0;
      return windowOf(1200, () => 50 + (x = 0.3 * x + gaussian(draw)));
    };
    const cases: [string, (seed: number) => Float64Array, Transform, season?: number][] = [
      ['growth and seasons in proportion', proportional, 'log', 24],
      ['a geometric walk with momentum', momentum, 'log'],
      ['what comes back to where it was', returning, 'none'],
      ['a random walk', (seed) => walk(1200, seed), 'difference'],
    ];
    it.each(cases)('is the one that does best on %s, and said in the manifest', async (_, make, wanted, season = 0) => {
      for (const seed of [1, 3]) {
        const windows = [0, 1, 2].map((k) => make(10 * seed + k));
        const auto = request({ windows, seed, season, hidden: 16, epochs: 30, transform: 'auto' });
        const { forecast, record } = await train(auto);
        expect(forecast.transform ?? 'difference').toBe(wanted);
        // As if it had been asked for.
        const asked = await train({ ...auto, transform: wanted });
        expect(asked.record.validation).toEqual(record.validation);
        expect(asked.record.transforms).toBeUndefined();
        if (wanted === 'difference') {
          expect(forecast).not.toHaveProperty('transform');
          continue;
        }
        expect(record.transforms![wanted]).toBeLessThan(0.97 * record.transforms!.difference!);
        const plain = await train({ ...auto, transform: 'difference' });
        expect(record.validation.networkMae).toBeLessThan(0.99 * plain.record.validation.networkMae!);
      }
    });

    it('is the logarithm only of what is above 0 everywhere', async () => {
      for (const [window, tried] of [
        [windowOf(200, (t) => 2 + Math.sin(t)), ['difference', 'log', 'none']],
        [windowOf(200, (t) => (t % 9 === 3 ? NaN : 2 + Math.sin(t))), ['difference', 'log', 'none']],
        [windowOf(200, (t) => (t === 77 ? 0 : 2 + Math.sin(t))), ['difference', 'none']],
      ] as const) {
        const { record } = await train(request({ windows: [sines[1], window], epochs: 1, transform: 'auto' }));
        expect(Object.keys(record.transforms!)).toEqual(tried);
      }
    });

    it('stays the champion’s where it is not asked for, and costs nothing then', async () => {
      const first = await train(request({ windows: [momentum(1)], epochs: 4, transform: 'log' }));
      const champion = { weights: first.weights, season: 0, transform: 'log' } as const;
      const again = request({ windows: [momentum(1)], epochs: 2, champion });
      const progress = vi.fn();
      const auto = await train({ ...again, transform: 'auto' }, { progress });
      expect(auto.forecast.transform).toBe('log');
      expect(auto.record.transforms).toBeUndefined();
      expect(progress).toHaveBeenCalledTimes(auto.record.epochs);
      expect(auto.weights).toEqual((await train({ ...again, transform: 'log' })).weights);
      // Another one: begun anew, and held against the champion by what that one makes of the same rows.
      const other = await train({ ...again, transform: 'difference' });
      expect(other.weights).toEqual((await train({ ...again, champion: undefined })).weights);
      expect(other.forecast).not.toHaveProperty('transform');
    });

    it('of a champion makes no difference to whether it is better', async () => {
      const windows = [1, 2, 3].map(proportional);
      const good = await train(request({ windows, epochs: 60, transform: 'log' }));
      const champion = { weights: good.weights, season: 0, transform: 'log' } as const;
      const hasty = request({ windows, epochs: 2, transform: 'difference' });
      expect(await train({ ...hasty, champion })).toMatchObject({ improved: false });
      expect(
        await train({ ...hasty, epochs: 30, champion: { ...champion, weights: good.weights.map(() => 0) } }),
      ).toMatchObject({ improved: true });
    });

    it('is tried within the budget, counted in the progress, and the plain one where that runs out', async () => {
      const progress = vi.fn();
      const { record } = await train(request({ epochs: 4, transform: 'auto' }), { progress });
      const tried = 4 * Object.keys(record.transforms!).length;
      expect(progress.mock.lastCall).toMatchObject([{ epoch: tried + 8, epochs: tried + 8, fraction: 1 }]);
      const cut = await train(request({ windows: [momentum(1)], transform: 'auto' }), { shouldStop: counter(5) });
      expect(cut.stopped).toBe('cancelled');
      expect(cut.forecast).not.toHaveProperty('transform');
    });
  });

  it('bears missing values, constant streams, short ones and a reading of 1e9', async () => {
    const holes = windowOf(400, (t) => (t % 7 === 0 ? NaN : Math.sin(t / 3)));
    const spoilt = windowOf(400, (t) => (t === 390 ? 1e9 : Math.sin(t / 3)));
    const windows = [holes, spoilt, windowOf(400, () => 5), windowOf(400, () => NaN), windowOf(10, (t) => t)];
    const { weights, record } = await train(request({ windows, epochs: 60 }));
    expect(weights.every(Number.isFinite)).toBe(true);
    expect(record.streams).toBe(5);
    expect(record.validation.mae).toBeLessThan(record.validation.persistenceMae);
  });

  it('says why where there is nothing to train on', async () => {
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
    const { record } = await train(request({ windows, inputs: 2, cell: 'simple-rnn', epochs: 120 }));
    expect(record.validation.networkMae).toBeLessThan(0.3 * record.validation.persistenceMae);
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
    const before = tf.memory().numTensors;
    await train(request({ epochs: 2 }));
    await train(request({ epochs: 2, cell: 'lstm' }));
    expect(tf.memory().numTensors).toBe(before);
    expect(listeners()).toBe(listenersAtFirst);
    for (const spy of printed) expect(spy).not.toHaveBeenCalled();
  });
});

function counter(most: number): () => boolean {
  let count = 0;
  return () => ++count >= most;
}
