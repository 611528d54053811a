import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyOf, valueOf, type RecordBatch } from '#domain/record-batch';
import type { RiverrunError } from '#domain/errors';
import {
  drawnLog,
  drawnSmallLog,
  drawnTransactions,
  emptied,
  producerId,
  Log,
  withChecksum,
  withLength,
  type DrawnBatch,
  type Row,
} from '../../testing/log-model.js';
import { referenceRead } from '../../testing/reference-decoder.js';
import { fastCodec, stockCodec } from './codec.js';
import type { FetchedPartition, Isolation } from './fetch-response.js';
import { readRecords, type ReadRecords } from './read-records.js';

const RUNS = Number(process.env.CODEC_RUNS ?? 100);
const isolation = fc.constantFrom<Isolation[]>('read_committed', 'read_uncommitted');
const hex = (part: Uint8Array | null): string | null => part && Buffer.from(part).toString('hex');

function rowsOf(batch: RecordBatch | undefined): Row[] {
  if (batch === undefined) return [];
  expect(batch.count).toBeGreaterThan(0);
  for (const column of [batch.keyStart, batch.keyEnd, batch.valueStart, batch.valueEnd, batch.timestamps]) {
    expect(column.length).toBe(batch.count);
  }
  return Array.from({ length: batch.count }, (_, i) => ({
    key: hex(keyOf(batch, i)),
    value: hex(valueOf(batch, i)),
    timestamp: batch.timestamps[i],
    offset: batch.offsets[i],
  }));
}

const share = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
/** An offset from just before the log to just past it, half of them about the edge of a batch. */
const whereIn = fc.oneof(
  share.map((part) => (log: Log) => log.firstOffset - 2 + Math.round(part * (log.endOffset - log.firstOffset + 4))),
  fc.tuple(share, fc.integer({ min: -1, max: 1 })).map(([part, beside]) => (log: Log) => {
    const edges = [log.firstOffset, ...log.batches.map(({ nextOffset }) => nextOffset)];
    return edges[Math.floor(part * edges.length)] + beside;
  }),
);

describe('readRecords', () => {
  it('gives the rows of the log, as kafkajs does', async () => {
    await fc.assert(
      fc.asyncProperty(drawnLog, whereIn, fc.nat({ max: 2 }), isolation, async (drawn, where, early, level) => {
        const log = await Log.of(drawn);
        const fetchOffset = Math.max(0, where(log));
        const fetched = log.fetch(fetchOffset, early);
        const expected = {
          rows: log.rows(fetchOffset, level),
          nextOffset: fetched.records.length === 0 ? fetchOffset : Math.max(fetchOffset, log.endOffset),
        };
        for (const codec of [fastCodec, stockCodec]) {
          const { batch, nextOffset } = await codec.readRecords(fetched, fetchOffset, level);
          expect({ rows: rowsOf(batch), nextOffset }).toEqual(expected);
          expect(batch?.topic ?? 'ticks').toBe('ticks');
          expect(batch?.partition ?? 3).toBe(3);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('gives every row once over any sequence of fetches, however they are cut off', async () => {
    await fc.assert(
      fc.asyncProperty(
        drawnLog,
        fc.array(share, { minLength: 1, maxLength: 5 }),
        isolation,
        async (drawn, cuts, level) => {
          const log = await Log.of(drawn);
          for (const codec of [fastCodec, stockCodec]) {
            const rows: Row[] = [];
            let offset = log.firstOffset;
            for (let turn = 0; offset < log.endOffset; turn++) {
              const whole = log.fetch(offset);
              // A broker sends its first batch whole.
              const first = 12 + whole.records.readInt32BE(8);
              const cut = first + Math.round(cuts[turn % cuts.length] * (whole.records.length - first));
              const fetched = { ...whole, records: whole.records.subarray(0, cut) };
              const { batch, nextOffset } = await codec.readRecords(fetched, offset, level);
              rows.push(...rowsOf(batch));
              expect(nextOffset).toBeGreaterThan(offset);
              offset = nextOffset;
            }
            expect(rows).toEqual(log.rows(log.firstOffset, level));
          }
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('follows interleaved transactions from any offset on', async () => {
    await fc.assert(
      fc.asyncProperty(drawnTransactions, fc.nat(25), async (drawn, where) => {
        const log = await Log.of(drawn);
        const fetchOffset = where % (log.endOffset + 1);
        for (const codec of [fastCodec, stockCodec]) {
          const { batch, nextOffset } = await codec.readRecords(log.fetch(fetchOffset), fetchOffset, 'read_committed');
          expect({ rows: rowsOf(batch), nextOffset }).toEqual({
            rows: log.rows(fetchOffset, 'read_committed'),
            nextOffset: log.endOffset,
          });
        }
      }),
      { numRuns: 5 * RUNS },
    );
  });

  it('makes of any list of aborted transactions, true or not, what the reference makes of it', async () => {
    const lists = fc.array(fc.tuple(fc.nat(1), fc.nat(24)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(drawnTransactions, lists, fc.nat(24), fc.nat(12), async (drawn, list, where, lost) => {
        const log = await Log.of(drawn);
        const fetchOffset = where % (log.endOffset + 1);
        const abortedTransactions = list.map(([producer, firstOffset]) => ({
          producerId: producerId(producer),
          firstOffset,
        }));
        if (lost < log.batches.length) log.batches[lost].bytes = emptied(log.batches[lost].bytes);
        expectAsReference({ ...log.fetch(fetchOffset), abortedTransactions }, fetchOffset, 'read_committed');
      }),
      { numRuns: 10 * RUNS },
    );
  });

  it('copies nothing where nothing is compressed', async () => {
    await fc.assert(
      fc.asyncProperty(drawnLog, async (drawn) => {
        const batches = drawn.batches.map((batch) => ({ ...batch, compression: 'none' }));
        const log = await Log.of({ ...drawn, batches });
        const fetched = log.fetch(log.firstOffset);
        const { batch } = readRecords(fetched, log.firstOffset, 'read_uncommitted');
        if (batch !== undefined) expect(batch.bytes).toBe(fetched.records);
      }),
    );
  });

  const damage = fc.record({
    batch: share,
    at: fc.oneof(fc.integer({ min: -20, max: -1 }), fc.integer({ min: 0, max: 90 })),
    change: fc.oneof(
      fc.nat(7).map((bit) => (byte: number) => byte ^ (1 << bit)),
      fc.constantFrom(-1, 1, 2).map((more) => (byte: number) => byte + more),
      fc.constantFrom(0, 1, 3, 127, 128, 255).map((value) => () => value),
    ),
  });

  it('makes of damaged bytes what the reference makes of them', async () => {
    await fc.assert(
      fc.asyncProperty(
        drawnSmallLog,
        fc.array(damage, { minLength: 1, maxLength: 2 }),
        fc.boolean(),
        fc.option(fc.nat(80)),
        whereIn,
        isolation,
        async (drawn, damages, checksumFits, cut, where, level) => {
          const log = await Log.of(drawn);
          const pieces = log.batches.map(({ bytes }) => Buffer.from(bytes));
          for (const { batch, at, change } of damages) {
            const piece = pieces[Math.floor(batch * pieces.length)];
            const index = (at + piece.length) % piece.length;
            piece[index] = change(piece[index]);
            if (checksumFits && index >= 21) withChecksum(piece);
          }
          const set = Buffer.concat(pieces);
          const records = set.subarray(0, set.length - (cut ?? 0));
          const fetchOffset = Math.max(0, where(log));
          expectAsReference({ ...log.fetch(fetchOffset), records }, fetchOffset, level);
        },
      ),
      { numRuns: 20 * RUNS },
    );
  });

  it('makes of nearly right records and of noise what the reference makes of it', () => {
    // Records that are nearly right: small fields, each sometimes off by a little, in a batch whose checksum fits.
    const mostly = <T>(value: T, ...others: T[]): fc.Arbitrary<T> =>
      fc.oneof({ weight: 12, arbitrary: fc.constant(value) }, fc.constantFrom(value, ...others));
    const length = fc.integer({ min: -1, max: 3 });
    const nearRecord = fc
      .tuple(
        mostly(0, -3, -1, 1, 5),
        fc.nat(1),
        mostly(0, 1, -1),
        length,
        length,
        mostly(0, 1, -1, -2),
        mostly(0, 1, -1, -2),
      )
      .map(([lengthOff, step, deltaOff, key, value, keyOff, valueOff]) => (delta: number) => {
        const varint = (n: number): number => (n < 0 ? -2 * n - 1 : 2 * n);
        const part = (n: number, off: number): number[] => [varint(n + off), ...Array<number>(Math.max(0, n)).fill(65)];
        const body = [0, varint(step), varint(delta + deltaOff), ...part(key, keyOff), ...part(value, valueOff), 0];
        return [varint(body.length + lengthOff), ...body];
      });
    const nearBatch = fc
      .tuple(
        fc.array(nearRecord, { minLength: 1, maxLength: 3 }),
        mostly(0, -1, 1, 2 ** 30),
        mostly(0, -1, 1, 2 ** 30),
        mostly([], [0], [0, 0, 0, 1, 1, 0]),
      )
      .map(([records, countOff, deltaOff, trailing]) => (baseOffset: number) => {
        const head = Buffer.alloc(61);
        head[7] = baseOffset;
        head[16] = 2;
        head.writeInt32BE(records.length - 1 + deltaOff, 23);
        head.writeInt32BE(records.length + countOff, 57);
        return withLength(Buffer.concat([head, Buffer.from([...records.flatMap((of, i) => of(i)), ...trailing])]));
      });
    fc.assert(
      fc.property(fc.array(nearBatch, { minLength: 1, maxLength: 3 }), (batches) => {
        const records = Buffer.concat(batches.map((of, i) => of(4 * i)));
        expectAsReference({ ...empty, records }, 0, 'read_committed');
      }),
      { numRuns: 40 * RUNS },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (noise) => {
        expectAsReference({ ...empty, records: Buffer.from(noise) }, 0, 'read_committed');
      }),
    );
  });

  const empty: FetchedPartition = {
    topic: 'ticks',
    partition: 3,
    errorCode: 0,
    highWatermark: 9,
    lastStableOffset: 9,
    logStartOffset: 0,
    abortedTransactions: [],
    records: Buffer.alloc(0),
  };
  const drawn: DrawnBatch = {
    kind: 'plain',
    producer: 0,
    gap: 0,
    firstGap: 0,
    endGap: 0,
    timestamp: 0,
    maxTimestamp: 0,
    logAppendTime: false,
    compression: 'none',
    records: [{ key: null, value: Buffer.from('v'), headers: {}, timestampDelta: 0, gap: 0 }],
  };
  const batchOf = async (change: (batch: Buffer) => void): Promise<Buffer> => {
    const { batches } = await Log.of({ baseOffset: 7, batches: [drawn] });
    const batch = Buffer.from(batches[0].bytes);
    change(batch);
    return batch;
  };
  const refusals: [string, string, RegExp, (batch: Buffer) => void][] = [
    ['a bit that flipped', 'KAFKA_RECORDS_CORRUPT', /CRC-32C/, (b) => (b[b.length - 2] ^= 1)],
    ['a lone piece of a batch', 'KAFKA_RECORDS_CORRUPT', /no whole record batch/, (b) => b.writeInt32BE(9999, 8)],
    ['a length below the header', 'KAFKA_RECORDS_CORRUPT', /48 bytes/, (b) => b.writeInt32BE(48, 8)],
    ['message format v1', 'KAFKA_FORMAT', /message\.format\.version/, (b) => (b[16] = 1)],
    ['message format v0', 'KAFKA_FORMAT', /message\.format\.version/, (b) => (b[16] = 0)],
    ['a format yet to come', 'KAFKA_FORMAT', /Upgrade riverrun/, (b) => (b[16] = 3)],
    [
      'more records than fit',
      'KAFKA_RECORDS_CORRUPT',
      /1073741824 records in 8 bytes/,
      (b) => {
        b.writeInt32BE(2 ** 30, 23);
        b.writeInt32BE(2 ** 30, 57);
        withLength(b);
      },
    ],
    [
      'a compression yet to come',
      'KAFKA_COMPRESSION',
      /compression 5/,
      (b) => {
        b.writeInt16BE(5, 21);
        withLength(b);
      },
    ],
  ];
  it.each(refusals)('refuses %s', async (_, code, message, change) => {
    const records = await batchOf(change);
    for (const codec of [fastCodec, stockCodec]) {
      const reading = Promise.resolve().then(() => codec.readRecords({ ...empty, records }, 7, 'read_committed'));
      const error = await reading.then(
        () => undefined,
        (e: RiverrunError) => e,
      );
      expect(error).toMatchObject({ code, message: expect.stringContaining('ticks[3] at offset 7') as string });
      expect(error?.message).toMatch(message);
    }
  });

  it('refuses a record longer than its batch', async () => {
    const records = await batchOf((b) => {
      b[61] += 2;
      withLength(b);
    });
    expect(() => readRecords({ ...empty, records }, 7, 'read_committed')).toThrow(/past the batch's end/);
  });

  it('gives what comes before a damaged batch first, and refuses when a fetch begins there', async () => {
    const log = await Log.of({ baseOffset: 7, batches: [drawn, drawn] });
    const fetched = log.fetch(7);
    fetched.records[fetched.records.length - 2] ^= 1;
    for (const codec of [fastCodec, stockCodec]) {
      const { batch, nextOffset } = await codec.readRecords(fetched, 7, 'read_committed');
      expect([rowsOf(batch).map(({ offset }) => offset), nextOffset]).toEqual([[7], 8]);
      await expect(async () => codec.readRecords(fetched, 8, 'read_committed')).rejects.toMatchObject({
        code: 'KAFKA_RECORDS_CORRUPT',
        message: expect.stringContaining('at offset 8') as string,
      });
    }
  });
});

/** Beyond 2^52 a timestamp is not exact, and no tick's. */
const near = (rows: readonly Row[]): Row[] =>
  rows.map((row) => ({ ...row, timestamp: Math.abs(row.timestamp) < 2 ** 52 ? row.timestamp : Infinity }));

function expectAsReference(fetched: FetchedPartition, fetchOffset: number, level: Isolation): void {
  const { rows, nextOffset, error } = referenceRead(fetched, fetchOffset, level);
  const read = (): ReadRecords => readRecords(fetched, fetchOffset, level);
  if (error !== undefined && nextOffset === fetchOffset) {
    expect(read).toThrow(expect.objectContaining({ name: 'RiverrunError', code: error }));
    return;
  }
  const actual = read();
  expect({ rows: near(rowsOf(actual.batch)), nextOffset: actual.nextOffset }).toEqual({ rows: near(rows), nextOffset });
}
