import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readHeaders } from './read-headers.js';
import { readRecords } from './read-records.js';
import { RecordBatchWriter } from './record-batch-writer.js';

const part = fc.option(fc.uint8Array({ maxLength: 40 }), { nil: null });
const name = fc.string({ unit: 'grapheme', maxLength: 12 });

describe('headers of records', () => {
  it('are those that were written, whatever key and value are', () =>
    fc.assert(
      fc.property(
        fc.array(fc.record({ key: part, value: part, headers: fc.dictionary(name, name, { maxKeys: 4 }) }), {
          minLength: 1,
          maxLength: 9,
        }),
        fc.nat({ max: 8 }),
        (messages, skipped) => {
          const writer = new RecordBatchWriter();
          for (const { key, value, headers } of messages)
            writer.add(
              ...([key, 0, key?.length ?? 0, value, 0, value?.length ?? 0] as const),
              Object.entries(headers).map(([k, v]): [string, Uint8Array] => [k, Buffer.from(v)]),
            );
          const plain = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false, timestamp: 0 };
          const records = Buffer.from(writer.finish(plain));
          const fetched = {
            ...{ topic: 't', partition: 0, errorCode: 0, highWatermark: 9, lastStableOffset: 9, logStartOffset: 0 },
            ...{ abortedTransactions: [], records },
          };
          const from = skipped % messages.length;
          const { batch, headersAt } = readRecords(fetched, from, 'read_committed', true);
          const read = Array.from(headersAt!, (at) => Object.fromEntries(readHeaders(batch!.bytes, at)));
          expect(read).toEqual(messages.slice(from).map(({ headers }) => ({ ...headers })));
        },
      ),
    ));
});
