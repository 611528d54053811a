/** What goes with every committed offset: who committed it, and which record it stands behind. One atomic commit record with the offset itself. */
import { keyOf, valueOf, type RecordBatch } from '#domain/record-batch';
import { crc32c } from './codec/crc32c.js';

export interface CommitMetadata {
  /** The transactional id under which outcomes of this partition are written: whoever takes over ends what it may have left open. */
  readonly t: string;
  /** The offset this application began at. */
  readonly b: number;
  /** Partitions of the topic: keys move when it changes. */
  readonly n: number;
  /** Timestamp and CRC-32C of the last record below the offset, by which a re-created topic is told; absent at the base. */
  readonly ts?: number;
  readonly crc?: number;
  /** `name@version` of the model that made the last outcomes. */
  readonly m?: string;
  /** Where models changed of late: the first offset with an outcome of that one. Atomic with the offset, so that a replay steps each record with its model. */
  readonly s?: readonly (readonly [offset: number, model: string | null])[];
}

export const encodeMetadata = (metadata: CommitMetadata): string => JSON.stringify(metadata);

/** undefined for offsets that another program committed. */
export function decodeMetadata(text: string): CommitMetadata | undefined {
  try {
    const m = JSON.parse(text) as Partial<CommitMetadata> | null;
    return m !== null && typeof m.t === 'string' && typeof m.b === 'number' && typeof m.n === 'number'
      ? (m as CommitMetadata)
      : undefined;
  } catch {
    return undefined;
  }
}

const NONE = new Uint8Array(0);

export function fingerprint(records: RecordBatch, i: number): { ts: number; crc: number } {
  const key = keyOf(records, i) ?? NONE;
  const value = valueOf(records, i) ?? NONE;
  return {
    ts: records.timestamps[i],
    crc: crc32c(value, 0, value.length, crc32c(key, 0, key.length)),
  };
}
