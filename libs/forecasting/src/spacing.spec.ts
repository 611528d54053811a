import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ForecastPlan, Predictor } from './forecast-plan.js';
import { JointForecaster } from './joint-forecaster.js';
import { haveSameShape } from './plan-shape.js';
import { SPACING_FIELDS, tickNumbers, ticksLeftOut } from './spacing.js';
import { trainingRows } from './training-rows.js';

const MINUTE = 60_000;
/** What is said of each gap, one after the other. */
function leftOut(gaps: readonly number[]): number[] {
  const state = new Float64Array(SPACING_FIELDS);
  return gaps.map((gap) => ticksLeftOut(state, 0, gap));
}
const repeated = (count: number, gap = MINUTE): number[] => new Array<number>(count).fill(gap);
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

describe('ticks left out', () => {
  it('are those that a steady stream is missed for', () => {
    const said = leftOut([NaN, ...repeated(40), 2 * MINUTE, MINUTE, 300 * MINUTE, MINUTE]);
    expect(said.slice(0, 41)).toEqual(repeated(41, 0));
    expect(said.slice(41)).toEqual([1, 0, 299, 0]);
  });

  it('are told also where a clock is not exact, and where a tick in ten is lost', () => {
    let seed = 7;
    const draw = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
    const kept = Array.from({ length: 2_000 }, (_, t) => t).filter((t) => t < 40 || draw() > 0.1);
    const times = kept.map((t) => t * MINUTE + 8_000 * (draw() - 0.5));
    const window = Float64Array.from(times.flatMap((ts) => [ts, 0]));
    const numbers = [...tickNumbers(window, 2)];
    const wrong = numbers.filter((n, i) => i > 0 && n - numbers[i - 1] !== kept[i] - kept[i - 1]).length;
    expect(wrong).toBeLessThan(40);
  });

  it('are none of a stream that comes when it likes, nor within one time', () => {
    let seed = 3;
    const draw = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
    const gaps = Array.from({ length: 1_000 }, () => -Math.log(draw()) * MINUTE);
    expect(leftOut(gaps).filter((n) => n > 0).length).toBeLessThan(10);
    expect(sum(leftOut([...repeated(40), 0, MINUTE, 0, MINUTE]))).toBe(0);
  });

  it('follow a stream whose pace changes, either way, and a first gap that was none', () => {
    for (const pace of [MINUTE / 4, 5 * MINUTE]) {
      const said = leftOut([...repeated(60), ...repeated(60, pace), 3 * pace]);
      expect(said.at(-1)).toBe(2);
      expect(sum(said.slice(90, 120))).toBe(0);
    }
    expect(leftOut([7 * MINUTE, ...repeated(40), 3 * MINUTE]).at(-1)).toBe(2);
  });
});

describe('a plan that counts them', () => {
  const options = { horizon: 3, season: 6, timeZone: 'UTC', regular: true };
  const value = (t: number): number => 10 * (t % 6) + (t % 7) / 10;

  it('knows of every season what it would know had they come without a value', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 30, maxLength: 60 }), (steps) => {
        // Steady at first, and on the whole: now and then many are left out.
        const kept = new Set(Array.from({ length: 40 }, (_, t) => t));
        let last = 39;
        for (const step of steps) {
          last += step;
          for (let t = last; t < last + 6; t++) kept.add(t);
          last += 5;
        }
        const silent = new ForecastPlan(options);
        const told = new ForecastPlan({ ...options, regular: false });
        const [one, other] = [silent, told].map((plan) => new Float64Array(plan.size));
        silent.reset(one);
        told.reset(other);
        for (let t = 0; t <= last; t++) {
          if (kept.has(t)) {
            silent.catchUp(one, 0, t * MINUTE);
            silent.absorb(one, 0, t * MINUTE, value(t));
          }
          told.absorb(other, 0, t * MINUTE, kept.has(t) ? value(t) : NaN);
          if (!kept.has(t)) continue;
          const features = [silent, told].map((plan, k) => {
            const target = new Float32Array(plan.features);
            plan.writeFeatures(k === 0 ? one : other, 0, target, 0);
            plan.forecast(k === 0 ? one : other, 0, undefined);
            return target;
          });
          expect(features[0]).toEqual(features[1]);
          expect(silent.countOf(one)).toBe(told.countOf(other));
          for (let h = 1; h <= 3; h++)
            for (const predictor of [
              Predictor.persistence,
              Predictor.seasonalNaive,
              Predictor.median,
              Predictor.statistical,
            ]) {
              const at = (h - 1) * 5 + predictor;
              expect(silent.forecasts[at]).toBe(told.forecasts[at]);
            }
        }
      }),
      { numRuns: 30 },
    );
  });

  it('has no truth for what was forecast of them, and none of them for anything', () => {
    const plan = new ForecastPlan(options);
    const state = new Float64Array(plan.size);
    plan.reset(state);
    const step = (t: number): void => {
      plan.catchUp(state, 0, t * MINUTE);
      plan.absorb(state, 0, t * MINUTE, value(t));
      plan.forecast(state, 0, undefined);
    };
    for (let t = 0; t < 60; t++) step(t);
    const ahead = plan.mixed.slice();
    // Two are left out: the next tick is the third step of the forecast above, and the first and second of none.
    expect(plan.catchUp(state, 0, 62 * MINUTE)).toBe(2);
    const said = plan.knots.map((_, knot) => plan.expected(state, 0, knot));
    expect(said[2]).toBeCloseTo(ahead[2], 4);
    expect(said.slice(0, 2)).toEqual([NaN, NaN]);
    // So long that nothing of before is left.
    plan.absorb(state, 0, 62 * MINUTE, value(62));
    plan.forecast(state, 0, undefined);
    expect(plan.catchUp(state, 0, 1e6 * MINUTE)).toBe(1e6 - 63);
    expect(plan.countOf(state)).toBe(1e6);
    expect(plan.knots.map((_, knot) => plan.expected(state, 0, knot))).toEqual([NaN, NaN, NaN]);
    plan.absorb(state, 0, 1e6 * MINUTE, 5);
    plan.forecast(state, 0, undefined);
    expect([...plan.forecasts.subarray(0, 3)]).toEqual([5, NaN, NaN]);
  });

  it('is not taken for another that keeps as many floats', () => {
    const [plain, byGaps, regular] = [{}, { gaps: true }, { regular: true }].map(
      (by) => new JointForecaster({ horizon: 3, season: 6, timeZone: 'UTC', level: 0.9, ...by }).shape,
    );
    expect(regular.size).toBe(byGaps.size);
    for (const other of [plain, byGaps]) expect(haveSameShape(regular, other)).toBe(false);
  });

  it('teaches the values so many ticks later, not so many rows', () => {
    const rows = Array.from({ length: 80 }, (_, t) => t).filter((t) => t < 50 || t % 10 > 3);
    const window = Float64Array.from(rows.flatMap((t) => [t * MINUTE, value(t)]));
    const plan = new ForecastPlan(options);
    const { targets } = trainingRows(plan, window);
    const full = Float64Array.from(Array.from({ length: 80 }, (_, t) => [t * MINUTE, value(t)]).flat());
    const whole = trainingRows(plan, full).targets;
    const first = options.season + 1;
    rows.slice(first).forEach((t, row) => {
      for (let h = 1; h <= 3; h++) {
        const target = targets[3 * row + h - 1];
        const known = rows.includes(t + h);
        expect(target === target).toBe(known);
        if (known && t < 47) expect(target).toBe(whole[3 * (t - first) + h - 1]);
      }
    });
  });
});
