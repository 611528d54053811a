import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Encoder, fetchRequest, fetchResponse, produceResponse } from '../../testing/kafkajs-internals.js';
import { decodeFetchResponse, encodeFetchRequest } from './fetch-response.js';
import { decodeProduceResponse, encodeProduceRequest } from './produce.js';

const topic = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 });
const int32 = fc.integer();
const int16 = fc.integer({ min: -32768, max: 32767 });
const int64 = fc.oneof(fc.integer({ min: -1, max: 100 }), fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 }));
const blob = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const encoder = (): Encoder => new Encoder();
const array = <T>(values: readonly T[] | null, element: (value: T) => Encoder): Encoder =>
  values === null ? encoder().writeInt32(-1) : encoder().writeArray(values.map(element));
/** Every way to cut `payload` short is told, and nothing is read beyond. */
const expectTold = (decode: (payload: Buffer) => unknown, payload: Buffer, cut: number): void => {
  expect(() => decode(payload.subarray(0, cut % payload.length))).toThrow(
    expect.objectContaining({ code: 'KAFKA_RESPONSE' }),
  );
};

describe('Fetch v11', () => {
  const asked = fc.record({
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: int32,
    isolation: fc.constantFrom('read_committed' as const, 'read_uncommitted' as const),
    topics: fc.array(
      fc.record({
        topic,
        partitions: fc.array(fc.record({ partition: int32, fetchOffset: int64, maxBytes: int32 }), { maxLength: 40 }),
      }),
      { maxLength: 4 },
    ),
  });

  it('asks in the bytes of kafkajs', async () => {
    await fc.assert(
      fc.asyncProperty(asked, async (fields) => {
        const { maxWaitMs, isolation, ...same } = fields;
        const isolationLevel = isolation === 'read_committed' ? 1 : 0;
        const stock = await fetchRequest({ ...same, replicaId: -1, maxWaitTime: maxWaitMs, isolationLevel }).encode();
        expect(hex(encodeFetchRequest(fields))).toBe(hex(stock.buffer));
      }),
    );
  });

  interface Fetched {
    readonly partition: number;
    readonly errorCode: number;
    readonly highWatermark: number;
    readonly lastStableOffset: number;
    readonly logStartOffset: number;
    readonly abortedTransactions: { producerId: bigint; firstOffset: number }[] | null;
    readonly records: Buffer | null;
  }
  interface Answer {
    readonly clientSideThrottleTime: number;
    readonly errorCode: number;
    readonly topics: { topic: string; partitions: Fetched[] }[];
  }
  const aborted = fc.record({ producerId: fc.bigInt({ min: -1n, max: 2n ** 63n - 1n }), firstOffset: int64 });
  const fetched: fc.Arbitrary<Fetched> = fc.record({
    partition: int32,
    errorCode: int16,
    highWatermark: int64,
    lastStableOffset: int64,
    logStartOffset: int64,
    abortedTransactions: fc.option(fc.array(aborted, { maxLength: 3 })),
    records: fc.option(blob),
  });
  const answered: fc.Arbitrary<Answer> = fc.record({
    clientSideThrottleTime: int32,
    errorCode: int16,
    topics: fc.array(fc.record({ topic, partitions: fc.array(fetched, { maxLength: 3 }) }), { maxLength: 3 }),
  });
  const encode = ({ clientSideThrottleTime, errorCode, topics }: Answer, withRecords: boolean): Buffer =>
    encoder()
      .writeInt32(clientSideThrottleTime)
      .writeInt16(errorCode)
      .writeInt32(77)
      .writeEncoder(
        array(topics, ({ topic, partitions }) =>
          encoder()
            .writeString(topic)
            .writeEncoder(
              array(partitions, (p) =>
                encoder()
                  .writeInt32(p.partition)
                  .writeInt16(p.errorCode)
                  .writeInt64(p.highWatermark)
                  .writeInt64(p.lastStableOffset)
                  .writeInt64(p.logStartOffset)
                  .writeEncoder(
                    array(p.abortedTransactions, (a) => encoder().writeInt64(a.producerId).writeInt64(a.firstOffset)),
                  )
                  .writeInt32(-1)
                  .writeBytes(withRecords ? p.records : null),
              ),
            ),
        ),
      ).buffer;

  it('reads what kafkajs reads, and record sets as views', async () => {
    await fc.assert(
      fc.asyncProperty(answered, async (fields) => {
        // kafkajs would decode the record sets, which are no batches here.
        const stock = await fetchResponse.decode(encode(fields, false));
        const payload = encode(fields, true);
        const ours = decodeFetchResponse(payload);
        expect([ours.errorCode, ours.clientSideThrottleTime]).toEqual([stock.errorCode, stock.clientSideThrottleTime]);
        expect(ours.partitions.map(({ records: _, ...rest }) => rest)).toEqual(
          stock.responses.flatMap(({ topicName, partitions }) =>
            partitions.map((p) => ({
              topic: topicName,
              partition: p.partition,
              errorCode: p.errorCode,
              highWatermark: Number(p.highWatermark),
              lastStableOffset: Number(p.lastStableOffset),
              logStartOffset: Number(p.lastStartOffset),
              abortedTransactions: p.abortedTransactions.map(({ producerId, firstOffset }) => ({
                producerId: BigInt(producerId),
                firstOffset: Number(firstOffset),
              })),
            })),
          ),
        );
        const sent = fields.topics.flatMap(({ partitions }) => partitions.map(({ records }) => records));
        expect(ours.partitions.map(({ records }) => hex(records))).toEqual(sent.map((r) => hex(r ?? Buffer.alloc(0))));
        for (const { records } of ours.partitions) expect(records.buffer).toBe(payload.buffer);
      }),
    );
  });

  it('says so when the answer is cut off, wherever that is', () => {
    fc.assert(
      fc.property(answered, fc.nat(), (fields, cut) => {
        expectTold(decodeFetchResponse, encode(fields, true), cut);
      }),
    );
  });
});

describe('Produce v7', () => {
  const asked = fc.record({
    transactionalId: fc.option(topic),
    acks: int16,
    timeoutMs: int32,
    partitions: fc.uniqueArray(
      fc.record({ topic: fc.constantFrom('a', 'b', 'ü'), partition: fc.integer({ min: 0, max: 9 }), records: blob }),
      { selector: (p) => `${p.topic} ${p.partition}`, maxLength: 20 },
    ),
  });

  it('gathers the partitions by topic', () => {
    fc.assert(
      fc.property(asked, (fields) => {
        const { transactionalId, acks, timeoutMs, partitions } = fields;
        const topics = [...new Set(partitions.map((p) => p.topic))];
        const expected = encoder()
          .writeString(transactionalId)
          .writeInt16(acks)
          .writeInt32(timeoutMs)
          .writeEncoder(
            array(topics, (name) =>
              encoder()
                .writeString(name)
                .writeEncoder(
                  array(
                    partitions.filter((p) => p.topic === name),
                    (p) => encoder().writeInt32(p.partition).writeBytes(p.records),
                  ),
                ),
            ),
          );
        expect(hex(encodeProduceRequest(fields))).toBe(hex(expected.buffer));
      }),
    );
  });

  const produced = fc.record({ partition: int32, errorCode: int16, baseOffset: int64 });
  const answered = fc.array(fc.record({ topic, partitions: fc.array(produced, { maxLength: 3 }) }), { maxLength: 3 });
  type Topics = { topic: string; partitions: { partition: number; errorCode: number; baseOffset: number }[] }[];
  const encode = (topics: Topics): Encoder =>
    array(topics, ({ topic, partitions }) =>
      encoder()
        .writeString(topic)
        .writeEncoder(
          array(partitions, (p) =>
            encoder()
              .writeInt32(p.partition)
              .writeInt16(p.errorCode)
              .writeInt64(p.baseOffset)
              .writeInt64(-1)
              .writeInt64(0),
          ),
        ),
    );

  it('reads what kafkajs reads', async () => {
    await fc.assert(
      fc.asyncProperty(answered, async (topics) => {
        const payload = encode(topics).writeInt32(5).buffer;
        const stock = await produceResponse.decode(payload);
        expect(decodeProduceResponse(payload)).toEqual(
          stock.topics.flatMap(({ topicName, partitions }) =>
            partitions.map(({ partition, errorCode, baseOffset }) => ({
              topic: topicName,
              partition,
              errorCode,
              baseOffset: Number(baseOffset),
            })),
          ),
        );
      }),
    );
  });

  it('says so when the answer is cut off, wherever that is', () => {
    fc.assert(
      fc.property(answered, fc.nat(), (topics, cut) => {
        expectTold(decodeProduceResponse, encode(topics).buffer, cut);
      }),
    );
  });
});
