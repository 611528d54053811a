import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TRANSFORMS } from '#domain/model';
import { autoregressive, normal, uniform } from '../testing/noise.js';
import { FEATURES, ForecastPlan, PREDICTORS } from './forecast-plan.js';
import { addScore, SCORE_FIELDS, scoresOf } from './scores.js';
import { trainingRows } from './training-rows.js';

const HOUR = 3_600_000;
const START = Date.UTC(2024, 0, 1);
const MIXED = PREDICTORS.length;
const BASELINES = ['persistence', 'seasonalNaive', 'statistical'] as const;

/** Mean absolute errors `h` steps ahead, by predictor and mixed, once `from` ticks have passed. */
function errors(values: readonly number[], plan: ForecastPlan, h: number, from: number): number[] {
  const state = new Float64Array(plan.size);
  plan.reset(state);
  const sums = new Float64Array((MIXED + 1) * SCORE_FIELDS);
  values.forEach((value, t) => {
    if (t >= from) {
      const knot = plan.knots.indexOf(h);
      plan.expectedOf(state, 0, knot).forEach((said, k) => addScore(sums, k * SCORE_FIELDS, said, value));
      addScore(sums, MIXED * SCORE_FIELDS, plan.expected(state, 0, knot), value);
    }
    plan.absorb(state, 0, START + t * HOUR, value);
    plan.forecast(state, 0, undefined);
  });
  return Array.from({ length: MIXED + 1 }, (_, k) => scoresOf(sums, k * SCORE_FIELDS).mae);
}

function skill(values: readonly number[], season: number, horizon: number, from: number): number {
  const all = errors(values, new ForecastPlan({ horizon, season, timeZone: 'UTC' }), horizon, from);
  const best = Math.min(...BASELINES.map((name) => all[PREDICTORS.indexOf(name)]).filter((mae) => mae === mae));
  return 1 - all[MIXED] / best;
}

const walk = (seed: number, n: number): number[] => {
  const random = uniform(seed);
  let x = 100;
  return Array.from({ length: n }, () => (x *= Math.exp(0.01 * normal(random))));
};
const seasonal = (seed: number, n: number, level = 0): number[] => {
  const noise = autoregressive(uniform(seed), 'normal', 0.7);
  return Array.from({ length: n }, (_, t) => level + 10 * Math.sin((2 * Math.PI * t) / 24) + noise());
};

describe('a forecast plan', () => {
  it(
    'does little worse than the best baseline in hindsight: prices, seasons, noise, jumps',
    { timeout: 60_000 },
    () => {
      for (const seed of [1, 2, 3, 4, 5]) {
        const prices = walk(seed, 6_000);
        const random = uniform(seed);
        const noise = Array.from({ length: 6_000 }, () => normal(random));
        const jumps = seasonal(seed, 6_000).map((x, t) => x + 20 * Math.floor(t / 1_500));
        for (const [values, season] of [
          [prices, 0],
          [prices, 24],
          [seasonal(seed, 6_000), 24],
          [noise, 0],
          [jumps, 24],
        ] as const)
          for (const horizon of [1, 5]) {
            expect(skill(values, season, horizon, 1_000)).toBeGreaterThan(-0.005);
            // A season that is not there costs more than that before it is found out.
            if (values !== prices || season === 0)
              expect(skill(values.slice(0, 1_000), season, horizon, 0)).toBeGreaterThan(-0.02);
          }
      }
    },
  );

  it('gives one a better forecast than each alone where two know different things', () => {
    expect(skill(seasonal(1, 4_000), 24, 1, 500)).toBeGreaterThan(0.01);
  });

  it('stays finite, whatever comes', () => {
    const value = fc.oneof(
      fc.double({ min: -1e9, max: 1e9, noNaN: true }),
      fc.constantFrom(0, NaN, 1e9, -1e9, 5, 5, 5, 5),
    );
    const plans = fc.constantFrom([1, 0], [3, 0], [1, 2], [3, 7], [20, 24]);
    fc.assert(
      fc.property(fc.array(value, { maxLength: 80 }), plans, (values, [horizon, season]) => {
        const plan = new ForecastPlan({ horizon, season, timeZone: 'UTC' });
        const state = new Float64Array(plan.size);
        plan.reset(state);
        const features = new Float32Array(FEATURES);
        const outputs = new Float32Array(horizon).fill(0.5);
        let known = false;
        values.forEach((v, t) => {
          plan.absorb(state, 0, START + t * HOUR, v);
          plan.writeFeatures(state, 0, features, 0);
          plan.forecast(state, 0, outputs);
          known ||= v === v;
          expect(features.every(Number.isFinite)).toBe(true);
          // What was known once is forecast, whatever is missing since.
          if (known) expect(plan.mixed.every(Number.isFinite)).toBe(true);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('is a copy of its floats, and fresh after a reset', () => {
    const plan = new ForecastPlan({ horizon: 3, season: 24, timeZone: 'UTC' });
    const run = (state: Float64Array, values: readonly number[], from: number): number[] =>
      values.flatMap((value, t) => {
        plan.absorb(state, 0, START + (from + t) * HOUR, value);
        plan.forecast(state, 0, undefined);
        return [...plan.mixed];
      });
    const values = seasonal(1, 400);
    const state = new Float64Array(plan.size);
    plan.reset(state);
    const first = run(state, values.slice(0, 200), 0);
    const copy = state.slice();
    const rest = run(state, values.slice(200), 200);
    expect(run(copy, values.slice(200), 200)).toEqual(rest);
    plan.reset(state);
    expect(run(state, values.slice(0, 200), 0)).toEqual(first);
  });

  it('scales with its values: units make no difference', () => {
    const values = seasonal(2, 600, 50);
    const plan = new ForecastPlan({ horizon: 2, season: 24, timeZone: 'UTC' });
    const one = errors(values, plan, 2, 100)[MIXED];
    const thousand = errors(
      values.map((x) => 1000 * x),
      plan,
      2,
      100,
    )[MIXED];
    expect(thousand / one).toBeCloseTo(1000, 3);
  });

  it('refuses a season shorter than the horizon', () => {
    expect(() => new ForecastPlan({ horizon: 5, season: 3, timeZone: 'UTC' })).toThrow(/shorter than the horizon/);
    expect(() => new ForecastPlan({ horizon: 0, season: 0, timeZone: 'UTC' })).toThrow(/horizon 0/);
  });
});

describe('training rows', () => {
  it.each(TRANSFORMS)('are what live ticks would have given and should have said: %s', (transform) => {
    const plan = new ForecastPlan({ horizon: 3, season: 24, timeZone: 'UTC', transform });
    const values = seasonal(4, 200, 50);
    const window = Float64Array.from(values.flatMap((value, t) => [START + t * HOUR, value]));
    const { features, targets } = trainingRows(plan, window);
    const state = new Float64Array(plan.size);
    plan.reset(state);
    const live = new Float32Array(FEATURES);
    values.forEach((value, t) => {
      plan.absorb(state, 0, START + t * HOUR, value);
      if (t < 25) return;
      plan.writeFeatures(state, 0, live, 0);
      expect(features.subarray((t - 25) * FEATURES, (t - 24) * FEATURES)).toEqual(live);
      for (let h = 1; h <= 3; h++) {
        const target = targets[(t - 25) * 3 + h - 1];
        if (t + h >= values.length) expect(target).toBeNaN();
        else expect(plan.meant(state, 0, h, target)).toBeCloseTo(values[t + h], 4);
      }
    });
  });
});
