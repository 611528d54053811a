import { createRequire } from 'node:module';
import { RiverrunError } from '#domain/errors';
import { RecordBatchBuilder, type RecordBatch } from '#domain/record-batch';
import { AT, ATTRIBUTE, SMALLEST_RECORD } from './batch-header.js';
import type { BatchWriter, KafkaCodec } from './codec.types.js';
import { compressionUnknown, formatUnknown, recordsCorrupt, type LogPosition } from './codec-errors.js';
import { decompressRecords } from './compression.js';
import type { AbortedTransaction, FetchedPartition, Isolation } from './fetch-response.js';
import type { ReadRecords } from './read-records.js';
import type { BatchFields, RecordHeaders } from './record-batch-writer.js';

const KAFKAJS_VERSION = '2.2.4';

interface StockRecord {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}
interface StockBatch {
  readonly firstOffset: string;
  readonly lastOffsetDelta: number;
  readonly producerId: string;
  readonly inTransaction: boolean;
  readonly isControlBatch: boolean;
  readonly records: readonly StockRecord[];
}
interface Kafkajs {
  readonly Decoder: new (bytes: Buffer) => { offset: number; readonly buffer: Buffer };
  readonly decodeBatch: (decoder: object) => Promise<StockBatch>;
  readonly crc32c: (bytes: Buffer) => number;
  readonly Record: (fields: object) => object;
  readonly RecordBatch: (fields: object) => Promise<{ readonly buffer: Buffer }>;
}

/** kafkajs keeps these in files of its own, which only this version is known to have. */
function loadKafkajs(): Kafkajs {
  const require = createRequire(import.meta.url);
  const { version } = require('kafkajs/package.json') as { version: string };
  if (version !== KAFKAJS_VERSION) {
    throw new RiverrunError(
      'KAFKAJS_VERSION',
      `the stock codec reaches into kafkajs ${KAFKAJS_VERSION} and found ${version}: run npm ci`,
    );
  }
  const load = (file: string): unknown => require(`kafkajs/src/protocol/${file}`);
  return {
    Decoder: load('decoder') as Kafkajs['Decoder'],
    decodeBatch: load('recordBatch/v0/decoder') as Kafkajs['decodeBatch'],
    crc32c: load('recordBatch/crc32C') as Kafkajs['crc32c'],
    Record: load('recordBatch/record/v0') as Kafkajs['Record'],
    RecordBatch: (load('recordBatch/v0') as { RecordBatch: Kafkajs['RecordBatch'] }).RecordBatch,
  };
}
let loaded: Kafkajs | undefined;
const kafkajs = (): Kafkajs => (loaded ??= loadKafkajs());

/** The way back: kafkajs' own decoder and encoder behind the same interface, an object per record. */
export const stockCodec: KafkaCodec = { readRecords: readStock, createWriter: () => new StockWriter() };

async function readStock(fetched: FetchedPartition, fetchOffset: number, isolation: Isolation): Promise<ReadRecords> {
  const { topic, partition, records } = fetched;
  const kept: StockRecord[] = [];
  const aborting = new AbortFilter(isolation === 'read_committed' ? fetched.abortedTransactions : []);
  let nextOffset = fetchOffset;
  for (let position = 0; position < records.length;) {
    const at = { topic, partition, offset: nextOffset };
    try {
      const bytes = wholeBatch(records, position, at);
      if (bytes === undefined) break;
      const batch = await decodeStock(bytes, at);
      if (aborting.keeps(batch)) kept.push(...batch.records.filter(({ offset }) => Number(offset) >= fetchOffset));
      nextOffset = Math.max(nextOffset, Number(batch.firstOffset) + batch.lastOffsetDelta + 1);
      position += bytes.length;
    } catch (error) {
      if (nextOffset > fetchOffset) break;
      throw error instanceof RiverrunError ? error : recordsCorrupt(at, 'kafkajs cannot decode it', error);
    }
  }
  return { batch: toColumns(topic, partition, kept), nextOffset };
}

function wholeBatch(records: Buffer, start: number, at: LogPosition): Buffer | undefined {
  const rest = records.subarray(start);
  if (rest.length > AT.magic && rest[AT.magic] !== 2) throw formatUnknown(at, rest.readInt8(AT.magic));
  const end = rest.length > AT.magic ? AT.leaderEpoch + rest.readInt32BE(AT.length) : Infinity;
  if (end < AT.records) throw recordsCorrupt(at, `a record batch of ${end - AT.leaderEpoch} bytes`);
  if (end <= rest.length) return rest.subarray(0, end);
  if (start === 0) throw recordsCorrupt(at, `${records.length} bytes that are no whole record batch`);
  return undefined;
}

async function decodeStock(bytes: Buffer, at: LogPosition): Promise<StockBatch> {
  if (kafkajs().crc32c(bytes.subarray(AT.attributes)) !== bytes.readUInt32BE(AT.crc)) {
    throw recordsCorrupt(at, 'the record batch does not match its CRC-32C');
  }
  const plain = uncompressed(bytes, at);
  // kafkajs allocates by the count.
  const [count, length] = [plain.readInt32BE(AT.count), plain.length - AT.records];
  if (count * SMALLEST_RECORD > length) throw recordsCorrupt(at, `${count} records in ${length} bytes`);
  return kafkajs().decodeBatch(new (kafkajs().Decoder)(plain));
}

/** kafkajs knows gzip only, and further codecs would have to be registered for the whole process. */
function uncompressed(bytes: Buffer, at: LogPosition): Buffer {
  const attributes = bytes.readInt16BE(AT.attributes);
  const codec = attributes & ATTRIBUTE.compression;
  if (codec === 0) return bytes;
  const isEmpty = bytes.readInt32BE(AT.count) === 0;
  const records = isEmpty ? Buffer.alloc(0) : decompressRecords(codec, bytes.subarray(AT.records));
  if (records === undefined) throw compressionUnknown(at, codec);
  const plain = Buffer.concat([bytes.subarray(0, AT.records), records]);
  plain.writeInt16BE(attributes & ~ATTRIBUTE.compression, AT.attributes);
  plain.writeInt32BE(plain.length - AT.leaderEpoch, AT.length);
  return plain;
}

class AbortFilter {
  private readonly seen = new Set<AbortedTransaction>();
  private readonly active = new Set<string>();

  constructor(private readonly transactions: readonly AbortedTransaction[]) {}

  keeps(batch: StockBatch): boolean {
    const lastOffset = Number(batch.firstOffset) + batch.lastOffsetDelta;
    const { producerId } = batch;
    for (const transaction of this.transactions) {
      if (this.seen.has(transaction) || transaction.firstOffset > lastOffset) continue;
      this.seen.add(transaction);
      this.active.add(String(transaction.producerId));
    }
    if (!batch.isControlBatch) return !(batch.inTransaction && this.active.has(producerId));
    const isAbort = batch.records[0]?.key?.readInt16BE(2) === 0;
    if (isAbort) this.active.delete(producerId);
    return false;
  }
}

function toColumns(topic: string, partition: number, records: readonly StockRecord[]): RecordBatch | undefined {
  if (records.length === 0) return undefined;
  const builder = new RecordBatchBuilder();
  for (const { key, value, timestamp } of records) builder.add(key, value, Number(timestamp));
  const offsets = Float64Array.from(records, ({ offset }) => Number(offset));
  return { ...builder.build(topic, partition, 0), offsets };
}

interface StockMessage {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Record<string, Buffer | Buffer[]>;
}

class StockWriter implements BatchWriter {
  private messages: StockMessage[] = [];
  private size: number = AT.records;

  get count(): number {
    return this.messages.length;
  }
  get byteLength(): number {
    return this.size;
  }

  add(
    key: Uint8Array | null,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array | null,
    valueStart: number,
    valueEnd: number,
    headers: RecordHeaders = [],
  ): void {
    const message = {
      key: key && Buffer.from(key.subarray(keyStart, keyEnd)),
      value: value && Buffer.from(value.subarray(valueStart, valueEnd)),
      headers: gatherHeaders(headers),
    };
    this.messages.push(message);
    this.size += (this.encode(message, this.count - 1) as { size(): number }).size();
  }

  clear(): void {
    this.messages = [];
    this.size = AT.records;
  }

  async finish(fields: BatchFields): Promise<Buffer> {
    const records = this.messages.map((message, i) => this.encode(message, i));
    this.clear();
    const batch = await kafkajs().RecordBatch({
      records,
      firstTimestamp: fields.timestamp,
      maxTimestamp: fields.timestamp,
      partitionLeaderEpoch: -1,
      lastOffsetDelta: records.length - 1,
      transactional: fields.transactional,
      producerId: fields.producerId,
      producerEpoch: fields.producerEpoch,
      firstSequence: fields.baseSequence,
    });
    return Buffer.from(batch.buffer);
  }

  private encode(message: StockMessage, offsetDelta: number): object {
    return kafkajs().Record({ ...message, offsetDelta });
  }
}

/** kafkajs takes repeated names as arrays, so it brings them together. */
function gatherHeaders(headers: RecordHeaders): Record<string, Buffer | Buffer[]> {
  const gathered = new Map<string, Buffer[]>();
  for (const [name, value] of headers) gathered.set(name, [...(gathered.get(name) ?? []), Buffer.from(value)]);
  return Object.fromEntries(gathered);
}
