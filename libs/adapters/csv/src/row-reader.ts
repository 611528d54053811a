/** One record's fields to a tick, or to the reason why it is none. */
import { RiverrunError } from '#domain/errors';
import type { CsvOptions, CsvReject, CsvRow, TimeUnit } from './csv.types.js';
import { readNumber, tellsDecimalComma } from './numbers.js';

const MS: Record<TimeUnit, number> = { s: 1000, ms: 1, us: 1e-3, ns: 1e-6 };
const NUMERIC = /^-?\d+(?:\.\d+)?$/;
const LONGEST_STREAM = 256;
/** Streams remembered; beyond it the memory starts afresh, so that a column mistaken for the stream costs no more than this. */
const MOST_STREAMS = 100_000;

const quote = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);

export class RowReader {
  private readonly streamAt: number;
  private readonly timeAt: number;
  private readonly valuesAt: number[];
  private unit: TimeUnit | undefined;
  private decimalComma: boolean | undefined;
  /** Each stream's id, copied out of the text it was cut from (which it would keep alive), and its last time. */
  private readonly streams = new Map<string, { readonly id: string; last: number }>();

  constructor(
    private readonly columns: readonly string[],
    delimiter: string,
    private readonly options: CsvOptions,
  ) {
    this.streamAt = options.streamColumn === undefined ? -1 : this.find(options.streamColumn);
    this.timeAt = this.find(options.timeColumn);
    this.valuesAt = options.valueColumns.map((name) => this.find(name));
    this.unit = options.timeUnit;
    const { decimalComma = 'auto' } = options;
    this.decimalComma =
      decimalComma !== 'auto' ? decimalComma : delimiter === ';' || delimiter === '\t' ? undefined : false;
  }

  /** Lets a record tell how the file writes numbers before any is read. */
  sniff(fields: readonly string[]): void {
    for (const at of this.valuesAt) this.decimalComma ??= tellsDecimalComma(fields[at] ?? '');
  }

  /** undefined for a record of nothing but empty fields, as spreadsheets leave behind. */
  read(line: number, fields: readonly string[]): CsvRow | undefined {
    const { columns } = this;
    if (fields.length !== columns.length) {
      if (fields.every((field) => field.trim() === '')) return undefined;
      const extra = fields.length === columns.length + 1 && fields.at(-1) === '';
      if (!extra) return reject(line, 'MALFORMED', `${fields.length} fields where the header has ${columns.length}`);
    }
    const name = this.streamAt < 0 ? (this.options.stream ?? 'csv') : fields[this.streamAt].trim();
    const time = fields[this.timeAt].trim();
    if (time === '' && fields.every((field) => field.trim() === '')) return undefined;
    const stream = this.stream(name);
    if (stream === undefined) {
      return reject(
        line,
        'STREAM_ID',
        name === '' ? 'the stream is empty' : `the stream ${quote(name)} is longer than 256 bytes`,
      );
    }
    const ts = this.time(time, stream.last);
    if (!Number.isSafeInteger(ts)) {
      return reject(
        line,
        'TIMESTAMP',
        time === '' ? 'the time is empty' : `${quote(time)} is no time in ${this.options.timeZone}`,
      );
    }
    const values = new Array<number>(this.valuesAt.length);
    for (let k = 0; k < values.length; k++) {
      const text = fields[this.valuesAt[k]];
      this.decimalComma ??= tellsDecimalComma(text);
      const value = readNumber(text, this.decimalComma === true);
      if (value === undefined)
        return reject(line, 'VALUE', `${this.options.valueColumns[k]}: ${quote(text)} is no finite number`);
      values[k] = value;
    }
    stream.last = ts;
    return { line, stream: stream.id, ts, values };
  }

  private stream(name: string): { readonly id: string; last: number } | undefined {
    let stream = this.streams.get(name);
    if (stream === undefined) {
      const bytes = Buffer.from(name);
      if (bytes.length === 0 || bytes.length > LONGEST_STREAM) return undefined;
      if (this.streams.size >= MOST_STREAMS) this.streams.clear();
      stream = { id: bytes.toString(), last: -Infinity };
      this.streams.set(stream.id, stream);
    }
    return stream;
  }

  private time(text: string, last: number): number {
    if (!NUMERIC.test(text)) return this.options.parseTime(text, this.options.timeZone, last);
    const n = Number(text);
    this.unit ??= Math.abs(n) < 1e11 ? 's' : Math.abs(n) < 1e14 ? 'ms' : Math.abs(n) < 1e17 ? 'us' : 'ns';
    // ns exceed what a double counts exactly: the last six digits are cut from the text, before it becomes a number.
    if (this.unit === 'ns' && text.length > 15 && !text.includes('.')) return Number(text.slice(0, -6));
    return Math.round(n * MS[this.unit]);
  }

  private find(name: string): number {
    const at = this.columns.indexOf(name);
    if (at >= 0 && this.columns.indexOf(name, at + 1) < 0) return at;
    const there = this.columns.slice(0, 50).map(quote).join(', ') + (this.columns.length > 50 ? ', …' : '');
    throw new RiverrunError(
      'CSV_COLUMN',
      at < 0
        ? `there is no column ${quote(name)}; the columns are ${there}`
        : `there are several columns ${quote(name)}: name them differently`,
    );
  }
}

export const reject = (line: number, code: CsvReject['error']['code'], message: string): CsvReject => ({
  line,
  error: { code, message },
});
