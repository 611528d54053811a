import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fieldBytes, groupByBucket, hashOf, idOf, writeField } from './stream-fields.js';

const anyId = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units)),
);

function fieldOf(id: string): Buffer {
  const field = Buffer.alloc(fieldBytes(id));
  return field.subarray(0, writeField(field, 0, id));
}

describe('stream fields', () => {
  it('give any id back', () => {
    fc.assert(
      fc.property(anyId, (id) => {
        expect(idOf(fieldOf(id))).toBe(id);
      }),
    );
  });

  it('keep ids apart that look alike', () => {
    const ids = ['\ud800', '\ufffd', '\udc00', 'uu', 'u', '', 'w', '\0', 'a\0', 'a', 'a\u0000', 'wu'];
    expect(new Set(ids.map((id) => fieldOf(id).toString('hex'))).size).toBe(new Set(ids).size);
  });

  it('are spread by FNV-1a over their bytes, whichever way it is computed', () => {
    // Published test vectors: stored data depends on them.
    expect([hashOf(''), hashOf('a'), hashOf('foobar')]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
    fc.assert(
      fc.property(anyId, (id) => {
        let hash = 0x811c9dc5;
        for (const byte of fieldOf(id).subarray(1)) hash = Math.imul(hash ^ byte, 0x01000193);
        expect(hashOf(id)).toBe(hash >>> 0);
      }),
    );
  });

  it('are grouped by bucket, in their order within one', () => {
    fc.assert(
      fc.property(fc.array(anyId), fc.integer({ min: 1, max: 300 }), (ids, buckets) => {
        const { order, bucket } = groupByBucket(ids, buckets);
        expect([...order].sort((a, b) => a - b)).toEqual(ids.map((_, i) => i));
        for (let k = 1; k < order.length; k++) {
          const [a, b] = [order[k - 1], order[k]];
          expect(bucket[a] < bucket[b] || (bucket[a] === bucket[b] && a < b)).toBe(true);
        }
      }),
    );
  });

  it('fill buckets evenly', () => {
    const { bucket } = groupByBucket(
      Array.from({ length: 25_600 }, (_, i) => `stream-${i}`),
      256,
    );
    const sizes = new Int32Array(256);
    for (const b of bucket) sizes[b]++;
    expect(Math.min(...sizes)).toBeGreaterThan(50);
    expect(Math.max(...sizes)).toBeLessThan(200);
  });
});
