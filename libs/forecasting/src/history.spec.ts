import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  HISTORY_FIELDS,
  historySize,
  lagged,
  pushHistory,
  resetHistory,
  SEASONS,
  seasonalMedian,
  seasonalNaive,
} from './history.js';

const series = fc.array(fc.oneof({ weight: 8, arbitrary: fc.integer({ min: -50, max: 50 }) }, fc.constant(NaN)), {
  minLength: 1,
  maxLength: 60,
});

describe('the history of a stream', () => {
  it('is what a list of all values would say', () => {
    fc.assert(
      fc.property(series, fc.integer({ min: 1, max: 9 }), (values, season) => {
        // Somewhere in an array of other things.
        const at = 3;
        const size = historySize(season);
        const history = new Float64Array(at + HISTORY_FIELDS + size + 2).fill(7);
        resetHistory(history, at, size);
        for (const value of values) pushHistory(history, at, size, value);
        const last = values.length - 1;
        const kept = (lag: number): number => (lag >= SEASONS * season || lag > last ? NaN : values[last - lag]);
        for (let lag = 0; lag < 40; lag++) expect(lagged(history, at, size, lag)).toBe(kept(lag));
        for (let h = 1; h <= season; h++) {
          const past = Array.from({ length: SEASONS }, (_, k) => kept((k + 1) * season - h)).filter((v) => v === v);
          expect(seasonalNaive(history, at, size, season, h)).toBe(past[0] ?? NaN);
          past.sort((a, b) => a - b);
          const middle = (past[(past.length - 1) >> 1] + past[past.length >> 1]) / 2;
          expect(seasonalMedian(history, at, size, season, h)).toBe(past.length === 0 ? NaN : middle);
        }
        expect([...history.subarray(0, at), ...history.subarray(at + HISTORY_FIELDS + size)]).toEqual([7, 7, 7, 7, 7]);
      }),
    );
  });
});
