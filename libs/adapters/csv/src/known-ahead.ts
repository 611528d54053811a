/** What a file's later rows say of a column, given as what was known of them before. */
import { isReject, type CsvRow, type CsvTick } from './csv.types.js';

/** A tick that waits for those after it, and what came between: late ones, and the same once more. They are no ticks of their own to count by. */
interface Waiting {
  readonly tick: CsvTick;
  readonly beside: CsvTick[];
}

/** Each of the values from the `known`th on becomes 1 + `ahead` of them: that of the row itself, and those of the next rows of its stream; NaN where there is none.
 *  A row comes out when so many after it have been read: those of one stream in the file's order, those of several streams as they are complete. */
export async function* knownAhead(
  batches: AsyncIterable<CsvRow[]>,
  known: number,
  ahead: number,
): AsyncGenerator<CsvRow[]> {
  const streams = new Map<string, Waiting[]>();
  for await (const batch of batches) {
    const complete: CsvRow[] = [];
    for (const row of batch) {
      if (isReject(row)) {
        complete.push(row);
        continue;
      }
      const waiting = streams.get(row.stream) ?? [];
      streams.set(row.stream, waiting);
      const newest = waiting.at(-1);
      if (newest !== undefined && (row.ts < newest.tick.ts || isSame(row, newest.tick))) newest.beside.push(row);
      else waiting.push({ tick: row, beside: [] });
      if (waiting.length > ahead + 1) complete.push(...taken(waiting, known, ahead));
    }
    if (complete.length > 0) yield complete;
  }
  for (const waiting of streams.values()) while (waiting.length > 0) yield taken(waiting, known, ahead);
}

/** The oldest, and what came beside it. */
function taken(waiting: Waiting[], known: number, ahead: number): CsvTick[] {
  const later = waiting.slice(1, 1 + ahead).map(({ tick }) => tick.values);
  const { tick, beside } = waiting.shift()!;
  const giving = (row: CsvTick): CsvTick => ({
    ...row,
    values: row.values.flatMap((value, k) =>
      k < known ? [value] : [value, ...Array.from({ length: ahead }, (_, i) => later[i]?.[k] ?? NaN)],
    ),
  });
  return [tick, ...beside].map(giving);
}

const isSame = (a: CsvTick, b: CsvTick): boolean =>
  a.ts === b.ts && a.values.every((value, k) => Object.is(value, b.values[k]));
