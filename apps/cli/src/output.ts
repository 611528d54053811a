/** stdout carries results only; everything else goes to stderr. */
import type { Writable } from 'node:stream';

/** `riverrun … | head`: the reader has had enough. That is no error, and nobody is left to tell. */
export function endQuietlyWhenNobodyReads(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', onOutputError);
}

/** A service does not end because nobody reads its log: what it does then is its own business. */
export function leaveOutputAlone(): void {
  for (const stream of [process.stdout, process.stderr]) stream.off('error', onOutputError);
}

function onOutputError(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0);
  // A full disk, most likely. What is written by now is incomplete, and nothing more can be.
  note(`riverrun: OUTPUT: cannot write: ${error.message}`);
  process.exit(1);
}

/** Resolves once the bytes are out, so that a slow reader slows the writer down and the buffer may be reused. */
export function write(stream: Writable, bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve) => {
    stream.write(bytes, (error) => {
      // Errors end the process: see above.
      if (!error) resolve();
    });
  });
}

export const print = (text: string): Promise<void> => write(process.stdout, `${text}\n`);
export const printJson = (value: unknown): Promise<void> => print(JSON.stringify(value, null, 2));
export const note = (text: string): void => void process.stderr.write(`${text}\n`);
export const printError = (text: string): void => note(`riverrun: ${oneLine(text)}`);

export const oneLine = (text: string): string => text.replace(/\s*[\r\n]+\s*/g, ' ').trim();

/** Aligned columns, the first row being the header. Numbers to the right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => width(row[column]))));
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const space = ' '.repeat(widths[column] - width(cell));
          return right.includes(column) ? space + cell : cell + space;
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const width = (text: string): number => [...text].length;

/** Six significant digits, as short as they can be. */
export const shortNumber = (x: number | null | undefined): string =>
  x === null || x === undefined || Number.isNaN(x) ? '-' : String(Number(x.toPrecision(6)));
