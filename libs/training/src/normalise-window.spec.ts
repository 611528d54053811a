import { describe, expect, it } from 'vitest';
import { CLAMP, normaliseWindow } from './normalise-window.js';
import { gaussian, seededRandom } from './random.js';

const rowsOf = (...values: number[]): Float64Array => Float64Array.from(values.flatMap((v, t) => [t * 1000, v]));
const normal = (n: number): number[] => {
  const random = seededRandom(7);
  return Array.from({ length: n }, () => 50 + 3 * gaussian(random));
};

describe('normaliseWindow', () => {
  it('gives an ordinary stream its mean and standard deviation', () => {
    const values = normal(500);
    const mean = values.reduce((a, b) => a + b) / 500;
    const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / 500);
    const { centre, scale, inputs } = normaliseWindow(rowsOf(...values), 2);
    expect(centre[0]).toBeCloseTo(mean, 9);
    expect(scale[0]).toBeCloseTo(deviation, 9);
    expect(inputs[17]).toBeCloseTo((values[17] - mean) / deviation, 5);
  });

  it('is not moved by one reading of 1e9, which itself is clamped', () => {
    const values = normal(100);
    const clean = normaliseWindow(rowsOf(...values), 2);
    values[40] = 1e9;
    const spoilt = normaliseWindow(rowsOf(...values), 2);
    expect(Math.abs(spoilt.centre[0] - clean.centre[0])).toBeLessThan(0.1 * clean.scale[0]);
    expect(spoilt.scale[0] / clean.scale[0]).toBeLessThan(1.15);
    expect(spoilt.inputs[40]).toBe(CLAMP);
    expect(spoilt.targets[39]).toBe(CLAMP);
    expect(spoilt.targets[40]).toBe(-CLAMP);
  });

  it('has scale 1 for a constant stream, with rounding noise or one outlier too', () => {
    for (const rows of [
      rowsOf(...Array<number>(50).fill(4.2)),
      rowsOf(...Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? 0.3 : 0.1 + 0.2))),
      rowsOf(...Array<number>(50).fill(4.2).with(9, 1e9)),
    ]) {
      const { scale, inputs } = normaliseWindow(rows, 2);
      expect(scale[0]).toBe(1);
      expect(inputs[0]).toBeCloseTo(0, 6);
    }
  });

  it('finds a scale where most values are equal', () => {
    const { scale } = normaliseWindow(rowsOf(...Array.from({ length: 200 }, (_, i) => (i % 10 === 0 ? 5 : 0))), 2);
    expect(scale[0]).toBeGreaterThan(0.5);
    expect(scale[0]).toBeLessThan(5);
  });

  it('carries missing inputs forward and knows no target next to them', () => {
    const rows = Float64Array.from([0, NaN, 1, 1, 1, NaN, 2, NaN, 3, 3, 4, 5]);
    const { inputs, known, targets, centre, scale } = normaliseWindow(rows, 3);
    expect([...known]).toEqual([0, 0, 0, 0]);
    expect(inputs[0]).toBe(0);
    expect(inputs[2 * 2]).toBe(inputs[1 * 2]);
    expect(inputs[1 * 2 + 1]).toBe(inputs[0 * 2 + 1]);
    expect(inputs[2 * 2 + 1]).toBeCloseTo((3 - centre[1]) / scale[1], 6);
    expect([...targets]).toEqual([0, 0, 0, 0]);
  });

  it('takes the difference of the first input to the next row as target', () => {
    const { targets, known, scale } = normaliseWindow(rowsOf(1, 2, 4, 3), 2);
    [1, 2, -1].forEach((difference, t) => expect(targets[t]).toBeCloseTo(difference / scale[0], 6));
    expect([...known]).toEqual([1, 1, 1, 0]);
  });

  it('survives an empty window, one without a single value, and the ends of the number range', () => {
    expect(normaliseWindow(new Float64Array(), 2).rows).toBe(0);
    expect(normaliseWindow(rowsOf(NaN, NaN, NaN), 2)).toMatchObject({
      centre: Float64Array.of(0),
      scale: Float64Array.of(1),
    });
    const { inputs, targets } = normaliseWindow(rowsOf(...[1, -1, 1, -1].map((s) => s * Number.MAX_VALUE)), 2);
    expect([...inputs, ...targets].every(Number.isFinite)).toBe(true);
  });
});
