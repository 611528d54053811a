/** Lines to records of fields, RFC 4180 with the leniency spreadsheets need: a quote counts only at the start of a field; `""` inside is one quote. */
export class RecordSplitter {
  private fields: string[] = [];
  private field = '';
  private open = false;

  constructor(private readonly delimiter: string) {}

  /** Whether a quoted field goes on in the next line. */
  get unfinished(): boolean {
    return this.open;
  }

  /** The record, or undefined while a quoted field is open. */
  push(line: string): string[] | undefined {
    if (!this.open && !line.includes('"')) return line.split(this.delimiter);
    let at = 0;
    if (this.open) {
      this.field += '\n';
      at = this.quoted(line, 0);
      if (at < 0) return undefined;
    }
    for (;;) {
      if (line[at] === '"' && this.field === '') {
        at = this.quoted(line, at + 1);
        if (at < 0) return undefined;
      }
      // Behind the closing quote there should be nothing; what is there belongs to the field.
      const end = line.indexOf(this.delimiter, at);
      this.fields.push(this.field + line.slice(at, end < 0 ? undefined : end));
      this.field = '';
      if (end < 0) break;
      at = end + 1;
    }
    const record = this.fields;
    this.fields = [];
    return record;
  }

  /** Forgets an unfinished record. */
  reset(): void {
    [this.fields, this.field, this.open] = [[], '', false];
  }

  /** Takes quoted text from `at` on; returns the place behind the closing quote, or -1 where the line ends first. */
  private quoted(line: string, at: number): number {
    this.open = true;
    for (;;) {
      const quote = line.indexOf('"', at);
      if (quote < 0) {
        this.field += line.slice(at);
        return -1;
      }
      this.field += line.slice(at, quote);
      if (line[quote + 1] !== '"') {
        this.open = false;
        return quote + 1;
      }
      this.field += '"';
      at = quote + 2;
    }
  }
}

const DELIMITERS = [',', ';', '\t', '|'];

/** The delimiter under which most of the wanted columns appear in the header; among equals the one that makes most columns. */
export function detectDelimiter(header: string, wanted: readonly string[]): string {
  const scored = DELIMITERS.map((delimiter) => {
    const names = new Set(headerNames(header, delimiter));
    return { delimiter, found: wanted.filter((name) => names.has(name)).length, columns: names.size };
  });
  return scored.sort((a, b) => b.found - a.found || b.columns - a.columns)[0].delimiter;
}

export function headerNames(header: string, delimiter: string): string[] {
  const splitter = new RecordSplitter(delimiter);
  let fields: string[] | undefined;
  for (const line of header.split('\n')) fields = splitter.push(line);
  return (fields ?? []).map((name) => name.trim());
}
