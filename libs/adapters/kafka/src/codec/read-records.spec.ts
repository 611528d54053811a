import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyOf, valueOf, type RecordBatch } from '#domain/record-batch';
import { RiverrunError } from '#domain/errors';
import { drawnLog, Log, withLengthAndChecksum, type DrawnBatch, type Row } from '../../testing/log-model.js';
import { fastCodec, stockCodec } from './codec.js';
import type { FetchedPartition, Isolation } from './fetch-response.js';
import { readRecords } from './read-records.js';

const RUNS = Number(process.env.CODEC_RUNS ?? 200);
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

/** An offset from just before the log to just past it. */
const offsetIn = (log: Log, share: number): number =>
  Math.max(0, Math.round(log.firstOffset - 2 + share * (log.endOffset - log.firstOffset + 4)));
const share = fc.double({ min: 0, max: 1, noNaN: true });

describe('readRecords', () => {
  it('gives the rows of the log, as kafkajs does', async () => {
    await fc.assert(
      fc.asyncProperty(drawnLog, share, fc.nat({ max: 2 }), isolation, async (drawn, where, early, level) => {
        const log = await Log.of(drawn);
        const fetchOffset = offsetIn(log, where);
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

  it('takes any bytes: valid rows or a coded error, and never a look beyond the set', async () => {
    await fc.assert(
      fc.asyncProperty(
        drawnLog,
        fc.array(fc.record({ where: share, byte: fc.nat(255) }), { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        share,
        isolation,
        async (drawn, damages, checksumFits, where, level) => {
          const log = await Log.of(drawn);
          const pieces = log.batches.map(({ bytes }) => Buffer.from(bytes));
          for (const { where, byte } of damages) {
            const piece = pieces[Math.floor(where * 0.999 * pieces.length)];
            const at = Math.floor(((where * 0.999 * pieces.length) % 1) * piece.length);
            piece[at] = byte;
          }
          if (checksumFits) pieces.forEach(withLengthAndChecksum);
          const fetchOffset = offsetIn(log, where);
          const set = Buffer.concat(pieces);
          const [one, other] = [0x00, 0xff].map((around) => {
            const wide = Buffer.alloc(set.length + 128, around);
            set.copy(wide, 64);
            return outcome({ ...log.fetch(0), records: wide.subarray(64, 64 + set.length) }, fetchOffset, level);
          });
          expect(one).toEqual(other);
        },
      ),
      { numRuns: 2 * RUNS },
    );
  });

  it('takes noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), fc.boolean(), (noise, magic, checksum) => {
        const records = Buffer.from(noise);
        if (magic && records.length > 16) records[16] = 2;
        if (checksum && records.length > 61) withLengthAndChecksum(records);
        outcome({ ...empty, records }, 0, 'read_committed');
      }),
      { numRuns: 2 * RUNS },
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
      'a compression yet to come',
      'KAFKA_COMPRESSION',
      /compression 5/,
      (b) => {
        b.writeInt16BE(5, 21);
        withLengthAndChecksum(b);
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

/** The outcome of reading whatever it is; fails unless it is rows in order within the bytes, or a coded error. */
function outcome(fetched: FetchedPartition, fetchOffset: number, level: Isolation): unknown {
  try {
    const { batch, nextOffset } = readRecords(fetched, fetchOffset, level);
    expect(nextOffset).toBeGreaterThanOrEqual(fetchOffset);
    const rows = rowsOf(batch);
    let before = fetchOffset - 1;
    for (const { offset } of rows) {
      expect(offset).toBeGreaterThan(before);
      expect(offset).toBeLessThan(nextOffset);
      before = offset;
    }
    for (let i = 0; i < rows.length; i++) {
      const { keyStart, keyEnd, valueStart, valueEnd, bytes } = batch!;
      expect(keyEnd[i]).toBeGreaterThanOrEqual(keyStart[i]);
      expect(valueEnd[i]).toBeGreaterThanOrEqual(valueStart[i]);
      expect(Math.max(keyEnd[i], valueEnd[i])).toBeLessThanOrEqual(bytes.length);
    }
    return { rows, nextOffset };
  } catch (error) {
    if (!(error instanceof RiverrunError)) throw error;
    expect(['KAFKA_RECORDS_CORRUPT', 'KAFKA_COMPRESSION', 'KAFKA_FORMAT']).toContain(error.code);
    return error.message;
  }
}
