import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_PIPELINE, type PipelineSpec } from '#domain/pipeline-spec';
import { RecordBatchBuilder, type RecordBatch } from '#domain/record-batch';
import { decodeBatch, RowKind, type DecodedBatch } from './decode.js';
import { StreamTable } from './stream-table.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function batchOf(
  ...records: [key: string | Uint8Array | null, value: string | Uint8Array | null, timestamp?: number][]
): RecordBatch {
  const builder = new RecordBatchBuilder();
  const raw = (part: string | Uint8Array | null): Uint8Array | null => (typeof part === 'string' ? bytes(part) : part);
  for (const [key, value, timestamp] of records) builder.add(raw(key), raw(value), timestamp ?? 1_700_000_000_000);
  return builder.build('ticks', 0, 0);
}

function decode(batch: RecordBatch, fast = true, spec: PipelineSpec = DEFAULT_PIPELINE): DecodedBatch {
  const table = new StreamTable(64, spec.inputs.length);
  table.insert('known', 0);
  return decodeBatch(batch, table, { spec, vocabulary: undefined, maxRecordBytes: 1 << 20, fast });
}

const codeOf = (key: string | null, value: string | Uint8Array | null, spec = DEFAULT_PIPELINE): string | undefined =>
  decode(batchOf([key, value]), true, spec).deadLetters.get(0)?.code;

/** What came of record i, comparable between the two readings. */
const outcome = (batch: DecodedBatch, i: number): unknown => ({
  kind: batch.kind[i],
  slot: batch.slot[i],
  ts: batch.ts[i],
  value: batch.values[i],
  code: batch.deadLetters.get(i),
  cold: [...batch.cold].filter(([, rows]) => rows.includes(i)).map(([id]) => id),
});

describe('decodeBatch', () => {
  it('takes a tick', () => {
    const batch = decode(batchOf(['s12', '{"stream":"s12","ts":1700000000000,"value":0.1234}']));
    expect(outcome(batch, 0)).toMatchObject({
      kind: RowKind.tick,
      ts: 1_700_000_000_000,
      value: 0.1234,
      cold: ['s12'],
    });
  });

  it.each([
    ['{', 'MALFORMED'],
    ['', 'MALFORMED'],
    ['[1]', 'MALFORMED'],
    ['7', 'MALFORMED'],
    ['null', 'MALFORMED'],
    ['"x"', 'MALFORMED'],
    ['{"stream":"s","value":NaN}', 'MALFORMED'],
    ['{"stream":"s","value":Infinity}', 'MALFORMED'],
    ['{"stream":"s","value":1e400}', 'VALUE'],
    ['{"stream":"s","value":-1e39}', 'VALUE'],
    ['{"stream":"s","value":"1"}', 'VALUE'],
    ['{"stream":"s","value":true}', 'VALUE'],
    ['{"stream":"s","value":[1]}', 'VALUE'],
    ['{"stream":"s","values":3}', 'VALUE'],
    ['{"stream":"s","values":[1,2]}', 'VALUE'],
    ['{"stream":"s","token":"pizza"}', 'TOKEN'],
    ['{"stream":"","value":1}', 'STREAM_ID'],
    [`{"stream":"${'x'.repeat(257)}","value":1}`, 'STREAM_ID'],
    ['{"stream":7,"value":1}', 'STREAM_ID'],
    ['{"stream":null,"value":1}', 'STREAM_ID'],
    ['{"stream":"\\ud800","value":1}', 'STREAM_ID'],
    ['{"value":1}', 'STREAM_ID'],
    ['{"stream":"s","value":1,"ts":"yesterday"}', 'TIMESTAMP'],
    ['{"stream":"s","value":1,"ts":8640000000000000}', 'TIMESTAMP'],
    ['{"stream":"s","value":1,"ts":1e300}', 'TIMESTAMP'],
    ['{"stream":"s","value":1,"ts":{}}', 'TIMESTAMP'],
    ['{"stream":"s","control":"explode"}', 'MALFORMED'],
    [`${'['.repeat(10_000)}`, 'MALFORMED'],
  ])('rejects %s', (value, code) => {
    expect(codeOf(null, value)).toBe(code);
  });

  it('rejects what is not JSON text at all', () => {
    expect(codeOf('k', null)).toBe('TOMBSTONE');
    expect(codeOf(null, new Uint8Array([0x7b, 0xff, 0x7d]))).toBe('MALFORMED');
    expect(codeOf('a', '{"stream":"b","value":1}')).toBe('KEY_MISMATCH');
    expect(codeOf(null, bytes(`{"stream":"s","value":1,"x":"${'y'.repeat(1 << 20)}"}`))).toBe('TOO_LARGE');
  });

  it('ignores what it does not know, however odd', () => {
    const odd = [
      '{"stream":"s","value":1,"__proto__":{"value":2},"constructor":null}',
      `{"stream":"s","value":1,"deep":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
      '{"stream":"s","value":1,"value2":"x"} ',
      '{"value":1,"stream":"\\u0073"}',
    ];
    for (const value of odd)
      expect(outcome(decode(batchOf([null, value])), 0)).toMatchObject({ kind: RowKind.tick, value: 1, cold: ['s'] });
  });

  it('keeps the neighbours of a bad record exact', () => {
    const batch = decode(
      batchOf([null, '{"stream":"a","ts":1,"value":1}'], [null, '{{{'], [null, '{"stream":"b","ts":2,"value":2}']),
    );
    expect([outcome(batch, 0), outcome(batch, 2)]).toMatchObject([
      { cold: ['a'], value: 1 },
      { cold: ['b'], value: 2 },
    ]);
    expect([...batch.deadLetters.keys()]).toEqual([1]);
  });

  it('takes the record key and timestamp where the value names none', () => {
    expect(outcome(decode(batchOf(['k', '{"value":5}', 123])), 0)).toMatchObject({ ts: 123, cold: ['k'], value: 5 });
  });

  it('reads configured fields, units and zones', () => {
    const spec: PipelineSpec = {
      ...DEFAULT_PIPELINE,
      fields: { stream: '/meta/device', time: '/at', values: ['/m/t', '/m/h'] },
      inputs: ['temp', 'humidity'],
      timeUnit: 's',
      timeZone: 'America/New_York',
    };
    const batch = decode(
      batchOf(
        ['ignored', '{"meta":{"device":17},"at":1700000000.5,"m":{"t":1.5,"h":null}}'],
        [null, '{"meta":{"device":"x"},"at":"2014-07-01 00:30:00","m":{"t":1}}'],
      ),
      true,
      spec,
    );
    expect(outcome(batch, 0)).toMatchObject({ ts: 1_700_000_000_500, cold: ['17'] });
    expect(batch.ts[1]).toBe(Date.UTC(2014, 6, 1, 4, 30));
    expect([...batch.values]).toEqual([1.5, NaN, 1, NaN]);
  });

  it('reads the known shape fast and plainly with the same outcome, for every string of bytes', () => {
    const digits = fc.stringMatching(/^-?(0|[1-9]\d{0,18})(\.\d{1,18})?([eE][+-]?\d{1,3})?$/);
    const number = fc.oneof(
      digits,
      fc.double({ noNaN: true }).map(String),
      fc.constantFrom('NaN', '01', '1.', '.5', '-', '', 'null', '1e400', '-0', '8640000000000001'),
    );
    const name = fc.oneof(
      fc.constantFrom('s1', 'known', '', 'a"b', 'ü', 'a\\u0062', '\u0001'),
      fc.string({ maxLength: 12 }),
    );
    const field = fc.oneof(
      name.map((s) => `"stream":"${s}"`),
      name.map((s) => `"stream":${JSON.stringify(s)}`),
      number.map((n) => `"value":${n}`),
      number.map((n) => `"ts":${n}`),
      fc.constantFrom(
        '"x":1',
        '"stream":5',
        '"value":"1"',
        ' "value":1',
        '"value" :1',
        '"token":3',
        '"control":"reset"',
        '"values":[1]',
      ),
    );
    const record = fc.oneof(
      { weight: 8, arbitrary: fc.array(field, { maxLength: 5 }).map((fields) => bytes(`{${fields.join(',')}}`)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
      // One byte of a good record changed, dropped or doubled.
      {
        weight: 4,
        arbitrary: fc.tuple(fc.nat(60), fc.integer({ min: 0, max: 255 }), fc.nat(2)).map(([at, byte, how]) => {
          const good = [...bytes('{"stream":"s12","ts":1700000000000,"value":-0.1234}')];
          good.splice(at % good.length, how === 0 ? 1 : how - 1, ...(how === 2 ? [byte] : how === 1 ? [byte] : []));
          return Uint8Array.from(good);
        }),
      },
    );
    const key = fc.oneof(fc.constant(null), fc.constantFrom('s12', 's1', 'known', ''), fc.uint8Array({ maxLength: 4 }));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(key, record, fc.constantFrom(1_700_000_000_000, -1, NaN)), { minLength: 1, maxLength: 4 }),
        (records) => {
          const [fast, plain] = [decode(batchOf(...records), true), decode(batchOf(...records), false)];
          for (let i = 0; i < records.length; i++) expect(outcome(fast, i)).toEqual(outcome(plain, i));
        },
      ),
      { numRuns: 20_000 },
    );
  });
});
