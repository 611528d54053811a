import { describe, expect, it } from 'vitest';
import { fitScale, LIMIT } from '#rnn/scaler';
import { normaliseWindow } from './normalise-window.js';
import { gaussian, seededRandom } from './random.js';

const rowsOf = (...values: number[]): Float64Array => Float64Array.from(values.flatMap((v, t) => [t * 1000, v]));
const normal = (n: number): number[] => {
  const random = seededRandom(7);
  return Array.from({ length: n }, () => 50 + 3 * gaussian(random));
};
const scaleOf = (values: number[]): Float64Array => {
  const target = new Float64Array(3);
  fitScale(values, target, 0);
  return target;
};

describe('normaliseWindow', () => {
  it('gives level and change, each on its own scale, and the next change as target', () => {
    const values = normal(500);
    const [centre, scale, change] = scaleOf(values);
    const { features, targets, known } = normaliseWindow(rowsOf(...values), 2);
    expect(features[2 * 17]).toBeCloseTo((values[17] - centre) / scale, 5);
    expect(features[2 * 17 + 1]).toBeCloseTo((values[17] - values[16]) / change, 5);
    expect(targets[17]).toBeCloseTo((values[18] - values[17]) / change, 5);
    expect(features[1]).toBe(0);
    expect([known[0], known[498], known[499]]).toEqual([1, 1, 0]);
  });

  it('is not moved by one reading of 1e9, which itself is limited', () => {
    const values = normal(100);
    const clean = normaliseWindow(rowsOf(...values), 2);
    values[40] = 1e9;
    const spoilt = normaliseWindow(rowsOf(...values), 2);
    expect(Math.abs(spoilt.features[20] - clean.features[20])).toBeLessThan(0.3);
    expect(spoilt.features[2 * 40]).toBe(LIMIT);
    expect(spoilt.targets[39]).toBe(LIMIT);
    expect(spoilt.targets[40]).toBe(-LIMIT);
  });

  it('carries missing inputs forward and knows no target next to them', () => {
    const rows = Float64Array.from([0, NaN, 1, 1, 1, NaN, 2, NaN, 3, 3, 4, 5]);
    const { features, known, targets } = normaliseWindow(rows, 3);
    const at = (row: number, feature: number): number => features[row * 4 + feature];
    expect([...known]).toEqual([0, 0, 0, 0]);
    expect([at(0, 0), at(0, 2)]).toEqual([0, 0]);
    expect([at(2, 0), at(2, 2)]).toEqual([at(1, 0), 0]);
    expect([at(1, 1), at(1, 3)]).toEqual([at(0, 1), 0]);
    expect([...targets]).toEqual([0, 0, 0, 0]);
  });

  it('survives an empty window, one without a single value, and large numbers', () => {
    expect(normaliseWindow(new Float64Array(), 2).rows).toBe(0);
    expect([...normaliseWindow(rowsOf(NaN, NaN, NaN), 2).features]).toEqual([0, 0, 0, 0, 0, 0]);
    const { features, targets } = normaliseWindow(rowsOf(...[1, -1, 1, -1].map((s) => s * 3e38)), 2);
    expect([...features, ...targets].every(Number.isFinite)).toBe(true);
  });
});
