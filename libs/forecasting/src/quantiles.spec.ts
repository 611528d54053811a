import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { uniform } from '../testing/noise.js';
import { Forecaster } from './forecaster.js';
import { intervalPlan } from './intervals.js';
import { learnQuantiles, quantileOffsets, quantilePlan, quantileSize, resetQuantiles } from './quantiles.js';

const LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95];
const planned = (level = 0.9, levels: readonly number[] = LEVELS): ReturnType<typeof quantilePlan> =>
  quantilePlan(levels, intervalPlan({ steps: 1, level, phases: 0 }));
const exponential = (draw: () => number): number => -Math.log(1 - draw());

describe('quantiles', () => {
  it('begin as errors with exponential tails have them: those that the interval leaves out are its ends', () => {
    for (const level of [0.8, 0.9, 0.99]) {
      const tail = (1 - level) / 2;
      const { first } = planned(level, [tail, 0.5, 1 - tail]);
      expect(first[0]).toBeCloseTo(-1, 12);
      expect(first[1]).toBeCloseTo(0, 12);
      expect(first[2]).toBeCloseTo(1, 12);
    }
  });

  it('hold their share of truths where errors are skewed, and again after the skew has turned', () => {
    const forecaster = new Forecaster({ horizon: 3, season: 0, timeZone: 'UTC', level: 0.9, quantiles: LEVELS });
    const state = new Float64Array(forecaster.size);
    forecaster.reset(state);
    const draw = uniform(5);
    const below = [LEVELS.map(() => 0), LEVELS.map(() => 0)];
    const counted = [0, 0];
    const issued: number[][] = [];
    for (let t = 0; t < 16_000; t++) {
      const half = t < 8000 ? 0 : 1;
      const value = 100 + (half === 0 ? 3 : -3) * exponential(draw);
      const said = issued[t - 3] ?? [];
      if (t % 8000 > 2000) {
        counted[half] += 1;
        said.forEach((quantile, k) => (below[half][k] += value <= quantile ? 1 : 0));
      }
      forecaster.absorb(state, 0, 60_000 * t, value);
      forecaster.forecast(state, 0, undefined);
      issued.push(LEVELS.map((_, k) => forecaster.plan.mixed[2] + forecaster.offsets[2 * LEVELS.length + k]));
    }
    below.forEach((counts, half) =>
      counts.forEach((count, k) => expect(Math.abs(count / counted[half] - LEVELS[k])).toBeLessThan(0.015)),
    );
  });

  it('ascend whatever has been learnt, and are not there where the interval is not', () => {
    const plan = planned();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ noDefaultInfinity: true }), fc.double()), { maxLength: 60 }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (truths, half) => {
          const state = new Float64Array(quantileSize(plan));
          resetQuantiles(plan, state, 0);
          truths.forEach(([error, issued], n) => learnQuantiles(plan, state, 0, 0, n, error, issued));
          const offsets = new Float64Array(LEVELS.length);
          quantileOffsets(plan, state, 0, 0, half, offsets, 0);
          expect([...offsets]).toEqual([...offsets].sort((a, b) => a - b));
          expect(offsets.every(Number.isFinite)).toBe(true);
          quantileOffsets(plan, state, 0, 0, NaN, offsets, 0);
          expect(offsets.every(Number.isNaN)).toBe(true);
        },
      ),
    );
  });

  it('ascend also where two have passed each other', () => {
    const plan = planned(0.9, [0.5, 0.52]);
    const state = new Float64Array(quantileSize(plan));
    resetQuantiles(plan, state, 0);
    learnQuantiles(plan, state, 0, 0, 0, 0.01, 1);
    expect(state[0]).toBeGreaterThan(state[1]);
    const offsets = new Float64Array(2);
    quantileOffsets(plan, state, 0, 0, 1, offsets, 0);
    expect(offsets[1]).toBe(offsets[0]);
  });

  it('learn nothing from a missing truth, nor without an interval', () => {
    const plan = planned();
    const state = new Float64Array(quantileSize(plan));
    resetQuantiles(plan, state, 0);
    const before = [...state];
    for (const [error, issued] of [
      [NaN, 1],
      [1, NaN],
      [1, 0],
      [Infinity, 1],
    ])
      learnQuantiles(plan, state, 0, 0, 5, error, issued);
    expect([...state]).toEqual(before);
    learnQuantiles(plan, state, 0, 0, 5, 1, 1);
    expect([...state]).not.toEqual(before);
  });

  it('change nothing else that is forecast', () => {
    const options = { horizon: 12, season: 12, timeZone: 'UTC', level: 0.9 };
    const [bare, more] = [new Forecaster(options), new Forecaster({ ...options, quantiles: LEVELS })];
    const states = [new Float64Array(bare.size), new Float64Array(more.size)];
    [bare, more].forEach((one, k) => one.reset(states[k]));
    const draw = uniform(3);
    for (let t = 0; t < 400; t++) {
      const value = Math.sin((2 * Math.PI * t) / 12) + draw();
      [bare, more].forEach((one, k) => {
        one.absorb(states[k], 0, t, value);
        one.forecast(states[k], 0, undefined);
      });
      expect(more.plan.mixed).toEqual(bare.plan.mixed);
      expect(more.halves).toEqual(bare.halves);
    }
    expect(states[1].slice(0, bare.size)).toEqual(states[0]);
    // Steps between those that learn have them too.
    expect(more.offsets.every(Number.isFinite)).toBe(true);
  });
});
