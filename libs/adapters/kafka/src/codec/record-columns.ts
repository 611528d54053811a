import type { RecordBatch } from '#domain/record-batch';
import { ATTRIBUTE, type BatchHeader } from './batch-header.js';
import { MalformedRecords, VarintReader } from './varint-reader.js';

/** Records to be put into columns: `count` of them in bytes [start, end). */
export interface Section {
  bytes: Buffer;
  start: number;
  end: number;
  readonly header: BatchHeader;
  /** Where to fetch next, should this section turn out to be unreadable. */
  readonly resumeAt: number;
}

/** The columns of a RecordBatch while they are filled. */
export class RecordColumns {
  count = 0;
  readonly keyStart: Int32Array;
  readonly keyEnd: Int32Array;
  readonly valueStart: Int32Array;
  readonly valueEnd: Int32Array;
  readonly timestamps: Float64Array;
  readonly offsets: Float64Array;
  /** Where each record's headers begin, if asked for. */
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

/**
 * Puts a section's records at or after `fetchOffset` into the columns; MalformedRecords, with the columns as they were,
 * where its bytes are not so many records. The hot loop: no object and no BigInt per record.
 */
export function readSection(section: Section, columns: RecordColumns, fetchOffset: number): void {
  const { bytes, start, end, header } = section;
  const { count, baseOffset, baseTimestamp, maxTimestamp } = header;
  const { keyStart, keyEnd, valueStart, valueEnd, timestamps, offsets, headersAt } = columns;
  const appendTime = (header.attributes & ATTRIBUTE.logAppendTime) !== 0;
  const lastDelta = header.nextOffset - 1 - baseOffset;
  const reader = new VarintReader(bytes, start, end);
  let row = columns.count;
  let before = -1;
  for (let i = 0; i < count; i++) {
    const length = reader.int();
    const recordEnd = reader.position + length;
    if (recordEnd > end) throw new MalformedRecords(`a record of ${length} bytes, past the batch's end`);
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
