import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReject, type CsvRow } from './csv.types.js';
import { knownAhead } from './known-ahead.js';

const tick = (stream: string, ts: number, ...values: number[]): CsvRow => ({ line: ts + 2, stream, ts, values });
const bad: CsvRow = { line: 9, error: { code: 'VALUE', message: 'no number' } };

/** In batches of `size`. */
async function run(rows: readonly CsvRow[], ahead: number, size = 3): Promise<CsvRow[]> {
  async function* batches(): AsyncGenerator<CsvRow[]> {
    for (let i = 0; i < rows.length; i += size) yield await Promise.resolve(rows.slice(i, i + size));
  }
  const all: CsvRow[] = [];
  for await (const batch of knownAhead(batches(), 1, ahead)) all.push(...batch);
  return all;
}
const of = (rows: readonly CsvRow[], stream: string): number[][] =>
  rows.flatMap((row) => (!isReject(row) && row.stream === stream ? [row.values] : []));

describe('what is known ahead in a file', () => {
  it('is what the next rows of the same stream say', async () => {
    const rows = [
      tick('a', 0, 1, 10),
      tick('b', 0, 5, 50),
      tick('a', 1, 2, 20),
      tick('a', 2, 3, NaN),
      bad,
      tick('b', 1, 6, 60),
    ];
    const all = await run(rows, 2);
    expect(of(all, 'a')).toEqual([
      [1, 10, 20, NaN],
      [2, 20, NaN, NaN],
      [3, NaN, NaN, NaN],
    ]);
    expect(of(all, 'b')).toEqual([
      [5, 50, 60, NaN],
      [6, 60, NaN, NaN],
    ]);
    expect(all.filter(isReject)).toEqual([bad]);
  });

  it('is not counted by rows that a service refuses: late ones, and the same once more', async () => {
    const rows = [tick('a', 1, 1, 10), tick('a', 1, 1, 10), tick('a', 0, 7, 70), tick('a', 2, 2, 20)];
    const all = await run(rows, 1);
    expect(of(all, 'a')).toEqual([
      [1, 10, 20],
      [1, 10, 20],
      [7, 70, 20],
      [2, 20, NaN],
    ]);
  });

  it('loses no row, however many and in whatever batches', async () => {
    const row = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(5));
    await fc.assert(
      fc.asyncProperty(
        fc.array(row),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 9 }),
        async (some, ahead, size) => {
          const rows = some.map(([stream, ts], i) => tick(stream, ts, i, i));
          const all = await run(rows, ahead, size);
          expect(await run(rows, ahead, 100)).toEqual(all);
          for (const stream of ['a', 'b', 'c']) {
            const now = of(rows, stream);
            expect(of(all, stream).map(([first, second]) => [first, second])).toEqual(now);
          }
          expect(all).toHaveLength(rows.length);
        },
      ),
      { numRuns: 200 },
    );
  });
});
