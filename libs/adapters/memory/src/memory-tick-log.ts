/** A log of ticks in memory: the full contract without durability. Used by `riverrun pipe`, backtests and tests. */
import { RiverrunError } from '#domain/errors';
import type { OutcomeBatch } from '#domain/outcome';
import type { LogPosition, SourcePosition, TickAppender, TickLog } from '#domain/ports';
import type { RecordBatch } from '#domain/record-batch';
import { emptyBatch, sliceBatch } from '#domain/record-batch';

export interface MemoryTickLogOptions {
  /** An append waits while this many records or more are unread. */
  readonly maxUnread?: number;
  /** Keep records below c, so that `seek` can go back to them. */
  readonly retain?: boolean;
}

export class MemoryTickLog implements TickLog, TickAppender {
  private batches: RecordBatch[] = [];
  private start = 0;
  private committed = 0;
  private end = 0;
  private cursor = 0;
  private closed = false;
  private readonly sources = new Map<string, string>();
  private wakeReader: (() => void) | undefined;
  private wakeWriters: (() => void)[] = [];

  constructor(private readonly options: MemoryTickLogOptions = {}) {}

  open(): Promise<LogPosition> {
    this.closed = false;
    return Promise.resolve({ start: this.start, committed: this.committed, end: this.end });
  }

  seek(offset: number): Promise<void> {
    if (!(offset >= this.start && offset <= this.end))
      return Promise.reject(
        new RiverrunError('LOG_RANGE', `offset ${offset} is outside the log's [${this.start}, ${this.end}]`),
      );
    this.cursor = offset;
    return Promise.resolve();
  }

  async read(maxRecords: number, below = Infinity): Promise<RecordBatch | null> {
    while (this.cursor >= this.end && this.cursor < below) {
      if (this.closed) return null;
      await new Promise<void>((resolve) => (this.wakeReader = resolve));
    }
    if (this.closed) return null;
    if (this.cursor >= below) return emptyBatch(this.batches.at(-1)?.topic ?? '', 0);
    const batch = this.batches.find((b) => b.offsets[b.count - 1] >= this.cursor)!;
    const from = this.cursor - batch.offsets[0];
    const slice = sliceBatch(batch, from, Math.min(batch.count, from + Math.min(maxRecords, below - this.cursor)));
    this.cursor += slice.count;
    this.wakeAllWriters();
    return slice;
  }

  publish(outcomes: OutcomeBatch): Promise<void> {
    const { offsets, count } = outcomes.records;
    if (offsets[0] !== this.committed)
      return Promise.reject(
        new RiverrunError(
          'LOG_RANGE',
          `outcomes begin at offset ${offsets[0]}, the log is committed up to ${this.committed}`,
        ),
      );
    this.committed = offsets[count - 1] + 1;
    if (this.options.retain !== true) {
      while (this.batches.length > 0 && this.batches[0].offsets[this.batches[0].count - 1] < this.committed)
        this.batches.shift();
      this.start = this.batches[0]?.offsets[0] ?? this.end;
    }
    return Promise.resolve();
  }

  releaseBelow(): void {
    // What `retain` keeps, it keeps for tests; what it does not, is gone with c.
  }

  close(): Promise<void> {
    this.closed = true;
    this.wakeReader?.();
    this.wakeAllWriters();
    return Promise.resolve();
  }

  async append(records: RecordBatch, source?: SourcePosition): Promise<number> {
    while (this.end - this.cursor >= (this.options.maxUnread ?? 1 << 17) && !this.closed)
      await new Promise<void>((resolve) => this.wakeWriters.push(resolve));
    if (this.closed) throw new RiverrunError('LOG_CLOSED', 'the log is closed');
    const first = this.end;
    if (source !== undefined) this.sources.set(source.source, source.position);
    if (records.count === 0) return first;
    const offsets = Float64Array.from({ length: records.count }, (_, i) => first + i);
    this.batches.push({ ...records, offsets });
    this.end += records.count;
    this.wakeReader?.();
    return first;
  }

  sourcePosition(source: string): Promise<string | undefined> {
    return Promise.resolve(this.sources.get(source));
  }

  private wakeAllWriters(): void {
    for (const wake of this.wakeWriters.splice(0)) wake();
  }
}
