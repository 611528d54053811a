import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SEGMENT_ROWS } from '#domain/ports';
import { SegmentEncoder, readSegment, segmentBytes, segmentWidth } from './segment-codec.js';

const words = (rows: Float64Array): number[] =>
  Array.from(new Uint32Array(rows.buffer, rows.byteOffset, 2 * rows.length));

function encoded(rows: Float64Array, width: number, k = 0): Buffer {
  const target = Buffer.alloc(7 + segmentBytes(width));
  const end = new SegmentEncoder(rows, width).write(k, target, 7);
  expect(end - 7).toBeLessThanOrEqual(segmentBytes(width));
  return target.subarray(7, end);
}

function decoded(bytes: Buffer): Float64Array {
  const rows = new Float64Array(SEGMENT_ROWS * segmentWidth(bytes, 0));
  readSegment(bytes, 0, rows, 0);
  return rows;
}

const bits = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const float64 = bits.map((b) => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, b);
  return view.getFloat64(0);
});
const decimal = fc.tuple(fc.integer({ min: -(10 ** 9), max: 10 ** 9 }), fc.nat(9)).map(([n, k]) => n / 10 ** k);
const whole = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(2 ** 50, -(2 ** 50), 2 ** 50 - 1, 2 ** 53, 1e22),
);
const special = fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 5e-324, Number.MAX_VALUE);
const kinds = [float64, decimal, whole, fc.oneof(decimal, special), fc.oneof(whole, special)];

describe('segment codec', () => {
  it('is lossless to the bit', () => {
    const columns = fc.array(
      fc.constantFrom(...kinds).chain((kind) => fc.array(kind, { minLength: SEGMENT_ROWS, maxLength: SEGMENT_ROWS })),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(columns, (given) => {
        const rows = new Float64Array(SEGMENT_ROWS * given.length);
        given.forEach((column, c) => column.forEach((value, r) => (rows[r * given.length + c] = value)));
        expect(words(decoded(encoded(rows, given.length)))).toEqual(words(rows));
      }),
      { numRuns: 500 },
    );
  });

  it('keeps the payload of a NaN', () => {
    const rows = new Float64Array(SEGMENT_ROWS);
    const view = new BigUint64Array(rows.buffer);
    for (let r = 0; r < SEGMENT_ROWS; r++) view[r] = 0x7ff0_0000_0000_0001n + (BigInt(r) << 47n);
    expect(new BigUint64Array(decoded(encoded(rows, 1)).buffer)).toEqual(view);
  });

  it('takes the segment asked for', () => {
    const rows = Float64Array.from({ length: 3 * 2 * SEGMENT_ROWS }, (_, i) => i);
    expect(decoded(encoded(rows, 2, 1))).toEqual(rows.slice(2 * SEGMENT_ROWS, 4 * SEGMENT_ROWS));
  });

  it('is small where times are regular and values are decimals', () => {
    const rows = new Float64Array(2 * SEGMENT_ROWS);
    for (let r = 0; r < SEGMENT_ROWS; r++) {
      rows[2 * r] = 1_700_000_000_000 + 1000 * r;
      rows[2 * r + 1] = (2050 + ((r * 7) % 13)) / 100;
    }
    expect(encoded(rows, 2).length).toBeLessThan(48);
    expect(8 * rows.length).toBe(256);
  });
});
