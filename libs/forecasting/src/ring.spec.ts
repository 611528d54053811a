import { expect, it } from 'vitest';
import { placeInRing } from './ring.js';

it('is the remainder, however long something has been counted', () => {
  for (const around of [0, 2 ** 31, 2 ** 32, 2 ** 52])
    for (let count = Math.max(0, around - 50); count < around + 50; count++)
      for (const size of [1, 2, 3, 7, 24, 1345]) expect(placeInRing(count, size)).toBe(count % size);
});
