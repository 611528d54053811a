export type ParseTime = (text: string, zone: string, after?: number) => number;
export type TimeUnit = 's' | 'ms' | 'us' | 'ns';

export interface CsvOptions {
  /** Without one all rows are one stream, called `stream`. */
  readonly streamColumn?: string | undefined;
  readonly stream?: string | undefined;
  readonly timeColumn: string;
  readonly valueColumns: readonly string[];
  /** IANA zone for times without an offset. */
  readonly timeZone: string;
  /** Unit of times that are bare numbers. Default: told from the size of the file's first one, and then kept. */
  readonly timeUnit?: TimeUnit | undefined;
  /** Default auto: told from the first cells that can tell, where the delimiter is `;` or a tab. */
  readonly decimalComma?: boolean | 'auto' | undefined;
  /** Lines to leave out before the header. */
  readonly skipRows?: number | undefined;
  readonly delimiter?: string | undefined;
  /** Rows a batch, at most. */
  readonly batchRows?: number | undefined;
  /** Longest record, in characters. */
  readonly maxRecord?: number | undefined;
  /** Reads a time that is no bare number: parseTime of libs/pipeline (adapters do not import it). */
  readonly parseTime: ParseTime;
}

export interface CsvTick {
  /** The line the record begins in, from 1. */
  readonly line: number;
  readonly stream: string;
  /** ms since 1970 */
  readonly ts: number;
  /** As valueColumns; NaN = missing. */
  readonly values: number[];
}

/** A record that is no tick; the records around it are unaffected. */
export interface CsvReject {
  readonly line: number;
  readonly error: { readonly code: 'MALFORMED' | 'STREAM_ID' | 'TIMESTAMP' | 'VALUE'; readonly message: string };
}

export type CsvRow = CsvTick | CsvReject;

export const isReject = (row: CsvRow): row is CsvReject => 'error' in row;
