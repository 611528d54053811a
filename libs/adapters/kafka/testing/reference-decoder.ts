/**
 * What a reader must make of any bytes at all: slow, strict, one field after the other, on BigInts. It shares with the
 * codec only the decompression.
 */
import type { FetchedPartition, Isolation } from '../src/codec/fetch-response.js';
import { decompressRecords } from '../src/codec/compression.js';
import { stockCrc32c } from './kafkajs-internals.js';
import type { Row } from './log-model.js';

export interface Reading {
  readonly rows: readonly Row[];
  readonly nextOffset: number;
  /** Code of the error that ends the reading; to be thrown where nothing comes before it. */
  readonly error?: string;
}

class Refused extends Error {
  constructor(readonly code = 'KAFKA_RECORDS_CORRUPT') {
    super(code);
  }
}
const must = (holds: boolean): void => {
  if (!holds) throw new Refused();
};

class Fields {
  position = 0;
  constructor(readonly bytes: Buffer) {}

  get left(): number {
    return this.bytes.length - this.position;
  }
  take(length: number): Buffer {
    must(length >= 0 && length <= this.left);
    this.position += length;
    return this.bytes.subarray(this.position - length, this.position);
  }
  varint(longestBytes: number): bigint {
    let value = 0n;
    for (let i = 0; ; i++) {
      must(i < longestBytes);
      const byte = this.take(1)[0];
      value |= BigInt(byte & 127) << BigInt(7 * i);
      if (byte < 128) break;
    }
    if (longestBytes === 5) value = BigInt.asUintN(32, value);
    return value & 1n ? -(value + 1n) / 2n : value / 2n;
  }
  int(): number {
    return Number(this.varint(5));
  }
  nullable(): Buffer | null {
    const length = this.int();
    must(length >= -1);
    return length < 0 ? null : this.take(length);
  }
}

export function referenceRead(fetched: FetchedPartition, fetchOffset: number, isolation: Isolation): Reading {
  const rows: Row[] = [];
  const set = new Fields(fetched.records);
  const active = new Set<bigint>();
  const filters = isolation === 'read_committed' && fetched.abortedTransactions.length > 0;
  let pending = filters ? fetched.abortedTransactions : [];
  let nextOffset = fetchOffset;
  let logOffset = 0n;
  try {
    while (set.left > 0) {
      const isFirst = set.position === 0;
      const batch = takeBatch(set);
      if (batch === undefined) {
        if (isFirst) throw new Refused();
        break;
      }
      const baseOffset = batch.readBigInt64BE(0);
      const lastDelta = batch.readInt32BE(23);
      const count = batch.readInt32BE(57);
      const attributes = batch.readUInt16BE(21);
      const producerId = batch.readBigInt64BE(43);
      const next = baseOffset + BigInt(lastDelta) + 1n;
      must(baseOffset >= logOffset && lastDelta >= 0 && next < 2n ** 53n && count >= 0 && count <= lastDelta + 1);

      if (next > BigInt(fetchOffset)) {
        for (const { producerId } of pending.filter(({ firstOffset }) => BigInt(firstOffset) < next)) {
          active.add(producerId);
        }
        pending = pending.filter(({ firstOffset }) => BigInt(firstOffset) >= next);
        const isControl = (attributes & 32) !== 0;
        const isAborted = (attributes & 16) !== 0 && active.has(producerId);
        if (isControl) {
          if (filters && isAbort(batch, count)) active.delete(producerId);
        } else if (!isAborted && count > 0) {
          rows.push(...takeRows(batch, count, lastDelta, attributes).filter(({ offset }) => offset >= fetchOffset));
        }
      }
      logOffset = next;
      nextOffset = Math.max(nextOffset, Number(next));
    }
  } catch (error) {
    if (error instanceof Refused) return { rows, nextOffset, error: error.code };
    throw error;
  }
  return { rows, nextOffset };
}

function takeBatch(set: Fields): Buffer | undefined {
  if (set.left < 17) return undefined;
  const rest = set.bytes.subarray(set.position);
  if (rest[16] !== 2) throw new Refused('KAFKA_FORMAT');
  const length = rest.readInt32BE(8);
  must(length >= 49);
  if (12 + length > rest.length) return undefined;
  const batch = set.take(12 + length);
  must(stockCrc32c(batch.subarray(21)) === batch.readUInt32BE(17));
  return batch;
}

function isAbort(batch: Buffer, count: number): boolean {
  if (count === 0) return false;
  const record = new Fields(batch.subarray(61));
  record.int();
  record.take(1);
  record.varint(10);
  record.int();
  return record.int() >= 4 && record.left >= 4 && record.take(4).readInt16BE(2) === 0;
}

function takeRows(batch: Buffer, count: number, lastDelta: number, attributes: number): Row[] {
  const section = new Fields(recordsOf(batch, attributes & 7));
  const rows: Row[] = [];
  let before = -1;
  for (let i = 0; i < count; i++) {
    const record = new Fields(section.take(section.int()));
    record.take(1);
    const timestampDelta = record.varint(10);
    const delta = record.int();
    must(delta > before && delta <= lastDelta);
    before = delta;
    const [key, value] = [record.nullable(), record.nullable()];
    rows.push({
      key: key && key.toString('hex'),
      value: value && value.toString('hex'),
      timestamp: Number(attributes & 8 ? batch.readBigInt64BE(35) : batch.readBigInt64BE(27) + timestampDelta),
      offset: Number(batch.readBigInt64BE(0)) + delta,
    });
  }
  must(section.left === 0);
  return rows;
}

function recordsOf(batch: Buffer, codec: number): Buffer {
  const bytes = batch.subarray(61);
  if (codec === 0) return bytes;
  let plain: Buffer | undefined;
  try {
    plain = decompressRecords(codec, bytes);
  } catch {
    throw new Refused();
  }
  if (plain === undefined) throw new Refused('KAFKA_COMPRESSION');
  return plain;
}
