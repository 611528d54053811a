const MAX_INT32 = 2 ** 31 - 1;

/** Where what was counted `count`th, from 0 on, lies in a ring of `size`: count % size. For whole numbers that is an instruction, for float64s, as counts are, a call. */
export const placeInRing = (count: number, size: number): number =>
  count <= MAX_INT32 ? (count | 0) % size : count % size;
