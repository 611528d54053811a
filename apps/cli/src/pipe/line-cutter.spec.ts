import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineCutter } from './line-cutter.js';

const LIMIT = 20;

interface Cut {
  line: number;
  offset: number;
  /** The line's text, or its length where it is over the limit. */
  content: string | number;
}

function cutAll(chunks: readonly Uint8Array[], maxRecords: number): Cut[] {
  const cutter = new LineCutter('t', maxRecords, LIMIT);
  const cuts: Cut[] = [];
  const take = (): number => {
    const { count, bytes, valueStart, valueEnd, offsets, keyStart } = cutter.cut(0);
    for (let i = 0; i < count; i++) {
      const length = valueEnd[i] - valueStart[i];
      const content =
        length > LIMIT ? length : Buffer.from(bytes.subarray(valueStart[i], valueEnd[i])).toString('latin1');
      cuts.push({ line: cutter.lineOf[i], offset: offsets[i], content });
      expect(keyStart[i]).toBe(-1);
    }
    return count;
  };
  for (const chunk of chunks) {
    cutter.push(chunk);
    while (take() > 0);
  }
  cutter.finish();
  while (take() > 0);
  return cuts;
}

/** What a reader of the whole text would say. */
function expected(text: string): Cut[] {
  const lines = text.replace(/^\xef\xbb\xbf/, '').split('\n');
  if (lines.at(-1) === '') lines.pop();
  let offset = 0;
  return lines.flatMap((whole, i) => {
    const content = whole.replace(/\r$/, '');
    if (content.length <= LIMIT && /^[\0- ]*$/.test(content)) return [];
    return [{ line: i + 1, offset: offset++, content: content.length > LIMIT ? content.length : content }];
  });
}

describe('LineCutter', () => {
  it('cuts the same lines however the bytes come in', () => {
    const piece = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('\n', '\r\n', '\r', ' ', '{"a":1}', 'x', '\n\n') },
      fc.string({ maxLength: 12 }).map((s) => Buffer.from(s).toString('latin1')),
      fc.integer({ min: LIMIT - 2, max: 3 * LIMIT }).map((n) => 'y'.repeat(n)),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 5 }),
        (pieces, sizes, maxRecords) => {
          const text = pieces.join('');
          const bytes = Buffer.from(text, 'latin1');
          const chunks: Buffer[] = [];
          for (let at = 0, i = 0; at < bytes.length; at += sizes[i++ % sizes.length])
            chunks.push(bytes.subarray(at, at + sizes[i % sizes.length]));
          expect(cutAll(chunks, maxRecords)).toEqual(expected(text));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('keeps no more of an endless line than it was given at once', () => {
    const cutter = new LineCutter('t', 10, LIMIT);
    const chunk = Buffer.alloc(1 << 16, 'z');
    for (let i = 0; i < 1000; i++) {
      cutter.push(chunk);
      expect(cutter.cut(0).count).toBe(0);
      expect(cutter.waiting).toBe(0);
    }
    cutter.push(Buffer.from('\r\nok\n'));
    const { count, valueStart, valueEnd } = cutter.cut(0);
    expect(count).toBe(2);
    expect(valueEnd[0] - valueStart[0]).toBe(1000 << 16);
  });
});
