import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { autoregressive, normal, uniform } from '../testing/noise.js';
import { Forecaster } from './forecaster.js';
import { knotsOf } from './knots.js';
import { Predictor } from './forecast-plan.js';

const HOUR = 3_600_000;
const START = Date.UTC(2024, 0, 1);

const seasonal = (seed: number, n: number): number[] => {
  const noise = autoregressive(uniform(seed), 'normal', 0.7);
  return Array.from({ length: n }, (_, t) => 50 + 10 * Math.sin((2 * Math.PI * t) / 24) + noise());
};
const made = (horizon: number, season: number, blend = true): Forecaster =>
  new Forecaster({ horizon, season, timeZone: 'UTC', level: 0.9, blend });

/** Every tick in its place `at`, with what a network says of it; visits after each forecast. */
function run(
  forecaster: Forecaster,
  state: Float64Array,
  at: number,
  values: readonly number[],
  outputs: (t: number) => Float32Array | undefined = () => undefined,
  visit: (t: number) => void = () => undefined,
): void {
  values.forEach((value, t) => {
    forecaster.absorb(state, at, START + t * HOUR, value);
    forecaster.forecast(state, at, outputs(t));
    visit(t);
  });
}

describe('the steps that learn', () => {
  it('are all up to four, ever fewer behind, and the last', () => {
    expect(knotsOf(1)).toEqual([1]);
    expect(knotsOf(5)).toEqual([1, 2, 3, 4, 5]);
    expect(knotsOf(24)).toEqual([1, 2, 3, 4, 6, 8, 12, 16, 24]);
    expect(knotsOf(30).at(-1)).toBe(30);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), (h) => {
        const knots = knotsOf(h);
        expect(knots.every((k, i) => Number.isInteger(k) && (i === 0 || k > knots[i - 1]))).toBe(true);
        expect(knots[knots.length - 1]).toBe(h);
      }),
    );
  });
});

describe('a forecaster', () => {
  it('touches no float but its stream’s, and depends on no other', () => {
    const values = seasonal(1, 300);
    for (const [horizon, season] of [
      [1, 0],
      [5, 24],
      [24, 24],
    ]) {
      const forecaster = made(horizon, season);
      const alone = new Float64Array(forecaster.size);
      forecaster.reset(alone);
      run(forecaster, alone, 0, values);
      const among = new Float64Array(3 * forecaster.size).fill(5);
      forecaster.reset(among, forecaster.size);
      run(forecaster, among, forecaster.size, values);
      expect(among.subarray(forecaster.size, 2 * forecaster.size)).toEqual(alone);
      expect(among.subarray(0, forecaster.size).every((x) => x === 5)).toBe(true);
      expect(among.subarray(2 * forecaster.size).every((x) => x === 5)).toBe(true);
    }
  });

  it('keeps float32 values but for the first, and of a forecast just what went out', () => {
    const random = uniform(7);
    for (const season of [0, 24]) {
      const values = seasonal(4, 400).map((v) => (random() < 0.1 ? NaN : 1e9 + v));
      const plan = { horizon: 8, season, timeZone: 'UTC', level: 0.9 };
      const forecaster = new Forecaster({ ...plan, quantiles: [0.1, 0.9] });
      const { knots } = forecaster.plan;
      const state = new Float64Array(forecaster.size);
      forecaster.reset(state);
      const out: { prediction: number; half: number; quantiles: Float64Array }[][] = [];
      let remembered = 0;
      run(forecaster, state, 0, values, undefined, (t) => {
        for (let k = forecaster.wide; k < forecaster.size; k++) expect(state[k]).toBe(Math.fround(state[k]));
        out.push(
          knots.map((h) => {
            const prediction = forecaster.plan.mixed[h - 1];
            const quantiles = forecaster.offsets.slice(2 * h - 2, 2 * h).map((offset) => prediction + offset);
            return { prediction, half: forecaster.halves[h - 1], quantiles };
          }),
        );
        expect(forecaster.newest(state)).toEqual(knots.map((h, j) => ({ h, ...out[t][j] })));
        knots.forEach((h, j) => {
          if (t + 1 < h) return;
          const { prediction, half } = out[t + 1 - h][j];
          expect(forecaster.plan.expected(state, 0, j)).toBe(prediction);
          expect(forecaster.plan.issued(state, 0, j)).toBe(half);
          if (Number.isFinite(half)) remembered += 1;
        });
      });
      expect(remembered).toBeGreaterThan(1000);
    }
  });

  it('issues intervals that hold, at every step, those between knots too', () => {
    const values = seasonal(2, 6000);
    const forecaster = made(24, 24);
    const state = new Float64Array(forecaster.size);
    forecaster.reset(state);
    const held = new Float64Array(24);
    const due: { at: number; h: number; low: number; high: number }[] = [];
    let n = 0;
    run(forecaster, state, 0, values, undefined, (t) => {
      if (t < 500 || t + 24 >= values.length) return;
      n += 1;
      for (let h = 1; h <= 24; h++) {
        const half = forecaster.halves[h - 1];
        expect(half).toBeGreaterThan(0);
        due.push({ at: t + h, h, low: forecaster.plan.mixed[h - 1] - half, high: forecaster.plan.mixed[h - 1] + half });
      }
    });
    for (const { at, h, low, high } of due) if (values[at] >= low && values[at] <= high) held[h - 1] += 1 / n;
    for (const share of held) expect(Math.abs(share - 0.9)).toBeLessThan(0.03);
    const scores = forecaster.scores(state);
    expect(Math.abs(scores.coverage - 0.9)).toBeLessThan(0.03);
    expect(scores.skill).toBeGreaterThan(-0.01);
    expect(scores.mae).toBeLessThan(scores.maePersistence);
    expect(scores.rmse).toBeGreaterThan(scores.mae);
    expect(scores.pinball).toBeCloseTo((scores.winkler * 0.1) / 4, 12);
  });

  it('gives a network its say where it is right, and none where it is wrong', () => {
    const values = seasonal(3, 1500);
    const { plan } = made(1, 24);
    const told = (share: number): number => {
      const forecaster = made(1, 24);
      const state = new Float64Array(forecaster.size);
      forecaster.reset(state);
      const random = uniform(9);
      run(forecaster, state, 0, values, (t) => {
        const scale = forecaster.plan.scaleOf(state);
        const base = forecaster.plan.base(state, 0, 1);
        const truth = (values[Math.min(t + 1, values.length - 1)] - base) / scale;
        return new Float32Array([share * truth + (1 - share) * 3 * normal(random)]);
      });
      return forecaster.networkWeight;
    };
    expect(told(0.9)).toBeGreaterThan(0.8);
    expect(told(0)).toBeLessThan(0.05);
    expect(plan.weights).toHaveLength(5);
  });

  it('leaves the network alone where blending is off', () => {
    const forecaster = made(2, 0, false);
    const state = new Float64Array(forecaster.size);
    forecaster.reset(state);
    run(forecaster, state, 0, [5, 6, 9, 7], () => new Float32Array([100, 100]));
    expect(forecaster.networkWeight).toBe(1);
    expect(forecaster.plan.mixed[1]).toBe(forecaster.plan.forecasts[5 + Predictor.model]);
    forecaster.absorb(state, 0, START + 4 * HOUR, 8);
    forecaster.forecast(state, 0, undefined);
    expect(forecaster.networkWeight).toBe(0);
    expect(forecaster.plan.mixed[1]).toBeGreaterThan(0);
  });

  it('knows an outlier, and that errors have grown', () => {
    const values = seasonal(4, 3000).map((x, t) => (t === 1500 ? x + 60 : x));
    const forecaster = made(1, 24);
    const state = new Float64Array(forecaster.size);
    forecaster.reset(state);
    const anomalies: number[] = [];
    run(forecaster, state, 0, values, undefined, () => anomalies.push(forecaster.anomaly));
    expect(anomalies[1500]).toBeGreaterThan(4);
    expect(forecaster.tally.drifts).toBe(0);
    const wild = seasonal(5, 2000).map((x, t) => x + (t % 2) * 40);
    run(forecaster, state, 0, wild);
    expect(forecaster.tally.drifts).toBeGreaterThan(0);
  });

  it('has intervals for a stream’s first ticks where others’ errors are known', () => {
    const calibration = [1000, 2, 2.5];
    const forecaster = new Forecaster({ horizon: 1, season: 0, timeZone: 'UTC', level: 0.9, calibration });
    const state = new Float64Array(forecaster.size);
    forecaster.reset(state);
    run(forecaster, state, 0, [5, 6]);
    // The typical residual is 1 so far.
    expect(forecaster.halves[0]).toBeCloseTo(5, 9);
    // 99 % of exponential errors lie within twice what 90 % of them do.
    const wide = new Forecaster({ ...forecaster.options, level: 0.99, calibratedFor: 0.9 });
    wide.reset(state);
    run(wide, state, 0, [5, 6]);
    expect(wide.halves[0]).toBeCloseTo(10, 6);
    const own = made(1, 0);
    const fresh = new Float64Array(own.size);
    own.reset(fresh);
    run(own, fresh, 0, [5, 6]);
    expect(own.halves[0]).toBeNaN();
  });
});
