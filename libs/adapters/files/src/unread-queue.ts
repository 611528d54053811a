/** Batches that were appended and not yet read, and the writers that wait because there are too many of them. */
import { sliceBatch, type RecordBatch } from '#domain/record-batch';

export class UnreadQueue {
  /** Read ones are let go at once: each holds its records' bytes. */
  private batches: (RecordBatch | undefined)[] = [];
  private head = 0;
  private records = 0;
  private bytes = 0;
  private wakeWriter: (() => void) | undefined;

  constructor(
    private readonly maxRecords: number,
    private readonly maxBytes: number,
  ) {}

  get isFull(): boolean {
    return this.records >= this.maxRecords || this.bytes >= this.maxBytes;
  }
  get first(): RecordBatch | undefined {
    return this.batches[this.head];
  }

  push(batch: RecordBatch): void {
    this.batches.push(batch);
    this.records += batch.count;
    this.bytes += batch.bytes.length;
  }

  /** Takes `count` records of the first batch. */
  take(count: number): RecordBatch {
    const batch = this.batches[this.head]!;
    this.records -= count;
    this.wake();
    if (count < batch.count) {
      this.batches[this.head] = sliceBatch(batch, count, batch.count);
      return sliceBatch(batch, 0, count);
    }
    this.bytes -= batch.bytes.length;
    this.batches[this.head] = undefined;
    this.head += 1;
    if (this.head > 1024 && 2 * this.head > this.batches.length) {
      this.batches = this.batches.slice(this.head);
      this.head = 0;
    }
    return batch;
  }

  clear(): void {
    this.batches = [];
    this.head = this.records = this.bytes = 0;
    this.wake();
  }

  /** Resolves at the next change. */
  changed(): Promise<void> {
    return new Promise((resolve) => (this.wakeWriter = resolve));
  }

  wake(): void {
    this.wakeWriter?.();
    this.wakeWriter = undefined;
  }
}
