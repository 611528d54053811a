import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { laws, uniform, type Law } from '../testing/noise.js';
import {
  anomalyScore,
  halfWidth,
  intervalPlan,
  intervalPoolSize,
  intervalSize,
  learnInterval,
  learnIntervalPool,
  resetIntervalPool,
  resetIntervals,
  type IntervalPlan,
} from './intervals.js';

const MARGIN = 3;

/** One stream, in the middle of an array, with a pool: what the forecaster does each tick, one step ahead. */
function stream(plan: IntervalPlan, pool = freshPool(plan)) {
  const state = new Float64Array(intervalSize(plan) + 2 * MARGIN).fill(-7);
  resetIntervals(plan, state, MARGIN);
  const tick = (error: number, { unit = 1, phase = 0, step = 0 } = {}): number => {
    const half = halfWidth(plan, state, MARGIN, step, phase, unit, pool);
    learnInterval(plan, state, MARGIN, step, phase, unit, error, half, pool);
    learnIntervalPool(plan, pool, step, unit, error);
    return half;
  };
  return { state, pool, tick };
}
function freshPool(plan: IntervalPlan): Float64Array {
  const pool = new Float64Array(intervalPoolSize(plan));
  resetIntervalPool(plan, pool);
  return pool;
}
/** Share of errors within the half widths issued for them, from the 200th on. */
function coverage(plan: IntervalPlan, errors: readonly number[]): number {
  const { tick } = stream(plan);
  const hits = errors.map((error) => Math.abs(error) <= tick(error)).slice(200);
  return hits.filter(Boolean).length / hits.length;
}
const noise = (law: Law, n: number, seed = 1): number[] => {
  const random = uniform(seed);
  return Array.from({ length: n }, () => laws[law](random));
};

const plan = intervalPlan({ steps: 1, level: 0.9, phases: 4 });
const anError = fc.oneof(fc.double({ min: -100, max: 100, noNaN: true }), fc.constant(NaN), fc.constantFrom(0, 1e9));
const someErrors = fc.array(anError, { maxLength: 200 });

describe('prediction intervals', () => {
  for (const law of ['normal', 'laplace', 'studentT3'] as const) {
    for (const level of [0.5, 0.8, 0.9, 0.95, 0.99]) {
      it(`cover ${level} of ${law} errors`, () => {
        const found = coverage(intervalPlan({ steps: 1, level, phases: 0 }), noise(law, 20_000));
        expect(Math.abs(found - level)).toBeLessThan(0.01);
      });
    }
  }

  it('cover again within 200 truths of a tenfold error', () => {
    const { tick } = stream(plan);
    const errors = noise('laplace', 2000).map((e, t) => (t < 1000 ? e : 10 * e));
    const hits = errors.map((error) => (Math.abs(error) <= tick(error) ? 1 : 0));
    const share = (from: number, to: number): number => hits.slice(from, to).filter(Boolean).length / (to - from);
    expect(share(1000, 1020)).toBeLessThan(0.7);
    expect(share(1100, 1200)).toBeGreaterThan(0.86);
  });

  it('are narrower where the season says so', () => {
    const sizes = [1, 1, 1, 5];
    const widthAndMisses = (phases: number): [number, number] => {
      const p = intervalPlan({ steps: 1, level: 0.9, phases });
      const { tick } = stream(p);
      let width = 0;
      let misses = 0;
      noise('normal', 20_000).forEach((e, t) => {
        const phase = (t >> 3) % 4;
        const half = tick(e * sizes[phase], { phase: phases > 0 ? phase : 0 });
        if (t < 2000) return;
        width += half;
        if (Math.abs(e * sizes[phase]) > half) misses++;
      });
      return [width, misses / 18_000];
    };
    const [told, missed] = widthAndMisses(4);
    const [blind] = widthAndMisses(0);
    expect(told).toBeLessThan(0.8 * blind);
    expect(missed).toBeCloseTo(0.1, 1.9);
  });

  it('scale with the stream, in every bit', () => {
    fc.assert(
      fc.property(someErrors, fc.integer({ min: -40, max: 40 }), (errors, power) => {
        const factor = 2 ** power;
        const plain = stream(plan);
        const scaled = stream(plan);
        errors.forEach((error, t) => {
          const half = plain.tick(error, { phase: t % 4 });
          expect(scaled.tick(error * factor, { unit: factor, phase: t % 4 })).toBe(half * factor);
        });
      }),
    );
  });

  it('are wide at least as a thousandth of a unit and finite, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(anError, fc.constantFrom(1e300, -1e300, Infinity)), { maxLength: 300 }),
        (errors) => {
          const { state, tick } = stream(plan);
          for (const error of errors) {
            const half = tick(error);
            expect(half).not.toBe(Infinity);
            if (half !== half) continue;
            expect(half).toBeGreaterThan(0);
            if (Number.isFinite(error)) expect(Number.isFinite(anomalyScore(error, half))).toBe(true);
          }
          expect(state.every(Number.isFinite)).toBe(true);
        },
      ),
    );
  });

  it('come back from 100,000 exact forecasts within 100 truths', () => {
    const { tick } = stream(plan);
    for (let t = 0; t < 100_000; t++) expect(tick(0)).not.toBe(0);
    const errors = noise('laplace', 300);
    const hits = errors.map((error) => Math.abs(error) <= tick(error)).slice(100);
    expect(hits.filter(Boolean).length).toBeGreaterThan(0.8 * hits.length);
  });

  it('forget one wild error within 100 truths', () => {
    const { tick } = stream(plan);
    const errors = noise('laplace', 500);
    const before = errors.map((error) => tick(error))[499];
    tick(1e9);
    const after = errors.slice(0, 100).map((error) => tick(error))[99];
    expect(after).toBeLessThan(2 * before);
  });

  it('do not learn from a missing truth, nor without a unit', () => {
    fc.assert(
      fc.property(someErrors, fc.constantFrom(NaN, 0, -1), (errors, unit) => {
        const { state, pool, tick } = stream(plan);
        errors.forEach((error) => tick(error));
        const before = [...state, ...pool];
        tick(NaN);
        expect(tick(1, { unit })).toBeNaN();
        expect([...state, ...pool]).toEqual(before);
      }),
    );
  });

  it('reset to what they began as, and touch nothing beside them', () => {
    fc.assert(
      fc.property(someErrors, (errors) => {
        const { state, pool, tick } = stream(plan);
        const fresh = [...state, ...pool];
        errors.forEach((error, t) => tick(error, { phase: t % 4 }));
        expect([...state.subarray(0, MARGIN), ...state.subarray(-MARGIN)]).toEqual(Array(2 * MARGIN).fill(-7));
        resetIntervals(plan, state, MARGIN);
        resetIntervalPool(plan, pool);
        expect([...state, ...pool]).toEqual(fresh);
      }),
    );
  });

  it('go on from a copy of their floats', () => {
    fc.assert(
      fc.property(someErrors, someErrors, (before, after) => {
        const one = stream(plan);
        before.forEach((error) => one.tick(error));
        const two = stream(plan);
        two.state.set(one.state);
        two.pool.set(one.pool);
        for (const error of after) expect(two.tick(error)).toEqual(one.tick(error));
      }),
    );
  });

  it('keep their steps apart', () => {
    const p = intervalPlan({ steps: 3, level: 0.9, phases: 0 });
    const { tick } = stream(p);
    const random = uniform(5);
    const halves = Array.from({ length: 2000 }, () =>
      [0, 1, 2].map((step) => tick((step + 1) * laws.laplace(random), { step })),
    );
    const mean = (step: number): number => halves.slice(500).reduce((sum, row) => sum + row[step] / 1500, 0);
    expect(mean(1) / mean(0)).toBeCloseTo(2, 0.5);
    expect(mean(2) / mean(0)).toBeCloseTo(3, 0.5);
  });
});

describe('the pool', () => {
  it('gives a new stream intervals from its first truth, in its own units', () => {
    const p = intervalPlan({ steps: 1, level: 0.9, phases: 0 });
    const pool = freshPool(p);
    const random = uniform(7);
    let hits = 0;
    let n = 0;
    for (let s = 0; s < 400; s++) {
      const unit = 10 ** (6 * random() - 3);
      const { tick } = stream(p, pool);
      for (let t = 0; t < 20; t++) {
        const error = 3 * unit * laws.laplace(random);
        const half = tick(error, { unit });
        if (s < 100) continue;
        n++;
        if (Math.abs(error) <= half) hits++;
      }
    }
    expect(hits / n).toBeGreaterThan(0.87);
    expect(hits / n).toBeLessThan(0.93);
  });

  it('is outweighed by a stream of its own size', () => {
    const p = intervalPlan({ steps: 1, level: 0.9, phases: 0 });
    const pool = freshPool(p);
    const big = stream(p, pool);
    noise('laplace', 2000).forEach((error) => big.tick(20 * error));
    const small = stream(p, pool);
    const halves = noise('laplace', 200, 3).map((error) => small.tick(error));
    expect(halves[0]).toBeGreaterThan(30);
    expect(halves[199]).toBeLessThan(6);
  });

  it('is not there before it is calibrated', () => {
    const { tick } = stream(plan);
    const halves = noise('laplace', 21).map((error) => tick(error));
    expect(halves.slice(0, 20).every(Number.isNaN)).toBe(true);
    expect(halves[20]).toBeGreaterThan(0);
  });
});

describe('the anomaly score', () => {
  it('is above 1 as often as truths lie outside, and above 2 as exponential tails say', () => {
    const { tick } = stream(intervalPlan({ steps: 1, level: 0.9, phases: 0 }));
    const scores = noise('laplace', 50_000).map((error) => anomalyScore(error, tick(error)));
    const above = (score: number): number => scores.filter((s) => s > score).length / scores.length;
    expect(above(1)).toBeCloseTo(0.1, 1.9);
    expect(above(2)).toBeLessThan(0.02);
    expect(anomalyScore(NaN, 1)).toBeNaN();
    expect(anomalyScore(1, NaN)).toBeNaN();
    expect(anomalyScore(-1e300, 1e-9)).toBe(1e6);
  });
});
