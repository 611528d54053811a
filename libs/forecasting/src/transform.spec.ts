import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TRANSFORMS, type Transform } from '#domain/model';
import { normal, uniform } from '../testing/noise.js';
import { FEATURES, ForecastPlan } from './forecast-plan.js';
import { TRANSFORM_FIELDS } from './transform.js';

const HOUR = 3_600_000;
const planOf = (transform?: Transform, horizon = 3, season = 0): ForecastPlan =>
  new ForecastPlan({ horizon, season, timeZone: 'UTC', transform });
const fresh = (plan: ForecastPlan): Float64Array => {
  const state = new Float64Array(plan.size);
  plan.reset(state);
  return state;
};
/** What a network would have been given at every tick. */
function given(plan: ForecastPlan, values: readonly number[]): number[] {
  const state = fresh(plan);
  const features = new Float32Array(FEATURES);
  return values.flatMap((value, t) => {
    plan.absorb(state, 0, t * HOUR, value);
    plan.writeFeatures(state, 0, features, 0);
    return [...features];
  });
}
const series = (seed: number, n = 200): number[] => {
  const random = uniform(seed);
  let x = 0;
  return Array.from({ length: n }, (_, t) => {
    x = 0.9 * x + 0.2 * normal(random);
    return t % 11 === 5 ? NaN : Math.exp(x + Math.sin((2 * Math.PI * t) / 12));
  });
};
const shapes = fc.constantFrom([1, 0], [3, 0], [2, 12]);
const anything = fc.oneof(
  fc.double({ min: -3.4e38, max: 3.4e38, noNaN: true }),
  fc.double({ min: -100, max: 100, noNaN: true }),
  fc.constantFrom(0, NaN, 1e-45, 3.4e38, -3.4e38, 5, 5, 5, 5),
);

describe('transforms', () => {
  it('mean what they ask for: the network that says the target has forecast the truth', () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(...TRANSFORMS), shapes, (seed, transform, [horizon, season]) => {
        const plan = planOf(transform, horizon, season);
        const state = fresh(plan);
        const values = series(seed);
        let seen = 0;
        values.forEach((value, t) => {
          plan.absorb(state, 0, t * HOUR, value);
          for (let h = 1; h <= horizon; h++) {
            const truth = values[t + h];
            const target = plan.target(state, 0, h, truth);
            if (!(Math.abs(target) < 8)) continue;
            expect(plan.meant(state, 0, h, target) / truth).toBeCloseTo(1, 9);
            seen += 1;
          }
        });
        expect(seen).toBeGreaterThan(100 * horizon);
      }),
      { numRuns: 60 },
    );
  });

  it('stay finite, whatever comes and whatever the network says', () => {
    const said = fc.constantFrom(0, 0.5, -8, 8, 3.4e38, -3.4e38);
    fc.assert(
      fc.property(
        fc.array(anything, { maxLength: 80 }),
        said,
        fc.constantFrom(...TRANSFORMS),
        shapes,
        (values, y, transform, [horizon, season]) => {
          const plan = planOf(transform, horizon, season);
          const state = fresh(plan);
          const features = new Float32Array(FEATURES);
          const outputs = new Float32Array(horizon).fill(y);
          let known = false;
          values.forEach((value, t) => {
            plan.absorb(state, 0, t * HOUR, value);
            plan.writeFeatures(state, 0, features, 0);
            plan.forecast(state, 0, outputs);
            known ||= value === value;
            expect(features.every((x) => Math.abs(x) <= 8)).toBe(true);
            if (known) expect(plan.mixed.every((x) => Math.abs(x) < 1e39)).toBe(true);
            for (const next of values.slice(0, 5))
              for (let h = 1; h <= horizon; h++) {
                const target = plan.target(state, 0, h, next);
                if (target === target) expect(Math.abs(target)).toBeLessThanOrEqual(8);
              }
          });
        },
      ),
      { numRuns: 400 },
    );
  });

  it('leave everything but the network alone: without one, all forecast the same', () => {
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 60 }), shapes, (values, [horizon, season]) => {
        const mixed = TRANSFORMS.map((transform) => {
          const plan = planOf(transform, horizon, season);
          const state = fresh(plan);
          return values.flatMap((value, t) => {
            plan.absorb(state, 0, t * HOUR, value);
            plan.forecast(state, 0, undefined);
            return [...plan.mixed, ...plan.weights];
          });
        });
        expect(mixed[1]).toEqual(mixed[0]);
        expect(mixed[2]).toEqual(mixed[0]);
      }),
      { numRuns: 100 },
    );
  });

  it('are told apart by the size of a plan, and the default keeps nothing more', () => {
    expect(new Set(TRANSFORMS.map((transform) => planOf(transform).size)).size).toBe(TRANSFORMS.length);
    expect(planOf().size).toBe(planOf('difference').size);
    expect(TRANSFORM_FIELDS.difference).toBe(0);
    expect(given(planOf(), series(1))).toEqual(given(planOf('difference'), series(1)));
  });
});

/** Two runs' features but for the calendar, as far as they differ. */
function apart(transform: Transform, one: readonly number[], other: readonly number[]): number {
  const [a, b] = [one, other].map((values) => given(planOf(transform, 2, 12), values));
  return Math.max(...a.map((x, k) => Math.abs(x - b[k])));
}

describe('log', () => {
  it('sees what is in proportion alike at every level, of one stream as of many', () => {
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 1e-6, max: 1e6, noNaN: true }), (seed, factor) => {
        const values = series(seed);
        const times = values.map((x) => factor * x);
        expect(apart('log', values, times)).toBeLessThan(1e-3);
      }),
      { numRuns: 30 },
    );
    // A thousand times as high, fifty ticks on and fifty off.
    const random = uniform(1);
    const values = Array.from({ length: 800 }, (_, t) => (t % 100 < 50 ? 1 : 1000) * Math.exp(0.1 * normal(random)));
    const ratio = (transform: Transform): number => {
      const sizes = [0, 0];
      given(planOf(transform, 1), values).forEach((x, k) => {
        const t = Math.floor(k / FEATURES);
        if (k % FEATURES === 0 && t > 200 && t % 50 > 1) sizes[Math.floor(t / 50) % 2] += Math.abs(x);
      });
      return sizes[1] / sizes[0];
    };
    expect(ratio('log')).toBeCloseTo(1, 0);
    expect(ratio('difference')).toBeGreaterThan(500);
  });

  it('has the difference for a base that has no logarithm, and says "far down" of a value that has none', () => {
    const plan = planOf('log');
    const state = fresh(plan);
    [4, 5, 4, 5, -3].forEach((value, t) => plan.absorb(state, 0, t * HOUR, value));
    expect(plan.target(state, 0, 1, -2)).toBeCloseTo(1 / plan.scaleOf(state), 12);
    expect(plan.meant(state, 0, 1, plan.target(state, 0, 1, 7))).toBeCloseTo(7, 9);
    plan.absorb(state, 0, 5 * HOUR, 4);
    expect(plan.target(state, 0, 1, -2)).toBe(-8);
    expect(plan.meant(state, 0, 1, -1e9)).toBeGreaterThan(0);
  });
});

describe('none', () => {
  it('sees where a value lies: units and zero make no difference', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.double({ min: 1e-3, max: 1e6, noNaN: true }),
        fc.double({ min: -1e3, max: 1e3, noNaN: true }),
        (seed, factor, shift) => {
          const values = series(seed);
          expect(
            apart(
              'none',
              values,
              values.map((x) => factor * (x + shift)),
            ),
          ).toBeLessThan(1e-3);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('knows the level a stream comes back to, which residuals do not', () => {
    const plan = planOf('none');
    const state = fresh(plan);
    const random = uniform(3);
    for (let t = 0; t < 2_000; t++) plan.absorb(state, 0, t * HOUR, 50 + normal(random));
    // The mean absolute deviation of a normal distribution is 0.8 of the standard one.
    expect(plan.meant(state, 0, 1, 0)).toBeCloseTo(50, 0);
    expect(plan.meant(state, 0, 1, 1) - plan.meant(state, 0, 1, 0)).toBeCloseTo(0.8, 1);
  });
});

it('a stream that was constant for long is read by how it moves once it does', () => {
  for (const transform of ['log', 'none'] as const) {
    const plan = planOf(transform);
    const state = fresh(plan);
    const random = uniform(1);
    const features = new Float32Array(FEATURES);
    for (let t = 0; t < 300; t++) plan.absorb(state, 0, t * HOUR, 7);
    let wild = 0;
    for (let t = 300; t < 400; t++) {
      plan.absorb(state, 0, t * HOUR, 7 + normal(random));
      plan.writeFeatures(state, 0, features, 0);
      if (Math.abs(features[0]) === 8) wild += 1;
    }
    expect(wild).toBe(0);
  }
});
