import { RiverrunError } from '#domain/errors';
import type { RecordBatch } from '#domain/record-batch';
import { AbortedTransactions, isAbortMarker } from './aborted-transactions.js';
import { AT, ATTRIBUTE, fitsRecords, readBatchHeader, type BatchHeader } from './batch-header.js';
import { compressionUnknown, recordsCorrupt, type LogPosition } from './codec-errors.js';
import { decompressRecords } from './compression.js';
import type { FetchedPartition, Isolation } from './fetch-response.js';
import { MalformedRecords, VarintReader } from './varint-reader.js';

export interface ReadRecords {
  /** Undefined where no record is left to process. */
  readonly batch: RecordBatch | undefined;
  /** Where to fetch next: past everything understood. */
  readonly nextOffset: number;
  /** Where in the batch's bytes each record's headers begin, if asked for: see `readHeaders`. */
  readonly headersAt?: Int32Array;
}

/** Records to be put into columns: `count` of them in bytes [start, end). */
interface Section {
  bytes: Buffer;
  start: number;
  end: number;
  readonly header: BatchHeader;
}

/** Once so much has been decompressed, the rest of the set is left for the next fetch. */
const DECOMPRESSED_ENOUGH = 64 * 1024 * 1024;

/**
 * The records of a fetched set at or after `fetchOffset`, as columns over the fetched bytes themselves (a copy only where
 * something is compressed). Control batches, aborted transactions (read_committed) and a last batch cut off are
 * passed over.
 *
 * RiverrunError KAFKA_RECORDS_CORRUPT, KAFKA_COMPRESSION or KAFKA_FORMAT for what cannot be read; what comes before it
 * is returned first, and the error is thrown when a fetch begins there.
 */
export function readRecords(
  fetched: FetchedPartition,
  fetchOffset: number,
  isolation: Isolation,
  withHeaders = false,
): ReadRecords {
  const { sections, error, nextOffset } = findSections(fetched, fetchOffset, isolation);
  if (error !== undefined && nextOffset === fetchOffset) throw error;
  joinBytes(sections);
  return readColumns(fetched, sections, fetchOffset, nextOffset, withHeaders);
}

function findSections(
  fetched: FetchedPartition,
  fetchOffset: number,
  isolation: Isolation,
): { sections: Section[]; error?: RiverrunError; nextOffset: number } {
  const { topic, partition, records, abortedTransactions } = fetched;
  const sections: Section[] = [];
  const aborted =
    isolation === 'read_committed' && abortedTransactions.length > 0
      ? new AbortedTransactions(abortedTransactions)
      : undefined;
  let nextOffset = fetchOffset;
  let logOffset = 0;
  let decompressed = 0;
  try {
    for (let position = 0; position < records.length && decompressed < DECOMPRESSED_ENOUGH;) {
      const at = { topic, partition, offset: nextOffset };
      const header = readBatchHeader(records, position, logOffset, at);
      if (header === undefined) {
        // A broker sends its first batch whole, however large: a lone piece would be fetched again for ever.
        if (position === 0) throw recordsCorrupt(at, `${records.length} bytes that are no whole record batch`);
        break;
      }
      const section = header.nextOffset <= fetchOffset ? undefined : readableSection(records, header, aborted, at);
      if (section !== undefined) {
        sections.push(section);
        if (section.bytes !== records) decompressed += section.end;
      }
      position = header.end;
      logOffset = header.nextOffset;
      nextOffset = Math.max(nextOffset, logOffset);
    }
  } catch (error) {
    if (!(error instanceof RiverrunError)) throw error;
    return { sections, error, nextOffset };
  }
  return { sections, nextOffset };
}

function readableSection(
  records: Buffer,
  header: BatchHeader,
  aborted: AbortedTransactions | undefined,
  at: LogPosition,
): Section | undefined {
  const { start, end, attributes, count } = header;
  const lastOffset = header.nextOffset - 1;
  try {
    if (attributes & ATTRIBUTE.control) {
      if (aborted !== undefined && isAbortMarker(records, start, end, count)) {
        aborted.ended(records.readBigInt64BE(start + AT.producerId), lastOffset);
      }
      return undefined;
    }
    if (aborted !== undefined && attributes & ATTRIBUTE.transactional) {
      if (aborted.has(records.readBigInt64BE(start + AT.producerId), lastOffset)) return undefined;
    }
    if (count === 0) return undefined;
    const codec = attributes & ATTRIBUTE.compression;
    if (codec === 0) return { bytes: records, start: start + AT.records, end, header };
    const bytes = decompressRecords(codec, records.subarray(start + AT.records, end));
    if (bytes === undefined) throw compressionUnknown(at, codec);
    return { bytes, start: 0, end: bytes.length, header };
  } catch (error) {
    throw error instanceof MalformedRecords ? recordsCorrupt(at, error.message, error.cause ?? error) : error;
  }
}

/** Brings the sections into one buffer, unless they are in one already. */
function joinBytes(sections: Section[]): void {
  if (sections.every(({ bytes }) => bytes === sections[0].bytes)) return;
  const arena = Buffer.allocUnsafe(sections.reduce((sum, { start, end }) => sum + end - start, 0));
  let position = 0;
  for (const section of sections) {
    const { bytes, start, end } = section;
    bytes.copy(arena, position, start, end);
    section.bytes = arena;
    section.start = position;
    section.end = position += end - start;
  }
}

function readColumns(
  fetched: FetchedPartition,
  sections: readonly Section[],
  fetchOffset: number,
  nextOffset: number,
  withHeaders: boolean,
): ReadRecords {
  const { topic, partition } = fetched;
  let capacity = 0;
  for (const { header, start, end } of sections) {
    if (fitsRecords(header.count, end - start)) capacity += header.count;
  }
  const columns = new Columns(capacity, withHeaders);
  let readTo = fetchOffset;
  for (const section of sections) {
    const { count } = columns;
    try {
      readSection(section, columns, fetchOffset);
    } catch (error) {
      const at = { topic, partition, offset: Math.max(fetchOffset, section.header.baseOffset) };
      if (readTo === fetchOffset) {
        throw error instanceof MalformedRecords ? recordsCorrupt(at, error.message, error) : error;
      }
      columns.count = count;
      return { batch: columns.batch(topic, partition, section.bytes), nextOffset: readTo, ...columns.headers() };
    }
    readTo = section.header.nextOffset;
  }
  const batch = sections.length === 0 ? undefined : columns.batch(topic, partition, sections[0].bytes);
  return { batch, nextOffset, ...columns.headers() };
}

class Columns {
  count = 0;
  readonly keyStart: Int32Array;
  readonly keyEnd: Int32Array;
  readonly valueStart: Int32Array;
  readonly valueEnd: Int32Array;
  readonly timestamps: Float64Array;
  readonly offsets: Float64Array;
  readonly headersAt: Int32Array | undefined;

  constructor(capacity: number, withHeaders: boolean) {
    if (withHeaders) this.headersAt = new Int32Array(capacity);
    this.keyStart = new Int32Array(capacity);
    this.keyEnd = new Int32Array(capacity);
    this.valueStart = new Int32Array(capacity);
    this.valueEnd = new Int32Array(capacity);
    this.timestamps = new Float64Array(capacity);
    this.offsets = new Float64Array(capacity);
  }

  headers(): { headersAt?: Int32Array } {
    return this.headersAt === undefined ? {} : { headersAt: this.headersAt.subarray(0, this.count) };
  }

  batch(topic: string, partition: number, bytes: Uint8Array): RecordBatch | undefined {
    const { count } = this;
    if (count === 0) return undefined;
    return {
      topic,
      partition,
      count,
      bytes,
      keyStart: this.keyStart.subarray(0, count),
      keyEnd: this.keyEnd.subarray(0, count),
      valueStart: this.valueStart.subarray(0, count),
      valueEnd: this.valueEnd.subarray(0, count),
      timestamps: this.timestamps.subarray(0, count),
      offsets: this.offsets.subarray(0, count),
    };
  }
}

/** The hot loop: no object and no BigInt per record. */
function readSection(section: Section, columns: Columns, fetchOffset: number): void {
  const { bytes, start, end, header } = section;
  const { count, baseOffset, baseTimestamp, maxTimestamp } = header;
  if (!fitsRecords(count, end - start)) throw new MalformedRecords(`${count} records in ${end - start} bytes`);
  const { keyStart, keyEnd, valueStart, valueEnd, timestamps, offsets, headersAt } = columns;
  const appendTime = (header.attributes & ATTRIBUTE.logAppendTime) !== 0;
  const lastDelta = header.nextOffset - 1 - baseOffset;
  const reader = new VarintReader(bytes, start, end);
  let row = columns.count;
  let before = -1;
  for (let i = 0; i < count; i++) {
    const length = reader.int();
    const recordEnd = reader.position + length;
    if (length < 0 || recordEnd > end) throw new MalformedRecords(`a record of ${length} bytes, past the batch's end`);
    reader.position++; // attributes: unused
    const timestampDelta = reader.long();
    const offsetDelta = reader.int();
    if (offsetDelta <= before || offsetDelta > lastDelta) {
      throw new MalformedRecords(`offset ${baseOffset + offsetDelta} out of order`);
    }
    before = offsetDelta;
    const keyLength = reader.int();
    const key = reader.position;
    if (keyLength > 0) reader.position += keyLength;
    const valueLength = reader.int();
    const value = reader.position;
    if (keyLength < -1 || valueLength < -1 || value + Math.max(0, valueLength) > recordEnd) {
      throw new MalformedRecords(`a record whose key or value does not fit`);
    }
    if (headersAt !== undefined) headersAt[row] = value + Math.max(0, valueLength);
    // On the path of ticks the headers are of no use.
    reader.position = recordEnd;
    if (baseOffset + offsetDelta < fetchOffset) continue;
    keyStart[row] = keyLength < 0 ? -1 : key;
    keyEnd[row] = keyLength < 0 ? -1 : key + keyLength;
    valueStart[row] = valueLength < 0 ? -1 : value;
    valueEnd[row] = valueLength < 0 ? -1 : value + valueLength;
    timestamps[row] = appendTime ? maxTimestamp : baseTimestamp + timestampDelta;
    offsets[row] = baseOffset + offsetDelta;
    row++;
  }
  if (reader.position !== end) throw new MalformedRecords(`${end - reader.position} bytes after the last record`);
  columns.count = row;
}
