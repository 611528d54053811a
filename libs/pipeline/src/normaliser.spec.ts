import { describe, expect, it } from 'vitest';
import { normalise, robustScale, updateScale } from './normaliser.js';

/** A seeded generator, so that a failure comes back. */
function noise(seed: number): () => number {
  let s = seed;
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) | 0;
    return (s >>> 8) / (1 << 24) - 0.5;
  };
}

describe('robustScale', () => {
  it('is not moved by a first value of 1e9', () => {
    const random = noise(1);
    const values = [1e9, ...Array.from({ length: 15 }, () => 10 + random())];
    const { centre, scale } = robustScale(values);
    expect(centre).toBeCloseTo(10, 0);
    expect(scale).toBeGreaterThan(0.1);
    expect(scale).toBeLessThan(2);
  });
  it('takes a constant stream for what it is', () => {
    expect(robustScale(Array<number>(16).fill(7))).toEqual({ centre: 7, scale: 1 });
    expect(robustScale([...Array<number>(15).fill(7), 1e9])).toEqual({ centre: 7, scale: 1 });
    expect(robustScale([])).toEqual({ centre: 0, scale: 1 });
    expect(robustScale([NaN, NaN, 3])).toEqual({ centre: 3, scale: 1 });
  });
  it('takes a mostly flat stream by its movements', () => {
    const { scale } = robustScale([0, 0, 0, 0, 0, 0, 5, 0, 0, 5, 0, 0, 5, 0, 0, 0]);
    expect(scale).toBeGreaterThan(0.5);
  });
});

describe('updateScale', () => {
  const follow = (meta: Float64Array, values: Iterable<number>): Float64Array => {
    for (const value of values) updateScale(meta, 0, value);
    return meta;
  };
  it('barely notices one wild value, and follows a lasting change of level and scale', () => {
    const random = noise(2);
    const start = (): Float64Array => Float64Array.of(10, 0.3);
    const once = follow(start(), [1e9]);
    expect(once[0]).toBeCloseTo(10, 1);
    expect(once[1]).toBeLessThan(0.31);
    const moved = follow(
      start(),
      Array.from({ length: 3000 }, () => 1e6 + 1000 * random()),
    );
    expect(moved[0] / 1e6).toBeCloseTo(1, 2);
    expect(moved[1]).toBeLessThan(2000);
  });
  it('stays above zero on a constant stream', () => {
    const meta = follow(Float64Array.of(5, 1), Array<number>(20_000).fill(5));
    expect(meta[1]).toBeGreaterThan(0);
    expect(normalise(meta, 0, 5)).toBe(0);
    expect(normalise(meta, 0, 6)).toBe(8);
  });
});
