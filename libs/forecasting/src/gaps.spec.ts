import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { uniform } from '../testing/noise.js';
import { FEATURES, ForecastPlan } from './forecast-plan.js';
import { areIrregular } from './gaps.js';
import { TRANSFORM_FIELDS } from './transform.js';

const PLAN = { horizon: 1, season: 0, timeZone: 'UTC' } as const;

/** The gap's feature after each of these ticks. */
function featuresOf(times: readonly number[]): number[] {
  const plan = new ForecastPlan({ ...PLAN, gaps: true });
  const state = new Float64Array(plan.size);
  const features = new Float32Array(plan.features);
  plan.reset(state);
  return times.map((ts, t) => {
    plan.absorb(state, 0, ts, t % 5);
    plan.writeFeatures(state, 0, features, 0);
    return features[FEATURES];
  });
}

describe('the gap', () => {
  it('is given as the logarithm of what it is of the usual one', () => {
    const times = [0, 10, 20, 30, 40, 120, 130, 135];
    const said = featuresOf(times);
    for (const k of [0, 1, 2, 3, 4]) expect(said[k]).toBe(0);
    expect(said[5]).toBeCloseTo(Math.log(8), 6);
    // The wide one has moved what is usual to 10 + 70 / 5.
    expect(said[6]).toBeCloseTo(Math.log(10 / 24), 6);
    expect(said[7]).toBeLessThan(said[6]);
  });

  it('depends on no unit of time, and is a number within bounds whatever comes', () => {
    const gaps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1e12 })), { maxLength: 50 });
    fc.assert(
      fc.property(gaps, (some) => {
        let at = 1e12;
        const times = [at, ...some.map((gap) => (at += gap))];
        const said = featuresOf(times);
        expect(said.every((x) => Math.abs(x) <= 8)).toBe(true);
        featuresOf(times.map((ts) => 1e12 + 4 * (ts - 1e12))).forEach((x, k) => expect(x).toBeCloseTo(said[k], 5));
      }),
    );
  });

  it('stands behind the other features, which it leaves as they are', () => {
    const [bare, more] = [new ForecastPlan(PLAN), new ForecastPlan({ ...PLAN, gaps: true })];
    const [one, other] = [new Float64Array(bare.size), new Float64Array(more.size)];
    const [few, all] = [new Float32Array(bare.features), new Float32Array(more.features)];
    bare.reset(one);
    more.reset(other);
    const draw = uniform(2);
    for (let t = 0, ts = 0; t < 200; t++) {
      const value = draw();
      bare.absorb(one, 0, (ts += 1 + Math.floor(100 * draw())), value);
      more.absorb(other, 0, ts, value);
      bare.writeFeatures(one, 0, few, 0);
      more.writeFeatures(other, 0, all, 0);
      expect(all.subarray(0, FEATURES)).toEqual(few);
    }
    expect(all).toHaveLength(FEATURES + 1);
  });

  it('is of a size of its own beside any transform: no stored plan is taken for another', () => {
    const sizes = Object.keys(TRANSFORM_FIELDS).flatMap((transform) =>
      [false, true].map((gaps) => new ForecastPlan({ ...PLAN, transform: transform as 'log', gaps }).wide),
    );
    expect(new Set(sizes).size).toBe(sizes.length);
  });

  it('is irregular where more than one in twenty is far from the middle one', () => {
    const window = (gap: (t: number) => number): Float64Array => {
      let ts = 0;
      return Float64Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? (ts += gap(i / 2)) : 1));
    };
    const draw = uniform(4);
    expect(areIrregular([window(() => 60)], 2)).toBe(false);
    expect(areIrregular([window((t) => (t % 30 === 7 ? 600 : 60))], 2)).toBe(false);
    expect(areIrregular([window((t) => (t % 10 === 7 ? 600 : 60))], 2)).toBe(true);
    expect(areIrregular([window(() => 60 * -Math.log(1 - draw()))], 2)).toBe(true);
    expect(areIrregular([window(() => 60), window(() => 900)], 2)).toBe(false);
    expect(areIrregular([new Float64Array(0), new Float64Array(2)], 2)).toBe(false);
  });
});
