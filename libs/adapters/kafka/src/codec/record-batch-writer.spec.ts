import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyOf, valueOf } from '#domain/record-batch';
import { fastCodec, stockCodec } from './codec.js';
import type { FetchedPartition } from './fetch-response.js';

const bytes = fc.uint8Array({ maxLength: 400 });
const record = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.option(fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), bytes), { maxLength: 3 }), { nil: undefined }),
});
const fields = fc.record({
  producerId: fc.bigInt({ min: -1n, max: 2n ** 62n }),
  producerEpoch: fc.integer({ min: -1, max: 32767 }),
  baseSequence: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
  transactional: fc.boolean(),
  timestamp: fc.integer({ min: -1, max: 2 ** 45 }),
});
const hex = (part: Uint8Array | null): string | null => part && Buffer.from(part).toString('hex');
const fetched = (records: Buffer): FetchedPartition => ({
  topic: 't',
  partition: 3,
  errorCode: 0,
  highWatermark: 1e6,
  lastStableOffset: 1e6,
  logStartOffset: 0,
  abortedTransactions: [],
  records,
});

describe('RecordBatchWriter', () => {
  it('writes what both codecs read back', async () => {
    const writer = fastCodec.createWriter();
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 200 }), fields, async (records, o) => {
        for (const { key, value, headers } of records) {
          // Each part in the midst of other bytes, as in a column's arena.
          const around = Buffer.concat([
            Buffer.from('xx'),
            key ?? Buffer.alloc(0),
            value ?? Buffer.alloc(0),
            Buffer.from('y'),
          ]);
          const keyEnd = 2 + (key?.length ?? 0);
          writer.add(key && around, 2, keyEnd, value && around, keyEnd, keyEnd + (value?.length ?? 0), headers);
        }
        const size = writer.byteLength;
        const batch = await writer.finish(o);
        expect(batch.length).toBe(size);
        expect(writer.count).toBe(0);
        for (const codec of [fastCodec, stockCodec]) {
          const read = await codec.readRecords(fetched(batch), 0, 'read_uncommitted');
          expect(read.nextOffset).toBe(records.length);
          const columns = read.batch!;
          expect(columns.count).toBe(records.length);
          records.forEach(({ key, value }, i) => {
            expect(hex(keyOf(columns, i))).toBe(hex(key));
            expect(hex(valueOf(columns, i))).toBe(hex(value));
            expect(columns.timestamps[i]).toBe(o.timestamp);
            expect(columns.offsets[i]).toBe(i);
          });
        }
      }),
    );
  });

  it('writes the very bytes that kafkajs writes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 30 }), fields, async (records, o) => {
        const [fast, stock] = [fastCodec.createWriter(), stockCodec.createWriter()];
        for (const writer of [fast, stock]) {
          for (const { key, value, headers } of records) {
            // kafkajs groups headers by name.
            const distinct = headers?.filter(([name], i) => headers.findIndex(([other]) => other === name) === i);
            writer.add(key, 0, key?.length ?? 0, value, 0, value?.length ?? 0, distinct);
          }
        }
        expect(fast.byteLength).toBe(stock.byteLength);
        expect((await fast.finish(o)).toString('hex')).toBe((await stock.finish(o)).toString('hex'));
      }),
    );
  });

  it('writes sizes about the steps of a varint as kafkajs does', async () => {
    const [fast, stock] = [fastCodec.createWriter(), stockCodec.createWriter()];
    for (const writer of [fast, stock]) {
      for (const size of [0, 62, 63, 64, 65, 8190, 8191, 8192, 8193, 1_048_575, 1_048_576]) {
        const value = Buffer.alloc(size, size);
        writer.add(value, 0, size, value, 0, size, [['', value]]);
        // Of a record of `size` bytes in all.
        if (size > 20) writer.add(null, 0, 0, value, 0, size - 8);
      }
      while (writer.count < 8200) writer.add(null, 0, 0, null, 0, 0);
    }
    const o = { producerId: 1n, producerEpoch: 2, baseSequence: 3, transactional: true, timestamp: 4 };
    expect(fast.byteLength).toBe(stock.byteLength);
    expect((await fast.finish(o)).equals(await stock.finish(o))).toBe(true);
  });

  it('starts afresh when cleared, and refuses an empty batch', async () => {
    const writer = fastCodec.createWriter();
    writer.add(null, 0, 0, Buffer.from('away'), 0, 4);
    writer.clear();
    expect([writer.count, writer.byteLength]).toEqual([0, 61]);
    const o = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false, timestamp: 4 };
    expect(() => writer.finish(o)).toThrow(/without records/);
    writer.add(null, 0, 0, Buffer.from('kept'), 0, 4);
    // A finished batch lies in the writer's arena, and is good until the writer is used again.
    const kept = hex(await writer.finish(o));
    writer.add(null, 0, 0, Buffer.from('a longer one'), 0, 12);
    expect(hex(await writer.finish(o))).not.toBe(kept);
    writer.add(null, 0, 0, Buffer.from('kept'), 0, 4);
    expect(hex(await writer.finish(o))).toBe(kept);
  });
});
