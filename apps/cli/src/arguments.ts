/** Reads option values; what is wrong becomes commander's one-line error. */
import { InvalidArgumentError, type Command } from 'commander';
import { MODEL_NAME } from '#domain/model-digest';

/** What `action` handlers report to: a code, or undefined to go on in the background. */
export type Done = (code: number | undefined) => void;
export type AddCommand = (parent: Command, done: Done) => void;

/** What stands below a command's help. */
export const examples = (...lines: string[]): string =>
  `\n${lines.length > 1 ? 'Examples' : 'Example'}:\n${lines.map((line) => `  $ ${line}`).join('\n')}`;

export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`Expected an integer from ${min} to ${max}.`);
    return value;
  };
}

/** Of a whole, below all of it. */
export function share(text: string): number {
  const value = /^[0-9.]+$/.test(text) ? Number(text) : NaN;
  if (!(value >= 0 && value < 1)) throw new InvalidArgumentError('Expected a share from 0 to below 1, such as 0.1.');
  return value;
}

export function names(text: string): string[] {
  const list = text.split(',').map((name) => name.trim());
  if (list.some((name) => name === '')) throw new InvalidArgumentError('Expected names, comma-separated.');
  if (new Set(list).size < list.length) throw new InvalidArgumentError('A name stands there twice.');
  return list;
}

export function url(text: string): string {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text))
    throw new InvalidArgumentError('Expected a URL such as http://127.0.0.1:3000.');
  return text.replace(/\/+$/, '');
}

export function timeZone(text: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return text;
  } catch {
    throw new InvalidArgumentError('Expected an IANA time zone such as Europe/Berlin.');
  }
}

export interface NamedModel {
  readonly name: string;
  readonly version: number | undefined;
}

/** NAME or NAME@VERSION. */
export function modelName(text: string): NamedModel {
  const match = /^([^@/\\\s]{1,200})(?:@([1-9]\d{0,8}))?$/.exec(text);
  if (match === null) throw new InvalidArgumentError('Expected NAME or NAME@VERSION.');
  return { name: match[1], version: (match[2] as string | undefined) === undefined ? undefined : Number(match[2]) };
}

/** The name of a model that is to be: it becomes a folder's name. */
export function newModelName(text: string): string {
  if (!MODEL_NAME.test(text))
    throw new InvalidArgumentError('Expected 1 to 64 of a-z 0-9 . _ -, beginning with a letter or digit.');
  return text;
}

/** Rows of numbers: `1,2,3` is three steps of one input, `1,2;3,4` two steps of two. */
export function numberRows(text: string): number[][] {
  const several = text.includes(';');
  const rows = several ? text.split(';').map((row) => row.split(',')) : text.split(',').map((cell) => [cell]);
  const numbers = rows.map((row) => row.map((cell) => (cell.trim() === '' ? NaN : Number(cell))));
  if (numbers.some((row) => row.length !== numbers[0].length || !row.every(Number.isFinite)))
    throw new InvalidArgumentError('Expected numbers such as 1,2,3, or 1,2;3,4 for two inputs.');
  return numbers;
}
