/** Records of one partition on their way from the fetcher to its reader; bounded in bytes. */
import { RiverrunError } from '#domain/errors';
import { mergeBatches } from '#domain/merge-batches';
import { emptyBatch, sliceBatch, type RecordBatch } from '#domain/record-batch';

export class PartitionFeed {
  private batches: RecordBatch[] = [];
  private buffered = 0;
  private failure: Error | undefined;
  private closed = false;
  private wake: (() => void) | undefined;
  /** The offset to fetch next. */
  nextOffset: number;
  /** As of the last fetch. */
  highWatermark = 0;
  logStart = 0;
  /** Counts up with every seek: what a fetch under way brings for an older one is dropped. */
  epoch = 0;

  constructor(
    readonly topic: string,
    readonly partition: number,
    offset: number,
    private readonly onRoom: () => void,
  ) {
    this.nextOffset = offset;
  }

  get bufferedBytes(): number {
    return this.buffered;
  }

  /** Nothing waits to be read. */
  get isDrained(): boolean {
    return this.batches.length === 0;
  }

  get wantsMore(): boolean {
    return !this.closed && this.failure === undefined;
  }

  seek(offset: number): void {
    this.batches = [];
    this.buffered = 0;
    this.failure = undefined;
    this.nextOffset = offset;
    this.epoch += 1;
    this.onRoom();
  }

  push(batch: RecordBatch | undefined, nextOffset: number): void {
    this.nextOffset = nextOffset;
    if (batch !== undefined) {
      this.batches.push(batch);
      this.buffered += batch.bytes.length;
    }
    this.wake?.();
  }

  /** Reading goes on after the next seek. */
  fail(error: Error): void {
    this.failure = error;
    this.wake?.();
  }

  /** The next records, at most `maxRecords`; null once closed. With `below`, only those before that offset: none once there are no more. */
  async take(maxRecords: number, below = Infinity): Promise<RecordBatch | null> {
    while (this.batches.length === 0 && !this.closed && this.failure === undefined && this.nextOffset < below)
      await new Promise<void>((resolve) => (this.wake = resolve));
    this.wake = undefined;
    if (this.closed) return null;
    if (this.batches.length === 0 && this.failure !== undefined) throw this.failure;
    const parts: RecordBatch[] = [];
    for (let count = 0; count < maxRecords && this.batches.length > 0;) {
      const [first] = this.batches;
      const room = Math.min(first.count, maxRecords - count);
      const taken = sliceBatch(first, 0, first.offsets[room - 1] < below ? room : countBelow(first, below, room));
      if (taken.count === 0) break;
      parts.push(taken);
      count += taken.count;
      // Joining batches copies them: worth it for many small ones only.
      if (count >= maxRecords / 4) maxRecords = count;
      if (taken.count < first.count) this.batches[0] = sliceBatch(first, taken.count, first.count);
      else {
        this.batches.shift();
        this.buffered -= first.bytes.length;
      }
    }
    this.onRoom();
    return parts.length === 0 ? emptyBatch(this.topic, this.partition) : mergeBatches(parts);
  }

  close(): void {
    this.closed = true;
    this.batches = [];
    this.buffered = 0;
    this.wake?.();
  }
}

function countBelow({ offsets }: RecordBatch, below: number, most: number): number {
  let count = 0;
  while (count < most && offsets[count] < below) count += 1;
  return count;
}

export const feedError = (topic: string, partition: number, what: string): RiverrunError =>
  new RiverrunError('KAFKA_FETCH', `reading ${topic}/${partition} failed: ${what}`);
