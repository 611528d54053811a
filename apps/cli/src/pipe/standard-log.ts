/** The log of `riverrun pipe`: records come from one stream of lines, outcomes go out as lines in the same order. */
import type { Readable, Writable } from 'node:stream';
import { OutcomeKind, type OutcomeBatch } from '#domain/outcome';
import type { LogPosition, TickLog } from '#domain/ports';
import type { RecordBatch } from '#domain/record-batch';
import { write } from '../output.js';
import { LineCutter } from './line-cutter.js';

/** Enough for a full batch of ordinary ticks. */
const GATHER_BYTES = 1 << 18;
const NEWLINE = 10;

export class StandardLog implements TickLog {
  rejected = 0;
  private readonly lines: LineCutter;
  private ended = false;
  private finished = false;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;
  private out = Buffer.allocUnsafe(1 << 16);

  constructor(
    private readonly input: Readable,
    private readonly output: Writable,
    private readonly rejects: Writable,
    options: { topic: string; maxRecords: number; maxRecordBytes: number },
  ) {
    this.lines = new LineCutter(options.topic, options.maxRecords, options.maxRecordBytes);
    input.on('error', (error) => (this.failure = error));
    for (const event of ['end', 'close']) input.on(event, () => (this.ended = true));
    for (const event of ['readable', 'end', 'error', 'close']) input.on(event, () => this.wake?.());
  }

  open(): Promise<LogPosition> {
    return Promise.resolve({ start: 0, committed: 0, end: 0 });
  }

  /** Only ever to the beginning, before the first record: lines that went by do not come back. */
  seek(): Promise<void> {
    return Promise.resolve();
  }

  /** Whatever complete lines are there, at once: a slow writer gets its answers line by line, a fast one in large batches. */
  async read(): Promise<RecordBatch | null> {
    for (;;) {
      const batch = this.lines.cut(Date.now());
      if (batch.count > 0) return batch;
      if (this.finished) return null;
      await this.fill();
    }
  }

  async publish(outcomes: OutcomeBatch): Promise<void> {
    const { deadLetters } = outcomes;
    const length = this.join(outcomes);
    if (length > 0) await write(this.output, this.out.subarray(0, length));
    if (deadLetters.size === 0) return;
    this.rejected += deadLetters.size;
    const inOrder = [...deadLetters].sort(([a], [b]) => a - b);
    const text = inOrder.map(([i, { code, message }]) => JSON.stringify({ line: this.lines.lineOf[i], code, message }));
    await write(this.rejects, `${text.join('\n')}\n`);
  }

  releaseBelow(): void {
    // Lines that were answered are gone already.
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private async fill(): Promise<void> {
    let got = 0;
    while (got < GATHER_BYTES) {
      const chunk = this.input.read() as Buffer | null;
      if (chunk !== null) {
        this.lines.push(chunk);
        got += chunk.length;
      } else if (this.failure !== undefined) throw this.failure;
      else if (this.ended) {
        this.finished = true;
        this.lines.finish();
        return;
      } else if (got > 0) return;
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  /** The outcomes' texts with a newline behind each, in `this.out`; returns how many bytes. */
  private join({ bytes, kinds, start, end, records }: OutcomeBatch): number {
    if (this.out.length < bytes.length + records.count)
      this.out = Buffer.allocUnsafe(2 * (bytes.length + records.count));
    const { out } = this;
    let at = 0;
    for (let i = 0; i < records.count; i++) {
      if (kinds[i] === OutcomeKind.deadLetter) continue;
      out.set(bytes.subarray(start[i], end[i]), at);
      at += end[i] - start[i];
      out[at++] = NEWLINE;
    }
    return at;
  }
}
