import { formatUnknown, recordsCorrupt, type LogPosition } from './codec-errors.js';
import { crc32c } from './crc32c.js';
import { readInt64 } from './protocol-bytes.js';

/** Where the fields of a record batch of magic 2 lie. */
export const AT = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
  records: 61,
} as const;

export const ATTRIBUTE = { compression: 7, logAppendTime: 8, transactional: 16, control: 32 } as const;

/** The smallest record: length, attributes, two deltas, null key, null value, no headers. */
export const SMALLEST_RECORD = 7;

export interface BatchHeader {
  readonly start: number;
  readonly end: number;
  readonly baseOffset: number;
  /** The offset after the batch's last, which counts records that compaction removed. */
  readonly nextOffset: number;
  readonly attributes: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly count: number;
}

/**
 * Header of the batch that starts at byte `start`, its checksum verified; undefined where the set was cut off within
 * the batch. `expected` is the offset the batch may not lie before: offsets are outside the checksum.
 */
export function readBatchHeader(
  records: Buffer,
  start: number,
  expected: number,
  at: LogPosition,
): BatchHeader | undefined {
  const rest = records.length - start;
  if (rest <= AT.magic) return undefined;
  const magic = records.readInt8(start + AT.magic);
  if (magic !== 2) throw formatUnknown(at, magic);
  const length = records.readInt32BE(start + AT.length);
  if (length < AT.records - AT.leaderEpoch) throw recordsCorrupt(at, `a record batch of ${length} bytes`);
  const end = start + AT.leaderEpoch + length;
  if (end > records.length) return undefined;

  const stated = records.readUInt32BE(start + AT.crc);
  const computed = crc32c(records, start + AT.attributes, end);
  if (stated !== computed) {
    throw recordsCorrupt(at, `the record batch says CRC-32C ${hex(stated)}, its bytes give ${hex(computed)}`);
  }
  const baseOffset = readInt64(records, start + AT.baseOffset);
  const lastOffsetDelta = records.readInt32BE(start + AT.lastOffsetDelta);
  const count = records.readInt32BE(start + AT.count);
  const attributes = records.readInt16BE(start + AT.attributes);
  const nextOffset = baseOffset + lastOffsetDelta + 1;
  if (baseOffset < expected || lastOffsetDelta < 0 || nextOffset > Number.MAX_SAFE_INTEGER) {
    throw recordsCorrupt(at, `a record batch of offsets ${baseOffset} to ${nextOffset - 1} after ${expected - 1}`);
  }
  if (count < 0 || count > lastOffsetDelta + 1) {
    throw recordsCorrupt(at, `a record batch of ${count} records in ${lastOffsetDelta + 1} offsets`);
  }
  return {
    start,
    end,
    baseOffset,
    nextOffset,
    attributes,
    baseTimestamp: readInt64(records, start + AT.baseTimestamp),
    maxTimestamp: readInt64(records, start + AT.maxTimestamp),
    count,
  };
}

const hex = (value: number): string => value.toString(16).padStart(8, '0');
