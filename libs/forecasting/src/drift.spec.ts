import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { autoregressive, uniform, type Draw, type Law } from '../testing/noise.js';
import { detectDrift, DRIFT_SIZE, driftBlock, resetDrift } from './drift.js';

const MARGIN = 2;
const BLOCK = driftBlock(1);

function detector() {
  const state = new Float64Array(DRIFT_SIZE + 2 * MARGIN).fill(-7);
  resetDrift(state, MARGIN);
  return { state, see: (error: number, unit = 1): boolean => detectDrift(state, MARGIN, BLOCK, unit, error) };
}
const errors = (law: Law, coefficient: number, seed = 1): Draw => autoregressive(uniform(seed), law, coefficient);

/** Truths from a change of the errors by `factor` to the alarm. */
function delay(draw: Draw, factor: number): number {
  const { see } = detector();
  for (let t = 0; t < 1500; t++) see(draw());
  for (let t = 1; t <= 1500; t++) if (see(factor * draw())) return t;
  return Infinity;
}
function alarms(draw: Draw, truths: number): number {
  const { see } = detector();
  let count = 0;
  for (let t = 0; t < truths; t++) if (see(draw())) count++;
  return count;
}

const anError = fc.oneof(
  fc.double({ min: -100, max: 100, noNaN: true }),
  fc.constantFrom(NaN, 0, 1e9, -1e300, Infinity),
);
const someErrors = fc.array(anError, { maxLength: 600 });

describe('the drift detector', () => {
  for (const [law, coefficient, nineOfTen] of [
    ['normal', 0, 80],
    ['laplace', 0.4, 140],
    ['studentT3', 0, 140],
    ['studentT3', 0.8, 500],
  ] as const) {
    it(`sees ${law} errors with autocorrelation ${coefficient} double within ${nineOfTen} truths in nine of ten cases`, () => {
      const delays = Array.from({ length: 100 }, (_, run) => delay(errors(law, coefficient, 101 * run + 1), 2));
      expect(delays.sort((a, b) => a - b)[89]).toBeLessThanOrEqual(nineOfTen);
    });
    it(`leaves ${law} errors with autocorrelation ${coefficient} alone for 100,000 truths, once or twice excepted`, () => {
      expect(alarms(errors(law, coefficient, 9), 200_000)).toBeLessThanOrEqual(4);
    });
  }
  it('says nothing of errors that become smaller, or a fifth larger', () => {
    for (const factor of [0.3, 1.2]) expect(delay(errors('laplace', 0), factor)).toBe(Infinity);
  });
  it('says nothing of one outage, and sees a change after it', () => {
    const { see } = detector();
    const draw = errors('laplace', 0);
    for (let t = 0; t < 2000; t++) expect(see(t === 3 || t === 1000 ? 1e9 : draw())).toBe(false);
    let seen = 0;
    while (!see(2 * draw()) && seen < 500) seen++;
    expect(seen).toBeLessThan(150);
  });
  it('takes one change for one alarm', () => {
    const draw = errors('normal', 0);
    let t = 0;
    expect(alarms(() => (t++ < 1500 ? 1 : 3) * draw(), 10_000)).toBe(1);
  });
  it('says nothing of exact forecasts and rounding errors, and sees them end', () => {
    const { see } = detector();
    for (let t = 0; t < 5000; t++) expect(see(t % 3 === 0 ? 1e-9 * t : 0)).toBe(false);
    const draw = errors('laplace', 0);
    let seen = 0;
    while (!see(draw()) && seen < 500) seen++;
    expect(seen).toBeLessThan(200);
  });
  it('does not depend on the scale of the errors', () => {
    fc.assert(
      fc.property(someErrors, fc.integer({ min: -40, max: 40 }), (list, power) => {
        const [plain, scaled] = [detector(), detector()];
        const end = (error: number): number => (Number.isFinite(error) ? error : NaN);
        for (const error of list) {
          expect(scaled.see(end(error) * 2 ** power, 2 ** power)).toBe(plain.see(end(error)));
        }
      }),
    );
  });
  it('stays finite, and does not learn from a missing truth or without a unit', () => {
    fc.assert(
      fc.property(someErrors, fc.constantFrom(NaN, 0, -1), (list, unit) => {
        const { state, see } = detector();
        for (const error of list) see(error);
        expect(state.every(Number.isFinite)).toBe(true);
        const before = [...state];
        expect([see(NaN), see(Infinity), see(1, unit)]).toEqual([false, false, false]);
        expect([...state]).toEqual(before);
      }),
    );
  });
  it('resets to what it began as, touches nothing beside it, and goes on from a copy of its floats', () => {
    fc.assert(
      fc.property(someErrors, someErrors, (before, after) => {
        const one = detector();
        const fresh = [...one.state];
        for (const error of before) one.see(error);
        const two = detector();
        two.state.set(one.state);
        for (const error of after) expect(two.see(error)).toBe(one.see(error));
        expect([...two.state]).toEqual([...one.state]);
        expect([...one.state.subarray(0, MARGIN), ...one.state.subarray(-MARGIN)]).toEqual(Array(2 * MARGIN).fill(-7));
        resetDrift(one.state, MARGIN);
        expect([...one.state]).toEqual(fresh);
      }),
    );
  });
  it('takes longer blocks for longer horizons', () => {
    expect([1, 5, 24].map(driftBlock)).toEqual([20, 20, 48]);
  });
});
