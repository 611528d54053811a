import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { keyOf, valueOf, type RecordBatch } from '#domain/record-batch';
import { fastCodec, stockCodec } from './codec.js';
import { decodeFetchResponse, type FetchedPartition } from './fetch-response.js';

/* Bytes of real brokers and clients: test/fixtures/kafka/README.md says what they hold. */
const captured = (name: string): FetchedPartition => {
  const file = new URL(`../../../../../test/fixtures/kafka/${name}.fetch-v11.base64`, import.meta.url);
  return decodeFetchResponse(Buffer.from(readFileSync(file, 'utf8'), 'base64')).partitions[0];
};
const text = (part: Uint8Array | null): string | null => part && Buffer.from(part).toString();
const values = (batch: RecordBatch): (string | null)[] =>
  Array.from({ length: batch.count }, (_, i) => text(valueOf(batch, i)));
const codecs = { fastCodec, stockCodec };

describe.each(Object.entries(codecs))('%s', (_, codec) => {
  const compressed = ['gzip', 'snappy', 'lz4', 'zstd'];
  it.each(['librdkafka', 'java'].flatMap((client) => compressed.map((codec) => `${client}-${codec}`)))(
    'reads %s',
    async (name) => {
      const fetched = captured(name);
      const { batch, nextOffset } = await codec.readRecords(fetched, 0, 'read_committed');
      expect([batch!.count, nextOffset, fetched.highWatermark]).toEqual([1200, 1200, 1200]);
      for (let i = 0; i < 1200; i++) {
        const ts = 1_700_000_000_000 + 10 * i;
        const number = ((7919 * i) % 1000) / 1000;
        const value = Number.isInteger(number) ? number.toFixed(1) : String(number);
        expect({
          key: text(keyOf(batch!, i)),
          value: text(valueOf(batch!, i)),
          timestamp: batch!.timestamps[i],
          offset: batch!.offsets[i],
        }).toEqual({
          key: `s${i % 10}`,
          value: i % 97 === 0 ? null : `{"stream":"s${i % 10}","ts":${ts},"value":${value}}`,
          timestamp: i % 50 === 0 ? ts - 5000 : ts,
          offset: i,
        });
      }
    },
  );

  it("keeps what transactions committed, as librdkafka's consumer does", async () => {
    const all = await codec.readRecords(captured('transactions'), 0, 'read_uncommitted');
    const committed = await codec.readRecords(captured('transactions'), 0, 'read_committed');
    expect([...all.batch!.offsets]).toEqual([0, 1, 2, 3, 4, 5, 8, 9, 10, 12, 13, 15]);
    expect([...committed.batch!.offsets]).toEqual([0, 2, 3, 5, 8, 12, 13, 15]);
    expect(values(committed.batch!)).toEqual(values(all.batch!).filter((value) => !value!.includes('aborted')));
    expect([all.nextOffset, committed.nextOffset]).toEqual([17, 17]);
  });

  it("takes the broker's time where the topic has it so", async () => {
    const { batch } = await codec.readRecords(captured('appendtime'), 0, 'read_committed');
    expect(batch!.count).toBe(5);
    // The records themselves say 12345.
    for (const timestamp of batch!.timestamps) expect(timestamp).toBeGreaterThan(1_700_000_000_000);
  });
});
