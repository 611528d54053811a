import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pairedLosses, type Law } from '../testing/noise.js';
import { compareLosses, evidence, resetTest, TEST_SIZE, testBlock } from './sequential-test.js';

const ALPHA = 0.05;
const MARGIN = 2;
const BLOCK = testBlock(1);

function test() {
  const state = new Float64Array(TEST_SIZE + 2 * MARGIN).fill(-7);
  resetTest(state, MARGIN);
  return { state, see: (a: number, b: number): number => compareLosses(state, MARGIN, BLOCK, a, b) };
}

/** How many of `runs` challengers whose errors are `factor` times their equals are promoted within 5,000 truths. */
function promoted(runs: number, factor: number, law: Law, rho: number, coefficient: number, swapped = false): number {
  const losses = [0, 0];
  let count = 0;
  for (let run = 0; run < runs; run++) {
    const draw = pairedLosses(104_729 * run + 77, law, rho, coefficient);
    const { see } = test();
    for (let t = 0; t < 5000; t++) {
      draw(losses);
      const [champion, challenger] = swapped ? [factor * losses[1], losses[0]] : [losses[0], factor * losses[1]];
      if (see(champion, challenger) < 1 / ALPHA) continue;
      count++;
      break;
    }
  }
  return count;
}

const aLoss = fc.oneof(fc.double({ min: 0, max: 100, noNaN: true }), fc.constantFrom(NaN, 0, 1e9, Infinity));
const losses = fc.array(fc.tuple(aLoss, aLoss), { maxLength: 300 });

describe('the sequential test', () => {
  for (const law of ['laplace', 'studentT3'] as const) {
    it(`promotes challengers that are 5 % better, and none that is 5 % worse (${law})`, () => {
      expect(promoted(40, 0.95, law, 0.9, 0.4)).toBeGreaterThanOrEqual(38);
      expect(promoted(40, 1.05, law, 0.9, 0.4)).toBe(0);
    });
  }
  it('promotes equals at alpha at most, though their errors persist', () => {
    // 200 x 0.05 and two standard deviations.
    expect(promoted(200, 1, 'laplace', 0.9, 0.8)).toBeLessThanOrEqual(16);
  });
  it('rolls back by the same test the other way round', () => {
    expect(promoted(20, 1.05, 'laplace', 0.9, 0, true)).toBeGreaterThanOrEqual(19);
    expect(promoted(20, 0.95, 'laplace', 0.9, 0, true)).toBe(0);
  });
  it('is not decided by one outage', () => {
    const { see } = test();
    const draw = pairedLosses(3, 'laplace', 0.9, 0);
    const pair = [0, 0];
    for (let t = 0; t < 1000; t++) {
      draw(pair);
      expect(see(t === 500 ? 1e9 : pair[0], pair[1])).toBeLessThan(1 / ALPHA);
    }
  });
  it('still finds the better one after an outage of either', () => {
    const pair = [0, 0];
    let found = 0;
    for (let run = 0; run < 10; run++) {
      const { see } = test();
      const draw = pairedLosses(run, 'laplace', 0.9, 0);
      let most = 0;
      for (let t = 0; t < 5000; t++) {
        draw(pair);
        if (t === 100) pair[run % 2] = 1e9;
        most = Math.max(most, see(pair[0], 0.95 * pair[1]));
      }
      if (most >= 1 / ALPHA) found++;
    }
    expect(found).toBeGreaterThanOrEqual(9);
  });
  it('stays finite however long the evidence goes on', () => {
    const { state, see } = test();
    for (let t = 0; t < 60_000; t++) see(2, 1);
    expect(evidence(state, MARGIN)).toBeGreaterThan(1e99);
    expect(Number.isFinite(evidence(state, MARGIN))).toBe(true);
  });
  it('has no evidence where both are equal on every truth', () => {
    const { see } = test();
    for (let t = 0; t < 1000; t++) expect(see(t % 7, t % 7)).toBe(1);
    for (let t = 0; t < 1000; t++) expect(see(0, 0)).toBe(1);
  });
  it('does not depend on the scale of the losses, in any bit', () => {
    fc.assert(
      fc.property(losses, fc.integer({ min: -40, max: 40 }), (pairs, power) => {
        const [plain, scaled] = [test(), test()];
        for (const [a, b] of pairs) expect(scaled.see(a * 2 ** power, b * 2 ** power)).toBe(plain.see(a, b));
      }),
    );
  });
  it('never pays both ways at once, and stays finite', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(aLoss, aLoss), { maxLength: 2000 }), (pairs) => {
        const [one, other] = [test(), test()];
        for (const [a, b] of pairs) {
          const [up, down] = [one.see(a, b), other.see(b, a)];
          expect(Number.isFinite(up) && Number.isFinite(down)).toBe(true);
          expect(Math.min(up, down)).toBeLessThanOrEqual(1);
        }
        expect(one.state.every(Number.isFinite)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
  it('does not learn from a missing loss', () => {
    fc.assert(
      fc.property(losses, fc.constantFrom(NaN, Infinity), (pairs, missing) => {
        const { state, see } = test();
        for (const [a, b] of pairs) see(a, b);
        const before = [...state];
        expect([see(missing, 1), see(1, missing)]).toEqual([evidence(state, MARGIN), evidence(state, MARGIN)]);
        expect([...state]).toEqual(before);
      }),
    );
  });
  it('resets to what it began as, touches nothing beside it, and goes on from a copy of its floats', () => {
    fc.assert(
      fc.property(losses, losses, (before, after) => {
        const one = test();
        const fresh = [...one.state];
        for (const [a, b] of before) one.see(a, b);
        const two = test();
        two.state.set(one.state);
        for (const [a, b] of after) expect(two.see(a, b)).toBe(one.see(a, b));
        expect([...one.state.subarray(0, MARGIN), ...one.state.subarray(-MARGIN)]).toEqual(Array(2 * MARGIN).fill(-7));
        resetTest(one.state, MARGIN);
        expect([...one.state]).toEqual(fresh);
      }),
    );
  });
  it('takes longer blocks for longer horizons', () => {
    expect([1, 5, 24].map(testBlock)).toEqual([20, 20, 48]);
  });
});
