/** A partition's log as batches to draw at random, its bytes by kafkajs' encoder, and the rows a reader must get. */
import fc from 'fast-check';
import type { FetchedPartition, Isolation } from '../src/codec/fetch-response.js';
import { recordBatch, record, stockCrc32c } from './kafkajs-internals.js';
import { stored } from './stored-compression.js';

interface DrawnRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
  readonly timestampDelta: number;
  /** Offsets that compaction left out before it. */
  readonly gap: number;
}
export interface DrawnBatch {
  readonly kind: 'plain' | 'transactional' | 'commit' | 'abort';
  readonly producer: number;
  readonly gap: number;
  /** Before the first record, within the batch: compaction has taken the rest. */
  readonly firstGap: number;
  readonly endGap: number;
  readonly timestamp: number;
  readonly maxTimestamp: number;
  readonly logAppendTime: boolean;
  readonly compression: string;
  readonly records: readonly DrawnRecord[];
}
export interface DrawnLog {
  readonly baseOffset: number;
  readonly batches: readonly DrawnBatch[];
}

const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const gap = fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 300 }));
const drawnRecord: fc.Arbitrary<DrawnRecord> = fc.record({
  key: fc.oneof(
    bytes(20),
    fc.constantFrom(null, Buffer.alloc(0), Buffer.alloc(4)), // four zeros: what an ABORT marker's key looks like
  ),
  value: fc.oneof(fc.constant(null), bytes(90), bytes(300)),
  headers: fc.dictionary(fc.string({ maxLength: 5 }), bytes(5), { maxKeys: 2 }),
  timestampDelta: fc.oneof(
    fc.integer({ min: -70, max: 70 }),
    fc.integer(),
    fc.integer({ min: -(2 ** 44), max: 2 ** 44 }),
  ),
  gap,
});
const drawnBatch: fc.Arbitrary<DrawnBatch> = fc.record({
  kind: fc.constantFrom('plain', 'transactional', 'transactional', 'commit', 'abort'),
  producer: fc.integer({ min: 0, max: 1 }),
  gap,
  firstGap: fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, fc.constant(2 ** 30)),
  endGap: gap,
  timestamp: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 2 ** 44 })),
  maxTimestamp: fc.integer({ min: 0, max: 2 ** 44 }),
  logAppendTime: fc.boolean(),
  compression: fc.oneof({ weight: 5, arbitrary: fc.constant('none') }, fc.constantFrom(...Object.keys(stored))),
  records: fc.oneof(fc.array(drawnRecord, { maxLength: 8 }), fc.array(drawnRecord, { minLength: 60, maxLength: 70 })),
});
export const drawnLog: fc.Arbitrary<DrawnLog> = fc.record({
  baseOffset: fc.constantFrom(0, 5, 2 ** 31 - 3, 2 ** 32 - 3, 2 ** 40 - 3, 2 ** 52),
  batches: fc.array(drawnBatch, { minLength: 1, maxLength: 10 }),
});
const SMALL_RECORD: DrawnRecord = { key: null, value: Buffer.from('v'), headers: {}, timestampDelta: 0, gap: 0 };
/** One or two records a batch, two producers, and nothing else that would hide the order of their transactions. */
export const drawnTransactions: fc.Arbitrary<DrawnLog> = fc.record({
  baseOffset: fc.constant(0),
  batches: fc.array(
    fc.record({
      kind: fc.constantFrom('plain', 'transactional', 'transactional', 'transactional', 'commit', 'abort'),
      producer: fc.integer({ min: 0, max: 1 }),
      gap: fc.constant(0),
      firstGap: fc.constant(0),
      endGap: fc.constant(0),
      timestamp: fc.constant(0),
      maxTimestamp: fc.constant(0),
      logAppendTime: fc.constant(false),
      compression: fc.constant('none'),
      records: fc.integer({ min: 1, max: 2 }).map((count) => Array<DrawnRecord>(count).fill(SMALL_RECORD)),
    }),
    { minLength: 1, maxLength: 12 },
  ),
});
/** A few records of a few bytes, so that damage hits what matters. */
export const drawnSmallLog: fc.Arbitrary<DrawnLog> = fc.record({
  baseOffset: fc.constantFrom(0, 300),
  batches: fc.array(
    drawnBatch.map((batch) => ({
      ...batch,
      records: batch.records
        .slice(0, 2)
        .map((r) => ({ ...r, key: r.key && r.key.subarray(0, 1), value: r.key, headers: {} })),
    })),
    { minLength: 1, maxLength: 3 },
  ),
});

export interface Row {
  readonly key: string | null;
  readonly value: string | null;
  readonly timestamp: number;
  readonly offset: number;
}
interface LogBatch {
  bytes: Buffer;
  readonly nextOffset: number;
  readonly rows: readonly Row[];
  transaction: { readonly producerId: bigint; readonly firstOffset: number; abortedAt?: number } | undefined;
}

const CONTROL = { abort: 0, commit: 1 } as const;
const hex = (part: Buffer | null): string | null => part && part.toString('hex');
export const producerId = (producer: number): bigint => [2n ** 53n, 2n ** 53n + 1n][producer];

export class Log {
  readonly batches: LogBatch[] = [];
  readonly firstOffset: number;
  endOffset: number;

  private constructor(drawn: DrawnLog) {
    this.firstOffset = this.endOffset = drawn.baseOffset;
  }

  static async of(drawn: DrawnLog): Promise<Log> {
    const log = new Log(drawn);
    const open = new Map<number, NonNullable<LogBatch['transaction']>>();
    for (const batch of drawn.batches) await log.append(batch, open);
    return log;
  }

  /** What a broker answers to a fetch at `fetchOffset`; the set may begin up to `early` batches before it. */
  fetch(fetchOffset: number, early = 0): FetchedPartition {
    const found = this.batches.findIndex(({ nextOffset }) => nextOffset > fetchOffset);
    const first = found < 0 ? this.batches.length : Math.max(0, found - early);
    const transactions = new Set(this.batches.flatMap(({ transaction }) => transaction ?? []));
    return {
      topic: 'ticks',
      partition: 3,
      errorCode: 0,
      highWatermark: this.endOffset,
      lastStableOffset: this.endOffset,
      logStartOffset: this.firstOffset,
      // A broker sends them as they ended, not as they began.
      abortedTransactions: [...transactions]
        .flatMap(({ abortedAt = -1, ...rest }) => (abortedAt >= fetchOffset ? { abortedAt, ...rest } : []))
        .sort((a, b) => a.abortedAt - b.abortedAt)
        .map(({ producerId, firstOffset }) => ({ producerId, firstOffset })),
      records: Buffer.concat(this.batches.slice(first).map(({ bytes }) => bytes)),
    };
  }

  rows(fromOffset: number, isolation: Isolation): Row[] {
    return this.batches
      .filter(({ transaction }) => isolation === 'read_uncommitted' || transaction?.abortedAt === undefined)
      .flatMap(({ rows }) => rows)
      .filter(({ offset }) => offset >= fromOffset);
  }

  private async append(drawn: DrawnBatch, open: Map<number, NonNullable<LogBatch['transaction']>>): Promise<void> {
    const { kind, producer } = drawn;
    const control = kind === 'commit' || kind === 'abort';
    const baseOffset = this.endOffset + drawn.gap;
    const id = producerId(producer);
    if (kind === 'transactional' && !open.has(producer))
      open.set(producer, { producerId: id, firstOffset: baseOffset });
    const transaction = kind === 'plain' ? undefined : open.get(producer);
    if (control) {
      if (kind === 'abort' && transaction !== undefined) transaction.abortedAt = baseOffset;
      open.delete(producer);
    }

    let delta = control || drawn.records.length === 0 ? -1 : drawn.firstGap - 1;
    const records = (control ? [marker(CONTROL[kind])] : drawn.records).map((r) => ({
      ...r,
      offset: (delta += r.gap + 1),
    }));
    const lastOffsetDelta = Math.max(0, delta) + drawn.endGap;
    const bytes = await encodeBatch(drawn, records, baseOffset, lastOffsetDelta, id, control);
    const timestamp = (r: DrawnRecord): number =>
      drawn.logAppendTime ? drawn.maxTimestamp : drawn.timestamp + r.timestampDelta;
    this.endOffset = baseOffset + lastOffsetDelta + 1;
    this.batches.push({
      bytes,
      nextOffset: this.endOffset,
      transaction: control ? undefined : transaction,
      rows: control
        ? []
        : records.map((r) => ({
            key: hex(r.key),
            value: hex(r.value),
            timestamp: timestamp(r),
            offset: baseOffset + r.offset,
          })),
    });
  }
}

const marker = (type: number): DrawnRecord => ({
  key: Buffer.from([0, 0, 0, type]),
  value: Buffer.from([0, 0, 0, 0, 0, 7]),
  headers: {},
  timestampDelta: 0,
  gap: 0,
});

async function encodeBatch(
  drawn: DrawnBatch,
  records: readonly (DrawnRecord & { offset: number })[],
  baseOffset: number,
  lastOffsetDelta: number,
  id: bigint,
  control: boolean,
): Promise<Buffer> {
  const encoder = await recordBatch({
    records: records.map((r) => record({ ...r, offsetDelta: r.offset })),
    firstOffset: baseOffset,
    firstTimestamp: drawn.timestamp,
    maxTimestamp: drawn.maxTimestamp,
    lastOffsetDelta,
    transactional: drawn.kind !== 'plain',
    producerId: id,
  });
  const plain = Buffer.from(encoder.buffer);
  const { id: codec, compress } = stored[control ? 'none' : drawn.compression];
  const batch = Buffer.concat([plain.subarray(0, 61), compress(plain.subarray(61))]);
  const attributes = batch.readInt16BE(21) | codec | (drawn.logAppendTime ? 8 : 0) | (control ? 32 : 0);
  batch.writeInt16BE(attributes, 21);
  return withLength(batch);
}

/** The batch as compaction may leave it: its header alone. */
export function emptied(batch: Buffer): Buffer {
  const header = Buffer.from(batch.subarray(0, 61));
  header.writeInt32BE(0, 57);
  return withLength(header);
}

/** The length and then the checksum that fit what the batch has become. */
export function withLength(batch: Buffer): Buffer {
  batch.writeInt32BE(batch.length - 12, 8);
  return withChecksum(batch);
}

export function withChecksum(batch: Buffer): Buffer {
  batch.writeUInt32BE(stockCrc32c(batch.subarray(21)), 17);
  return batch;
}
