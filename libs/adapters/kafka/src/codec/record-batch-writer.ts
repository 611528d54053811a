import { AT, ATTRIBUTE } from './batch-header.js';
import { crc32c } from './crc32c.js';
import { writeInt64 } from './protocol-bytes.js';

export type RecordHeaders = readonly (readonly [name: string, value: Uint8Array])[];

export interface BatchFields {
  /** -1n, with epoch and sequence -1, for a producer that is not idempotent. */
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly transactional: boolean;
  /** Of every record, ms since 1970. */
  readonly timestamp: number;
}

/** Attributes and timestamp delta, one zero byte each. */
const FIXED_BYTES = 2;
/** Room for the varints of one record: its length, offset, key, value and header counts. */
const VARINTS_ROOM = 32;

/** Writes records into an uncompressed batch of magic 2, in one pass over an arena that is kept from batch to batch. */
export class RecordBatchWriter {
  private arena: Buffer;
  private position: number = AT.records;
  private records = 0;

  constructor(initialBytes = 1 << 16) {
    this.arena = Buffer.allocUnsafe(initialBytes);
  }

  get count(): number {
    return this.records;
  }
  /** Size in bytes of the finished batch, were it finished now. */
  get byteLength(): number {
    return this.position;
  }

  /** Copies bytes [keyStart, keyEnd) of `key` and [valueStart, valueEnd) of `value`; null for no key, for a tombstone. */
  add(
    key: Uint8Array | null,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array | null,
    valueStart: number,
    valueEnd: number,
    headers?: RecordHeaders,
  ): void {
    const keyLength = key === null ? -1 : keyEnd - keyStart;
    const valueLength = value === null ? -1 : valueEnd - valueStart;
    const headerBytes = headers === undefined ? 1 : sizeOfHeaders(headers);
    const length =
      FIXED_BYTES +
      sizeOfVarint(this.records) +
      sizeOfVarint(keyLength) +
      Math.max(0, keyLength) +
      sizeOfVarint(valueLength) +
      Math.max(0, valueLength) +
      headerBytes;
    this.reserve(length + VARINTS_ROOM);
    const { arena } = this;
    let at = writeVarint(arena, this.position, length);
    arena[at++] = 0;
    arena[at++] = 0;
    at = writeVarint(arena, at, this.records);
    at = writeVarint(arena, at, keyLength);
    if (key !== null) at = copy(key, keyStart, keyEnd, arena, at);
    at = writeVarint(arena, at, valueLength);
    if (value !== null) at = copy(value, valueStart, valueEnd, arena, at);
    if (headers === undefined) arena[at++] = 0;
    else at = writeHeaders(arena, at, headers);
    this.position = at;
    this.records++;
  }

  clear(): void {
    this.position = AT.records;
    this.records = 0;
  }

  /** The batch with its checksum, in the arena: good until the writer is used again. It is cleared. At least one record. */
  finish(fields: BatchFields): Buffer {
    if (this.records === 0) throw new Error('a record batch without records: brokers refuse it');
    const batch = this.arena.subarray(0, this.position);
    writeInt64(batch, 0, AT.baseOffset);
    batch.writeInt32BE(batch.length - AT.leaderEpoch, AT.length);
    batch.writeInt32BE(-1, AT.leaderEpoch);
    batch[AT.magic] = 2;
    batch.writeInt16BE(fields.transactional ? ATTRIBUTE.transactional : 0, AT.attributes);
    batch.writeInt32BE(this.records - 1, AT.lastOffsetDelta);
    writeInt64(batch, fields.timestamp, AT.baseTimestamp);
    writeInt64(batch, fields.timestamp, AT.maxTimestamp);
    batch.writeBigInt64BE(fields.producerId, AT.producerId);
    batch.writeInt16BE(fields.producerEpoch, AT.producerEpoch);
    batch.writeInt32BE(fields.baseSequence, AT.baseSequence);
    batch.writeInt32BE(this.records, AT.count);
    batch.writeUInt32BE(crc32c(batch, AT.attributes, batch.length), AT.crc);
    this.clear();
    return batch;
  }

  private reserve(more: number): void {
    const needed = this.position + more;
    if (needed <= this.arena.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.arena.length));
    this.arena.copy(grown, 0, 0, this.position);
    this.arena = grown;
  }
}

function sizeOfVarint(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  return zigzag < 128 ? 1 : zigzag < 16_384 ? 2 : zigzag < 2_097_152 ? 3 : zigzag < 268_435_456 ? 4 : 5;
}

function writeVarint(to: Uint8Array, at: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  while (zigzag > 127) {
    to[at++] = (zigzag & 127) | 128;
    zigzag >>>= 7;
  }
  to[at++] = zigzag;
  return at;
}

/** A short run costs less in a plain loop than the view and the call of TypedArray.set. */
function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): number {
  if (end - start > 40) {
    to.set(from.subarray(start, end), at);
    return at + end - start;
  }
  for (let i = start; i < end; i++) to[at++] = from[i];
  return at;
}

function sizeOfHeaders(headers: RecordHeaders): number {
  let size = sizeOfVarint(headers.length);
  for (const [name, value] of headers) {
    const nameLength = Buffer.byteLength(name);
    size += sizeOfVarint(nameLength) + nameLength + sizeOfVarint(value.length) + value.length;
  }
  return size;
}

function writeHeaders(to: Buffer, start: number, headers: RecordHeaders): number {
  let at = writeVarint(to, start, headers.length);
  for (const [name, value] of headers) {
    const nameLength = Buffer.byteLength(name);
    at = writeVarint(to, at, nameLength);
    at += to.write(name, at, nameLength, 'utf8');
    at = writeVarint(to, at, value.length);
    at = copy(value, 0, value.length, to, at);
  }
  return at;
}
