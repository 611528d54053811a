import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { parseTime } from '#pipeline/parse-time';
import { isReject, type CsvOptions, type CsvRow } from './csv.types.js';
import { readCsvTicks } from './read-csv-ticks.js';

const directory = mkdtempSync(join(tmpdir(), 'csv-'));
afterAll(() => rmSync(directory, { recursive: true }));
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

type Given = Partial<CsvOptions> & { pieces?: number };
async function* pieces(text: string | Buffer, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text as string);
  for (let i = 0; i < bytes.length; i += size) yield await Promise.resolve(bytes.subarray(i, i + size));
}
async function rows(text: string | Buffer, { pieces: size = 1 << 16, ...options }: Given = {}): Promise<CsvRow[]> {
  const all: CsvRow[] = [];
  const whole = { timeColumn: 't', valueColumns: ['v'], timeZone: 'UTC', parseTime, ...options };
  for await (const batch of readCsvTicks(pieces(text, size), whole)) all.push(...batch);
  return all;
}
const values = async (text: string, options?: Given) =>
  (await rows(text, options)).map((row) => (isReject(row) ? `${row.line} ${row.error.code}` : row.values[0]));

describe('records', () => {
  it('ticks with their line, stream, time and values', async () => {
    expect(
      await rows('id,t,v,w\na,2024-01-01,1.5,\nb,2024-01-02 06:00,-2e3,NA\n', {
        streamColumn: 'id',
        valueColumns: ['w', 'v'],
      }),
    ).toEqual([
      { line: 2, stream: 'a', ts: Date.UTC(2024, 0, 1), values: [NaN, 1.5] },
      { line: 3, stream: 'b', ts: Date.UTC(2024, 0, 2, 6), values: [NaN, -2000] },
    ]);
  });

  it.each([
    ['a byte order mark and CRLF', '\ufefft,v\r\n2024-01-01,1\r\n2024-01-02,2\r\n'],
    ['mixed line ends, no last one', 't,v\r\n2024-01-01,1\n2024-01-02,2'],
    ['CR alone', 't,v\r2024-01-01,1\r2024-01-02,2\r'],
    ['quotes', '"t","v"\n"2024-01-01","1"\n"2024-01-02",2\n'],
    ['semicolons', 't;v\n2024-01-01;1\n2024-01-02;2\n'],
    ['tabs and blank lines', '\nt\tv\n\n2024-01-01\t1\n  \n2024-01-02\t2\n\n'],
    ['a trailing delimiter', 't,v\n2024-01-01,1,\n2024-01-02,2,\n'],
    ['empty rows of a spreadsheet', 't,v\n2024-01-01,1\n,\n2024-01-02,2\n,\n'],
    ['other columns with delimiters and line ends inside', 'note,t,v\n"a, ""b""\nc",2024-01-01,1\nx,2024-01-02,2\n'],
    ['a quoted header of two lines', '"time\nof day, local",t,v\nx,2024-01-01,1\nx,2024-01-02,2\n'],
    ['inches', 'note,t,v\n5" pipe,2024-01-01,1\n6" pipe,2024-01-02,2\n'],
    ['UTF-16', Buffer.from('\ufefft;v\n2024-01-01;1\n2024-01-02;2\n', 'utf16le')],
  ])('%s', async (_, text) => {
    for (const size of [1, 3, 1 << 16]) {
      expect((await rows(text, { pieces: size })).map((row) => (isReject(row) ? row : row.values[0]))).toEqual([1, 2]);
    }
  });

  it('leaves rows out before the header', async () => {
    expect(await values('Report "of\n2024;;\nt,v\n2024-01-01,1\n', { skipRows: 2 })).toEqual([1]);
  });

  it('a bad record leaves its neighbours alone', async () => {
    const text =
      't,v\n2024-01-01,1\n2024-01-02\n2024-01-03,3,4,5\nsoon,4\n2024-02-30,4\n2024-01-05,five\n2024-01-06,1e999\n,7\n2024-01-08,8\n';
    expect(await values(text)).toEqual([
      1,
      '3 MALFORMED',
      '4 MALFORMED',
      '5 TIMESTAMP',
      '6 TIMESTAMP',
      '7 VALUE',
      '8 VALUE',
      '9 TIMESTAMP',
      8,
    ]);
    const [, short] = await rows(text);
    expect(short).toMatchObject({ error: { message: '1 fields where the header has 2' } });
  });

  it('an empty or endless stream id is refused', async () => {
    const text = `id,t,v\n,2024-01-01,1\n${'ü'.repeat(129)},2024-01-01,2\n${'ü'.repeat(128)},2024-01-01,3\n`;
    expect(await values(text, { streamColumn: 'id' })).toEqual(['2 STREAM_ID', '3 STREAM_ID', 3]);
  });

  it('a quote that is never closed costs its own line only', async () => {
    expect(await values('t,v\n2024-01-01,1\n2024-01-02,"2\n2024-01-03,3\n2024-01-04,4\n')).toEqual([
      1,
      '3 MALFORMED',
      3,
      4,
    ]);
    const long = Array.from({ length: 5000 }, (_, i) => `2024-01-01,${i}`).join('\n');
    const read = await values(`t,v\n"2024-01-01,1\n${long}\n`);
    expect([read.length, read[0], read[1], read.at(-1)]).toEqual([5001, '2 MALFORMED', 0, 4999]);
  });

  it('a line without end is refused in bounded memory', async () => {
    async function* endless(): AsyncGenerator<string> {
      yield 't,v\n2024-01-01,1\n2024-01-02,';
      for (let i = 0; i < 64; i++) yield await Promise.resolve('x'.repeat(1 << 20));
      yield '\n2024-01-03,3\n';
    }
    const read: CsvRow[] = [];
    for await (const batch of readCsvTicks(endless(), {
      timeColumn: 't',
      valueColumns: ['v'],
      timeZone: 'UTC',
      parseTime,
    }))
      read.push(...batch);
    expect(read.map((row) => (isReject(row) ? row.error.message : row.values[0]))).toEqual([
      1,
      'the line is longer than 1048576 characters',
      3,
    ]);
  });

  it('records that open a quote in every line do not take for ever', async () => {
    const started = performance.now();
    const read = await values(`t,v\n${'a","\n'.repeat(3000)}2024-01-01,"1"\n`);
    expect(read.length).toBeGreaterThan(1);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it(`random bytes never break it, SEED=${seed}`, async () => {
    const piece = fc.oneof(
      fc.constantFrom('"', ',', '\n', '\r\n', ';', '""', '2024-01-01', '1', 'é', '\0'),
      fc.string(),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 60 }), fc.integer({ min: 1, max: 20 }), async (parts, size) => {
        const text = `t,v\n${parts.join('')}\n2024-05-05,5\n`;
        const whole = await rows(text);
        expect(await rows(text, { pieces: size })).toEqual(whole);
        expect(whole.length).toBeGreaterThan(0);
      }),
      { seed, numRuns: 300 },
    );
  });
});

describe('numbers', () => {
  it('decimal commas are told from the cells', async () => {
    expect(await values('t;v\n1;1.234\n2;1.234,5\n3;3,5\n4;-0,25\n5;7\n6;,5\n')).toEqual([
      1234, 1234.5, 3.5, -0.25, 7, 0.5,
    ]);
    expect(await values('t\tv\n1\t12\n2\t3,5\n')).toEqual([12, 3.5]);
    expect(await values('t;v\n1;1.234\n2;3.5\n3;1,234.5\n')).toEqual([1.234, 3.5, 1234.5]);
    expect(await values('t;v\n1;3,5\n2;3.5\n')).toEqual([3.5, '3 VALUE']);
  });

  it('with commas between the fields, quoted commas group thousands', async () => {
    expect(await values('t,v\n1,"1,234.5"\n2,"3,5"\n')).toEqual([1234.5, '3 VALUE']);
    expect(await values('t,v\n1,"1.234,5"\n2,"3,5"\n', { decimalComma: true })).toEqual([1234.5, 3.5]);
  });

  it.each(['', ' ', 'NaN', 'nan', 'NA', 'n/a', 'null', 'NULL', 'None', '#N/A'])('%j is missing', async (word) => {
    expect(await values(`t,v\n1,${word}\n`)).toEqual([NaN]);
  });

  it.each(['0x10', 'Infinity', '-inf', '1_000', '12abc', '1 2', '--1', '5%'])('%j is no number', async (word) => {
    expect(await values(`t,v\n1,${word}\n`)).toEqual(['2 VALUE']);
  });
});

describe('times', () => {
  const times = async (texts: string[], options?: Given) =>
    (await rows(`t;v\n${texts.map((text) => `${text};1\n`).join('')}`, options)).map((row) =>
      isReject(row) ? row.error.code : row.ts,
    );

  it('the first bare number decides the unit for all', async () => {
    expect(await times(['1700000000', '0', '1700000000.5'])).toEqual([1.7e12, 0, 1700000000500]);
    expect(await times(['1700000000000', '86400000'])).toEqual([1.7e12, 86_400_000]);
    expect(await times(['86400000'], { timeUnit: 'ms' })).toEqual([86_400_000]);
    expect(await times(['1700000000123456789', '1700000000123456'], { timeUnit: 'ns' })).toEqual([
      1700000000123, 1700000000,
    ]);
  });

  it('the repeated hour in autumn, by stream', async () => {
    const text = ['a 02:00', 'b 02:00', 'a 02:30', 'b 02:30', 'a 02:00', 'b 02:00', 'a 02:30'].map(
      (at) => `${at[0]};2024-10-27 ${at.slice(2)};1`,
    );
    const read = await rows(`id;t;v\n${text.join('\n')}\n`, { streamColumn: 'id', timeZone: 'Europe/Berlin' });
    const first = Date.UTC(2024, 9, 27, 0);
    expect(read.map((row) => (isReject(row) ? NaN : (row.ts - first) / 60_000))).toEqual([0, 0, 30, 30, 60, 60, 90]);
  });

  it('the hour that spring leaves out is refused', async () => {
    expect(
      await times(['2024-03-31 01:30', '2024-03-31 02:30', '2024-03-31 03:30'], { timeZone: 'Europe/Berlin' }),
    ).toEqual([Date.UTC(2024, 2, 31, 0, 30), 'TIMESTAMP', Date.UTC(2024, 2, 31, 1, 30)]);
  });
});

describe('what cannot be read at all', () => {
  it.each([
    ['', 'CSV_EMPTY', 'the input is empty'],
    ['\n\n', 'CSV_EMPTY', 'the input is empty'],
    ['t,v\n', 'CSV_EMPTY', 'has a header but no rows'],
    ['time,v\n1,2\n', 'CSV_COLUMN', 'there is no column "t"; the columns are "time", "v"'],
    ['t,v,v\n1,2,3\n', 'CSV_COLUMN', 'there are several columns "v"'],
  ])('%j', async (text, code, message) => {
    await expect(rows(text)).rejects.toMatchObject({ code, message: expect.stringContaining(message) as string });
  });

  it('a file that is not there', async () => {
    const nowhere = readCsvTicks('/nowhere.csv', { timeColumn: 't', valueColumns: ['v'], timeZone: 'UTC', parseTime });
    await expect(nowhere.next()).rejects.toMatchObject({ code: 'CSV_FILE' });
  });
});

describe('cost', () => {
  it('a year of half hours in far less than half a second', async () => {
    const file = join(directory, 'year.csv');
    const lines = Array.from(
      { length: 17_520 },
      (_, i) => `${new Date(Date.UTC(2014, 0) + i * 1_800_000).toISOString().slice(0, 19)},${i % 48},s${i % 3}`,
    );
    writeFileSync(file, `t,v,id\n${lines.join('\n')}\n`);
    const started = performance.now();
    let count = 0;
    for await (const batch of readCsvTicks(file, {
      timeColumn: 't',
      valueColumns: ['v'],
      streamColumn: 'id',
      timeZone: 'Europe/London',
      parseTime,
    })) {
      count += batch.filter((row) => !isReject(row)).length;
    }
    const took = performance.now() - started;
    console.log(`17,520 rows in ${took.toFixed(0)} ms`);
    expect(count).toBe(17_520 - 2); // one hour of spring does not exist
    expect(took).toBeLessThan(500);
  });

  it('memory does not grow with the file', async () => {
    async function* large(): AsyncGenerator<string> {
      yield 't,v\n';
      const block = '2024-01-01 00:00,12.5\n'.repeat(3000);
      for (let i = 0; i < 1000; i++) yield await Promise.resolve(block); // 66 MB
    }
    let [count, most] = [0, 0];
    for await (const batch of readCsvTicks(large(), {
      timeColumn: 't',
      valueColumns: ['v'],
      timeZone: 'UTC',
      parseTime,
    })) {
      count += batch.length;
      if (count % 300_000 < 2000) most = Math.max(most, process.memoryUsage().heapUsed);
    }
    expect(count).toBe(3_000_000);
    expect(most).toBeLessThan(400e6);
  });
});
