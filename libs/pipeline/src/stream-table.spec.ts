import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StreamTable } from './stream-table.js';

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

describe('StreamTable', () => {
  it('finds what was inserted, as text and as bytes, through evictions', () => {
    const id = fc.oneof(
      fc.nat(200).map((n) => `s${n}`),
      fc.string({ minLength: 1, maxLength: 6 }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(id, fc.boolean()), { maxLength: 300 }), (steps) => {
        const table = new StreamTable(32, 1);
        const model = new Map<string, number>();
        for (const [name, dirty] of steps) {
          let slot = table.find(name);
          expect(slot).toBe(model.get(name) ?? -1);
          if (slot < 0) {
            const room = table.makeRoom(1, () => false);
            for (const [other, at] of model) if (table.ids[at] !== other) model.delete(other);
            if (!room) {
              expect([...model.values()].every((at) => table.dirty[at] === 1)).toBe(true);
              return;
            }
            slot = table.insert(name, 0);
            model.set(name, slot);
          }
          if (dirty && table.size < 30) table.dirty[slot] = 1;
          for (const [other, at] of model) {
            expect(table.find(other)).toBe(at);

            if (/^[\x00-\x7f]*$/.test(other)) expect(table.findAscii(ascii(other), 0, other.length)).toBe(at);
          }
          expect(table.size).toBe(model.size);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('never evicts a dirty stream or one that must stay', () => {
    const table = new StreamTable(4, 1);
    for (const name of ['a', 'b', 'c', 'd']) table.insert(name, 0);
    table.dirty[table.find('a')] = 1;
    const b = table.find('b');
    expect(table.makeRoom(2, (slot) => slot === b)).toBe(true);
    expect(['a', 'b', 'c', 'd'].map((name) => table.find(name) >= 0)).toEqual([true, true, false, false]);
    expect(table.makeRoom(3, (slot) => slot === b)).toBe(false);
  });
});
