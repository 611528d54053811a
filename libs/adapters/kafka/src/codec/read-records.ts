import { RiverrunError } from '#domain/errors';
import type { RecordBatch } from '#domain/record-batch';
import { AbortedTransactions, isAbortMarker } from './aborted-transactions.js';
import { AT, ATTRIBUTE, readBatchHeader, SMALLEST_RECORD, type BatchHeader } from './batch-header.js';
import { compressionUnknown, recordsCorrupt, type LogPosition } from './codec-errors.js';
import { decompressRecords } from './compression.js';
import type { FetchedPartition, Isolation } from './fetch-response.js';
import { readSection, RecordColumns, type Section } from './record-columns.js';
import { MalformedRecords } from './varint-reader.js';

export interface ReadRecords {
  /** Undefined where no record is left to process. */
  readonly batch: RecordBatch | undefined;
  /** Where to fetch next: past everything understood. */
  readonly nextOffset: number;
  /** Where in the batch's bytes each record's headers begin, if asked for: see `readHeaders`. */
  readonly headersAt?: Int32Array;
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
  let unfolded = 0;
  try {
    for (let position = 0; position < records.length && unfolded < DECOMPRESSED_ENOUGH;) {
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
        if (section.bytes !== records) unfolded += section.end;
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
  try {
    if (isPassedOver(records, header, aborted) || count === 0) return undefined;
    const whole = { bytes: records, start: start + AT.records, end, header, resumeAt: at.offset };
    const codec = attributes & ATTRIBUTE.compression;
    const section = codec === 0 ? whole : decompressed(whole, codec);
    if (section === undefined) throw compressionUnknown(at, codec);
    const length = section.end - section.start;
    // Columns are allocated by the count, so it must be possible.
    if (count * SMALLEST_RECORD > length) throw new MalformedRecords(`${count} records in ${length} bytes`);
    return section;
  } catch (error) {
    throw error instanceof MalformedRecords ? recordsCorrupt(at, error.message, error.cause ?? error) : error;
  }
}

function isPassedOver(records: Buffer, header: BatchHeader, aborted: AbortedTransactions | undefined): boolean {
  const { start, attributes } = header;
  const isControl = (attributes & ATTRIBUTE.control) !== 0;
  if (aborted === undefined || !(attributes & (ATTRIBUTE.control | ATTRIBUTE.transactional))) return isControl;
  const producerId = records.readBigInt64BE(start + AT.producerId);
  const lastOffset = header.nextOffset - 1;
  if (!isControl) return aborted.has(producerId, lastOffset);
  if (isAbortMarker(records, header)) aborted.ended(producerId, lastOffset);
  return true;
}

function decompressed(section: Section, codec: number): Section | undefined {
  const bytes = decompressRecords(codec, section.bytes.subarray(section.start, section.end));
  return bytes && { ...section, bytes, start: 0, end: bytes.length };
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
  const columns = new RecordColumns(
    sections.reduce((sum, { header }) => sum + header.count, 0),
    withHeaders,
  );
  for (const section of sections) {
    const { bytes, resumeAt } = section;
    try {
      readSection(section, columns, fetchOffset);
    } catch (error) {
      if (!(error instanceof MalformedRecords)) throw error;
      if (resumeAt === fetchOffset) throw recordsCorrupt({ topic, partition, offset: resumeAt }, error.message, error);
      return { batch: columns.batch(topic, partition, bytes), nextOffset: resumeAt, ...columns.headers() };
    }
  }
  const batch = sections.length === 0 ? undefined : columns.batch(topic, partition, sections[0].bytes);
  return { batch, nextOffset, ...columns.headers() };
}
