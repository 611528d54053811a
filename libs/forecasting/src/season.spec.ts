import { describe, expect, it } from 'vitest';
import { normal, uniform } from '../testing/noise.js';
import { findSeason } from './season.js';

const wave = (n: number, of: (t: number) => number): Float64Array => Float64Array.from({ length: n }, (_, t) => of(t));

describe('the season', () => {
  const random = uniform(3);
  const noise = (): number => normal(random);

  it.each([7, 24, 48, 96])('of %d ticks is found in noise, a trend and gaps', (season) => {
    const values = wave(12 * season, (t) =>
      t % 17 === 3
        ? NaN
        : 100 +
          0.01 * t +
          5 * Math.sin((2 * Math.PI * t) / season) +
          2 * Math.cos((4 * Math.PI * t) / season) +
          noise(),
    );
    expect(findSeason(values)).toBe(season);
  });

  it('is the week where days differ', () => {
    const values = wave(24 * 7 * 8, (t) => {
      const day = Math.floor(t / 24) % 7;
      return (day < 5 ? 10 : 4) * (1.5 + Math.sin((2 * Math.PI * t) / 24)) + 0.3 * noise();
    });
    expect(findSeason(values)).toBe(168);
  });

  it('is none in noise, a random walk, a straight line, a constant, and nothing', () => {
    let level = 0;
    expect(findSeason(wave(600, () => noise()))).toBe(0);
    expect(findSeason(wave(600, () => (level += noise())))).toBe(0);
    expect(findSeason(wave(600, (t) => 3 * t))).toBe(0);
    expect(findSeason(wave(600, () => 5))).toBe(0);
    expect(findSeason(wave(600, () => NaN))).toBe(0);
    expect(findSeason(new Float64Array())).toBe(0);
  });
});
