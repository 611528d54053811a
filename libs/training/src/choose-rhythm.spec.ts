import { describe, expect, it } from 'vitest';
import { chooseRhythm } from './choose-rhythm.js';
import { gaussian, seededRandom } from './random.js';

const MINUTE = 60_000;
const random = seededRandom(5);
const day = (t: number): number => 10 * Math.sin((2 * Math.PI * t) / 24) + 0.3 * gaussian(random);
/** Rows of the ticks that `comes` says, and what they are. */
const windowOf = (
  ticks: number,
  comes: (t: number) => boolean,
  value: (t: number, row: number) => number,
): Float64Array => {
  let row = 0;
  const kept = Array.from({ length: ticks }, (_, t) => t).filter(comes);
  return Float64Array.from(kept.flatMap((t) => [t * MINUTE, value(t, row++)]));
};
const auto = { season: 'auto', regular: 'auto' } as const;

describe('the rhythm of streams', () => {
  it('counts what was left out where the season goes on without it', () => {
    const silent = windowOf(600, (t) => t < 300 || t > 307, day);
    const lossy = windowOf(600, (t) => t < 30 || random() > 0.05, day);
    for (const window of [silent, lossy]) {
      expect(chooseRhythm([window], 2, auto)).toEqual({ season: 24, regular: true });
      expect(chooseRhythm([window], 2, { ...auto, season: 24 })).toEqual({ season: 24, regular: true });
    }
    expect(chooseRhythm([windowOf(600, () => true, day)], 2, auto)).toEqual({ season: 24, regular: true });
  });

  it('counts the ticks there are where it stands still meanwhile, as a market does overnight', () => {
    // 24 ticks a day, and 66 between its end and the next one's first.
    const market = windowOf(
      1_800,
      (t) => t % 90 < 24,
      (_, row) => day(row),
    );
    expect(chooseRhythm([market], 2, auto)).toEqual({ season: 24, regular: false });
    expect(chooseRhythm([market], 2, { ...auto, season: 24 })).toEqual({ season: 24, regular: false });
    expect(chooseRhythm([market], 2, { ...auto, season: 120 })).toEqual({ season: 120, regular: false });
  });

  it('goes on as what serves does, unless the other is clearly better', () => {
    const market = windowOf(
      1_800,
      (t) => t % 90 < 24,
      (_, row) => day(row),
    );
    const silent = windowOf(600, (t) => t < 300 || t > 307, day);
    expect(chooseRhythm([market], 2, { ...auto, season: 24, now: true })).toMatchObject({ regular: false });
    expect(chooseRhythm([silent], 2, { ...auto, season: 24, now: false })).toMatchObject({ regular: true });
    // A single tick left out, at the very end: as good as nothing.
    const once = windowOf(600, (t) => t !== 598, day);
    for (const now of [true, false])
      expect(chooseRhythm([once], 2, { ...auto, season: 24, now })).toMatchObject({ regular: now });
  });

  it('is as asked, and nothing is counted where there is no season', () => {
    const silent = windowOf(600, (t) => t < 300 || t > 307, day);
    for (const regular of [true, false])
      expect(chooseRhythm([silent], 2, { season: 24, regular })).toMatchObject({ season: 24, regular });
    const noise = windowOf(
      600,
      (t) => t !== 300,
      () => gaussian(random),
    );
    expect(chooseRhythm([noise], 2, auto)).toEqual({ season: 0, regular: false });
    expect(chooseRhythm([], 2, auto)).toEqual({ season: 0, regular: false });
  });
});
