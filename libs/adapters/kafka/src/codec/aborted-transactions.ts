import { AT, type BatchHeader } from './batch-header.js';
import type { AbortedTransaction } from './fetch-response.js';
import { VarintReader } from './varint-reader.js';

const ABORT = 0;

/**
 * Which producers' transactional batches are of an aborted transaction, walking the log in order: from the
 * transaction's first offset to its ABORT marker, as the Java client does.
 */
export class AbortedTransactions {
  private readonly pending: readonly AbortedTransaction[];
  private begun = 0;
  private readonly producers = new Set<bigint>();

  constructor(transactions: readonly AbortedTransaction[]) {
    this.pending = [...transactions].sort((a, b) => a.firstOffset - b.firstOffset);
  }

  /** To be asked of every data batch in order. */
  has(producerId: bigint, lastOffset: number): boolean {
    this.beginUpTo(lastOffset);
    return this.producers.has(producerId);
  }

  /** To be told of every control batch in order. */
  ended(producerId: bigint, lastOffset: number): void {
    this.beginUpTo(lastOffset);
    this.producers.delete(producerId);
  }

  private beginUpTo(lastOffset: number): void {
    for (; this.begun < this.pending.length; this.begun++) {
      const { firstOffset, producerId } = this.pending[this.begun];
      if (firstOffset > lastOffset) return;
      this.producers.add(producerId);
    }
  }
}

/** Whether a control batch ends its transaction with an abort; compaction may have emptied it. */
export function isAbortMarker(records: Buffer, { start, end, count }: BatchHeader): boolean {
  if (count === 0) return false;
  const reader = new VarintReader(records, start + AT.records, end);
  reader.int(); // length
  reader.position++; // attributes
  reader.long(); // timestamp
  reader.int(); // offset
  const keyLength = reader.int();
  // Key: version (int16), type (int16).
  return keyLength >= 4 && reader.position + 4 <= end && records.readInt16BE(reader.position + 2) === ABORT;
}
