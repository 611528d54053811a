import fc from 'fast-check';
import { expect, it } from 'vitest';
import { exp, ln } from './logarithm.js';

it('the logarithm is right to its last bits, at the ends of the range too', () => {
  const positive = fc.double({ min: Number.MIN_VALUE, max: Number.MAX_VALUE, noNaN: true });
  const near = fc.double({ min: 0.5, max: 2, noNaN: true });
  fc.assert(
    fc.property(fc.oneof(positive, near), (x) => {
      const error = Math.abs(ln(x) - Math.log(x));
      expect(error).toBeLessThanOrEqual(1e-15 * Math.max(Math.abs(Math.log(x)), 1e-300) + 1e-16 * Number(x !== 1));
    }),
    { numRuns: 5_000 },
  );
  for (const x of [Number.MIN_VALUE, 2 ** -1022, 1, Math.SQRT2, 2, Number.MAX_VALUE])
    expect(ln(x)).toBeCloseTo(Math.log(x), 12);
});

it('the exponential is right to its last bits, and finite whatever it is asked for', () => {
  fc.assert(
    fc.property(fc.double({ min: -512, max: 512, noNaN: true }), (x) => {
      expect(Math.abs(exp(x) / Math.exp(x) - 1)).toBeLessThan(2e-15);
    }),
    { numRuns: 5_000 },
  );
  expect(exp(0)).toBe(1);
  expect(exp(NaN)).toBeNaN();
  for (const x of [Infinity, 1e308, 600]) expect(exp(x)).toBe(exp(512));
  for (const x of [-Infinity, -600]) expect(exp(x)).toBe(exp(-512));
});
