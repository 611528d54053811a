/** A CSV file as ticks: read as a stream, record by record, so that neither the file's size nor a broken line matters. */
import { RiverrunError } from '#domain/errors';
import type { CsvOptions, CsvRow } from './csv.types.js';
import { readLines, type TextSource } from './read-lines.js';
import { detectDelimiter, headerNames, RecordSplitter } from './record-splitter.js';
import { reject, RowReader } from './row-reader.js';

const LONGEST_RECORD = 1024 * 1024;
/** Lines a quoted field may go on for: a quote that is never closed must not swallow the file. */
const MOST_LINES = 1000;

/** Batches of rows in the file's order. RiverrunError CSV_FILE | CSV_EMPTY | CSV_COLUMN where nothing can be read at all; what is wrong with a
 *  single record is a row of its own. */
export async function* readCsvTicks(source: TextSource, options: CsvOptions): AsyncGenerator<CsvRow[]> {
  const reader = new CsvReader(options);
  const most = options.batchRows ?? 1024;
  let any = false;
  for await (const lines of readLines(source, options.maxRecord ?? LONGEST_RECORD)) {
    for (let i = 0; i < lines.length; i++) {
      const before = reader.hasHeader;
      reader.push(lines[i]);
      if (!before && reader.hasHeader) reader.sniff(lines.slice(i + 1));
      if (reader.rows.length >= most) {
        yield reader.take();
        any = true;
      }
    }
  }
  reader.end();
  if (reader.rows.length > 0) yield reader.take();
  else if (!any) {
    const name = typeof source === 'string' ? source : 'the input';
    const what = reader.hasHeader ? 'has a header but no rows' : 'is empty: expected a header line and rows';
    throw new RiverrunError('CSV_EMPTY', `${name} ${what}`);
  }
}

class CsvReader {
  rows: CsvRow[] = [];
  private line = 0;
  private header: string[] = [];
  private body:
    { readonly delimiter: string; readonly splitter: RecordSplitter; readonly reader: RowReader } | undefined;
  /** Lines of a record whose quoted field is still open: should it never close, those behind the first are read afresh. */
  private open: string[] = [];
  private openLength = 0;
  private readonly longest: number;

  constructor(private readonly options: CsvOptions) {
    this.longest = options.maxRecord ?? LONGEST_RECORD;
  }

  get hasHeader(): boolean {
    return this.body !== undefined;
  }

  take(): CsvRow[] {
    const { rows } = this;
    this.rows = [];
    return rows;
  }

  push(line: string | null): void {
    this.line++;
    if (this.body === undefined) this.pushHeader(line);
    else if (line === null) this.pushTooLong();
    else this.pushLine(line, this.body);
  }

  /** Looks ahead for how numbers are written, before the first is read. */
  sniff(lines: readonly (string | null)[]): void {
    if (this.body === undefined) return;
    const { delimiter, reader } = this.body;
    for (const line of lines) if (line !== null && !line.includes('"')) reader.sniff(line.split(delimiter));
  }

  /** The end of the file closes no quote. */
  end(): void {
    while (this.open.length > 0) this.giveUpOpen();
  }

  private pushHeader(line: string | null): void {
    if (this.line <= (this.options.skipRows ?? 0)) return;
    if (line === null)
      throw new RiverrunError('CSV_COLUMN', `line ${this.line}, the header, is longer than ${this.longest} characters`);
    if (this.header.length === 0 && line.trim() === '') return;
    this.header.push(line);
    const text = this.header.join('\n');
    const quotes = text.split('"').length - 1;
    if (quotes % 2 === 1 && this.header.length < 20) return;
    const { streamColumn, timeColumn, valueColumns, delimiter: given } = this.options;
    const wanted = [timeColumn, ...valueColumns, ...(streamColumn === undefined ? [] : [streamColumn])];
    const delimiter = given ?? detectDelimiter(text, wanted);
    const reader = new RowReader(headerNames(text, delimiter), delimiter, this.options);
    this.body = { delimiter, splitter: new RecordSplitter(delimiter), reader };
  }

  private pushLine(line: string, { splitter, reader }: NonNullable<CsvReader['body']>): void {
    if (this.open.length === 0 && line.trim() === '') return;
    const fields = splitter.push(line);
    if (fields === undefined) {
      this.open.push(line);
      this.openLength += line.length + 1;
      if (this.openLength > this.longest || this.open.length > MOST_LINES) this.giveUpOpen();
      return;
    }
    const row = reader.read(this.line - this.open.length, fields);
    if (row !== undefined) this.rows.push(row);
    this.open = [];
    this.openLength = 0;
  }

  private pushTooLong(): void {
    this.line--;
    this.end();
    this.line++;
    this.rows.push(reject(this.line, 'MALFORMED', `the line is longer than ${this.longest} characters`));
  }

  private giveUpOpen(): void {
    const [, ...again] = this.open;
    this.line -= again.length;
    this.open = [];
    this.openLength = 0;
    this.body?.splitter.reset();
    this.rows.push(reject(this.line, 'MALFORMED', 'a quoted field is not closed'));
    for (const line of again) this.push(line);
  }
}
