import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_NUMBER_BYTES, writeInteger, writeNine, writeNumber } from './number-writer.js';

const written = (write: (target: DataView, at: number, value: number) => number, value: number): string => {
  const target = new Uint8Array(MAX_NUMBER_BYTES + 1);
  const end = write(new DataView(target.buffer), 1, value);
  expect(end).toBeLessThanOrEqual(MAX_NUMBER_BYTES + 1);
  return new TextDecoder().decode(target.subarray(1, end));
};

describe('writeNumber', () => {
  it('gives every float32 back, as JSON', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (x) => {
        expect(Math.fround(JSON.parse(written(writeNumber, x)) as number)).toBe(x === 0 ? 0 : x);
      }),
      { numRuns: 20_000 },
    );
  });
  it('gives every float64 that is no float32 back exactly', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) => {
        if (Math.fround(x) !== x) expect(JSON.parse(written(writeNumber, x))).toBe(x);
      }),
      { numRuns: 20_000 },
    );
  });
  it('writes short numbers short', () => {
    const shown = [0.5, -0.25, 1.5, 100.5, 2 ** -10, 12345.5, 0.1].map((x) => written(writeNumber, Math.fround(x)));
    expect(shown).toEqual(['0.5', '-0.25', '1.5', '100.5', '0.0009765625', '12345.5', '0.100000001']);
  });
  it('steps over decades and up to the next power of ten', () => {
    for (let e = -5; e < 9; e++)
      for (const f of [0.99999999, 1, 1.0000001, 9.9999995]) {
        const x = Math.fround(f * 10 ** e);
        expect(Math.fround(Number(written(writeNumber, x)))).toBe(x);
      }
  });
});

describe('writeNine', () => {
  it('writes nine digits, as many of them as there are', () => {
    const numbers = [
      1 / 3,
      -200 / 3,
      123456.789,
      99_999_999.96,
      999.9999996,
      0.00001,
      0.0000999999999999,
      0.1,
      1e-7,
      5,
    ];
    const shown = [
      '0.333333333',
      '-66.6666667',
      '123456.789',
      '100000000',
      '1000',
      '0.00001',
      '0.0001',
      '0.1',
      '1e-7',
      '5',
    ];
    expect(numbers.map((x) => written(writeNine, x))).toEqual(shown);
  });
  it('is off by no more than that', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: 1e-9, max: 1e12 }), fc.boolean(), (x, negative) => {
        const back = Math.abs(Number(written(writeNine, negative ? -x : x)));
        expect(Math.abs(back - x)).toBeLessThanOrEqual(5.0001e-9 * x);
      }),
      { numRuns: 20_000 },
    );
  });
});

describe('writeInteger', () => {
  it('writes safe integers', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (x) => {
        expect(written(writeInteger, x)).toBe(String(x));
      }),
      { numRuns: 5000 },
    );
    expect(written(writeInteger, 10_000_000)).toBe('10000000');
    expect(written(writeInteger, 1_700_000_000_000)).toBe('1700000000000');
  });
});
