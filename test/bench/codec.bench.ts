/** Kafka's codec against kafkajs' own: 5,000 records of 70 bytes, checksum included. */
import { fastCodec, stockCodec } from '#adapters/kafka/codec/codec';
import type { BatchWriter, KafkaCodec } from '#adapters/kafka/codec/codec.types';

const RECORDS = 5000;
const VALUE_BYTES = 70;
/** Of half a millisecond each, where kafkajs takes fifty. */
const ROUNDS = 300;
const STOCK_ROUNDS = 5;

const keys = Array.from({ length: RECORDS }, (_, i) => Buffer.from(`s${i % 1000}`));
const values = Buffer.concat(
  Array.from({ length: RECORDS }, (_, i) => Buffer.from(`{"stream":"s${i % 1000}","value":${i}}`.padEnd(VALUE_BYTES))),
);
const fields = { producerId: 1n, producerEpoch: 0, baseSequence: 0, transactional: true, timestamp: 1_700_000_000_000 };

async function encode(writer: BatchWriter): Promise<Buffer> {
  for (let i = 0; i < RECORDS; i++) {
    writer.add(keys[i], 0, keys[i].length, values, VALUE_BYTES * i, VALUE_BYTES * (i + 1));
  }
  return await writer.finish(fields);
}

/** CPU time, the garbage collector's threads included: others' load on the machine does not count. */
async function microsPerRecord(rounds: number, run: () => unknown): Promise<number> {
  for (let round = 0; round < rounds / 5; round++) await run();
  const start = process.cpuUsage();
  for (let round = 0; round < rounds; round++) await run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / rounds / RECORDS;
}

export async function codecBench(): Promise<Record<string, number>> {
  const fetched = {
    topic: 'ticks',
    partition: 0,
    errorCode: 0,
    highWatermark: RECORDS,
    lastStableOffset: RECORDS,
    logStartOffset: 0,
    abortedTransactions: [],
    records: await encode(fastCodec.createWriter()),
  };
  const measure = async (codec: KafkaCodec, rounds: number): Promise<[number, number]> => {
    const writer = codec.createWriter();
    return [
      await microsPerRecord(rounds, () => codec.readRecords(fetched, 0, 'read_committed')),
      await microsPerRecord(rounds, () => encode(writer)),
    ];
  };
  const [decodeCpuMicros, encodeCpuMicros] = await measure(fastCodec, ROUNDS);
  const [stockDecode, stockEncode] = await measure(stockCodec, STOCK_ROUNDS);
  return {
    decodeCpuMicros,
    encodeCpuMicros,
    decodeTimesKafkajs: stockDecode / decodeCpuMicros,
    encodeTimesKafkajs: stockEncode / encodeCpuMicros,
  };
}
