import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stockCrc32c } from '../../testing/kafkajs-internals.js';
import { crc32c } from './crc32c.js';

describe('crc32c', () => {
  it('has the check value of the standard', () => {
    expect(crc32c(Buffer.from('123456789'), 0, 9)).toBe(0xe3069283);
  });

  it('is that of kafkajs, of any part and in pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500, size: 'max' }), fc.nat(), fc.nat(), fc.nat(), (bytes, a, b, c) => {
        const [start, middle, end] = [a, b, c].map((x) => x % (bytes.length + 1)).sort((x, y) => x - y);
        expect(crc32c(bytes, start, end)).toBe(stockCrc32c(bytes.subarray(start, end)));
        expect(crc32c(bytes, middle, end, crc32c(bytes, start, middle))).toBe(crc32c(bytes, start, end));
      }),
    );
  });
});
