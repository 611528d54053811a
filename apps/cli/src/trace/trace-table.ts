import { shortNumber, table } from '../output.js';

export interface Row {
  readonly step: number;
  readonly input: number | string | readonly number[] | null;
  readonly memory: readonly number[];
  readonly output: number | null;
  /** Where the model has several. */
  readonly outputs?: readonly number[];
}

/** Numbers shown of a memory or of several outputs. */
const FEW = 3;

export function traceTable(rows: readonly Row[]): string {
  return table(
    [
      ['Step', 'Input', 'Memory', 'Output'],
      ...rows.map((row) => [
        String(row.step),
        inputText(row.input),
        listText(row.memory),
        row.outputs === undefined ? shortNumber(row.output) : listText(row.outputs),
      ]),
    ],
    [0],
  );
}

const inputText = (input: Row['input']): string =>
  typeof input === 'string'
    ? input
    : Array.isArray(input)
      ? input.map(shortNumber).join(', ')
      : shortNumber(input as number | null);

/** `[0.12 -0.53 … 64]`: the first few, and how many there are. */
export function listText(numbers: readonly number[]): string {
  const few = numbers.slice(0, numbers.length <= FEW + 1 ? numbers.length : FEW).map((x) => x.toFixed(2));
  return `[${few.join(' ')}${few.length < numbers.length ? ` … ${numbers.length}` : ''}]`;
}
