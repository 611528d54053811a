/** The columns of a file that a command was told of, and its rows by them. */
import { basename, extname } from 'node:path';
import type { CsvRow } from '#adapters/csv/csv.types';
import { knownAhead } from '#adapters/csv/known-ahead';
import { readCsvTicks } from '#adapters/csv/read-csv-ticks';
import { inputsOf, MOST_INPUTS, type NamedInput } from '#domain/pipeline-spec';
import { parseTime } from '#pipeline/parse-time';
import { UsageError } from './exit-codes.js';

export interface ColumnOptions {
  readonly streamColumn?: string | undefined;
  readonly timeColumn: string;
  readonly valueColumn: readonly string[];
  readonly knownColumn?: readonly string[] | undefined;
  readonly timeZone: string;
}

/** Values and what is known of them: the first ones now only, those that are known also of so many rows ahead. UsageError where a column is named twice, or there are too many. */
export function csvColumns({ valueColumn, knownColumn = [] }: ColumnOptions, ahead: number): NamedInput[] {
  const twice = knownColumn.find((name) => valueColumn.includes(name));
  if (twice !== undefined) throw new UsageError(`${twice} stands in --value-column and in --known-column`);
  const columns = [...valueColumn.map((name) => ({ name, ahead: 0 })), ...knownColumn.map((name) => ({ name, ahead }))];
  const inputs = inputsOf(columns).length;
  if (inputs > MOST_INPUTS)
    throw new UsageError(`${inputs} inputs, what is known ahead counted ${ahead + 1} times: at most ${MOST_INPUTS}`);
  return columns;
}

/** Values in the order of `inputsOf(columns)`. What is known comes last. */
export function readColumns(
  file: string,
  columns: readonly NamedInput[],
  { streamColumn, timeColumn, timeZone }: ColumnOptions,
): AsyncGenerator<CsvRow[]> {
  const rows = readCsvTicks(file, {
    streamColumn,
    stream: basename(file, extname(file)),
    timeColumn,
    valueColumns: columns.map(({ name }) => name),
    timeZone,
    parseTime,
  });
  const first = columns.findIndex(({ ahead }) => ahead > 0);
  return first < 0 ? rows : knownAhead(rows, first, columns[first].ahead);
}
