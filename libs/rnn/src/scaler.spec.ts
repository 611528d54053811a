import { describe, expect, it } from 'vitest';
import { changeOf, fitInputScale, fitScale, levelOf, updateInputScale, updateScale } from './scaler.js';

/** A seeded generator, so that a failure comes back. */
function noise(seed: number): () => number {
  let s = seed;
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) | 0;
    return (s >>> 8) / (1 << 24) - 0.5;
  };
}
const fit = (values: readonly number[]): { centre: number; scale: number; change: number } => {
  const target = new Float64Array(3);
  fitScale(values, target, 0);
  return { centre: target[0], scale: target[1], change: target[2] };
};

describe('fitScale', () => {
  it('is not moved by a first value of 1e9', () => {
    const random = noise(1);
    const { centre, scale, change } = fit([1e9, ...Array.from({ length: 15 }, () => 10 + random())]);
    expect(centre).toBeCloseTo(10, 0);
    for (const size of [scale, change]) {
      expect(size).toBeGreaterThan(0.1);
      expect(size).toBeLessThan(2);
    }
  });
  it('takes a constant stream for what it is', () => {
    for (const values of [Array<number>(16).fill(7), [...Array<number>(15).fill(7), 1e9], [], [NaN, NaN, 3]]) {
      const { centre, scale, change } = fit(values);
      expect([centre, scale]).toEqual([values.length === 0 ? 0 : values.length === 3 ? 3 : 7, 1]);
      expect(change).toBeGreaterThan(0);
      expect(change).toBeLessThan(1e-7);
    }
  });
  it('takes a mostly flat stream by its movements', () => {
    expect(fit([0, 0, 0, 0, 0, 0, 5, 0, 0, 5, 0, 0, 5, 0, 0, 0]).scale).toBeGreaterThan(0.5);
  });
  it('tells the size of changes from the size of the spread', () => {
    const { scale, change } = fit(Array.from({ length: 200 }, (_, t) => 100 * Math.sin(t / 50)));
    expect(scale).toBeGreaterThan(50);
    expect(change).toBeLessThan(3);
  });
});

describe('updateScale', () => {
  const follow = (meta: Float64Array, values: readonly number[]): Float64Array => {
    values.forEach((value, i) => updateScale(meta, 0, value, i === 0 ? NaN : values[i - 1]));
    return meta;
  };
  it('barely notices one wild value, and follows a lasting change of level and scale', () => {
    const random = noise(2);
    const start = (): Float64Array => Float64Array.of(10, 0.3, 0.1);
    const once = follow(start(), [10, 1e9]);
    expect(once[0]).toBeCloseTo(10, 1);
    expect(once[1]).toBeLessThan(0.31);
    expect(once[2]).toBeLessThan(0.11);
    const moved = follow(
      start(),
      Array.from({ length: 3000 }, () => 1e6 + 1000 * random()),
    );
    expect(moved[0] / 1e6).toBeCloseTo(1, 2);
    expect(moved[1]).toBeLessThan(2000);
    expect(moved[2]).toBeLessThan(2000);
  });
  it('stays above zero on a constant stream', () => {
    const meta = follow(Float64Array.of(5, 1, 1), Array<number>(20_000).fill(5));
    expect(meta[1]).toBeGreaterThan(0);
    expect(levelOf(meta, 0, 5)).toBe(0);
    expect(levelOf(meta, 0, 6)).toBe(8);
    expect(changeOf(meta, 0, 5, 5)).toBe(0);
    expect(changeOf(meta, 0, 5, NaN)).toBe(0);
  });
});

describe('the scale of an input that is only given', () => {
  /** 1 for `length` ticks out of every `every`, from the tick `first` on. */
  const flag = (n: number, every: number, length: number, first = 0): number[] =>
    Array.from({ length: n }, (_, t) => Number(t >= first && t % every < length));
  const scaleOf = (values: readonly number[]): Float64Array => {
    const target = new Float64Array(3);
    fitInputScale(values, target, 0);
    return target;
  };
  const followed = (target: Float64Array, values: readonly number[]): Float64Array => {
    values.forEach((value, i) => updateInputScale(target, 0, value, values[Math.max(0, i - 1)]));
    return target;
  };
  /** A flag's two levels lie this far apart. */
  const step = (target: Float64Array): number => levelOf(target, 0, 1) - levelOf(target, 0, 0);

  it.each([
    [1000, 1],
    [100, 1],
    [100, 24],
    [11, 1],
    [9, 1],
    [4, 1],
    [3, 2],
  ])('tells a flag in windows and in ticks alike: every %i ticks for %i', (every, length) => {
    const fitted = scaleOf(flag(4000, every, length));
    const live = followed(fitted.slice(), flag(20_000, every, length));
    for (const target of [fitted, live]) {
      expect(step(target)).toBeGreaterThan(1.3);
      expect(step(target)).toBeLessThan(2.5);
      expect(Math.abs(levelOf(target, 0, 1))).toBeLessThan(2.5);
      expect(changeOf(target, 0, 1, 0)).toBeGreaterThan(0.5);
      expect(changeOf(target, 0, 1, 0)).toBeLessThan(1.5);
    }
  });

  it('is known of a flag that was never up before, and stays while it rests', () => {
    const target = scaleOf(flag(16, 100, 1, 100));
    expect([step(target), changeOf(target, 0, 1, 0)]).toEqual([1, 1]);
    expect(followed(target.slice(), flag(5000, 100, 1, 5000))).toEqual(target);
    followed(target, flag(20_000, 100, 1));
    expect(step(target)).toBeLessThan(2.5);
  });

  it('is that of any other number where it moves at every tick', () => {
    const random = noise(3);
    const values = Array.from({ length: 300 }, (_, t) => (t % 50 === 0 ? NaN : 5 + random()));
    const { centre, scale, change } = fit(values);
    const target = scaleOf(values);
    expect([...target]).toEqual([centre, scale, change]);
    const other = target.slice();
    for (let i = 1; i < 300; i++)
      if (values[i] === values[i]) {
        updateScale(other, 0, values[i], values[i - 1]);
        updateInputScale(target, 0, values[i], values[i - 1]);
      }
    expect(target).toEqual(other);
  });
});
