/** The embedded log: records and commits as frames of append-only files. What `append` and `publish` acknowledged survives `kill -9`; a power cut
 *  takes back at most the last second (see segment-file.ts).
 *
 *  I2, outcomes and c move together: a commit is one frame, which holds c and the dead letters; a frame is there as a whole or not at all. */
import { RiverrunError } from '#domain/errors';
import type { OutcomeBatch } from '#domain/outcome';
import type { LogPosition, SourcePosition, TickAppender, TickLog } from '#domain/ports';
import { emptyBatch, sliceBatch, type RecordBatch } from '#domain/record-batch';
import { mergeBatches } from '#domain/merge-batches';
import { SegmentFiles, type SegmentFile, type SegmentFilesOptions } from './segment-file.js';
import {
  TickFrame,
  commitFrame,
  deadLettersOf,
  decodeCommit,
  decodeHeader,
  decodeRecords,
  decodeSource,
  encodeRecords,
  headerFrame,
  recordsHead,
  type StoredDeadLetter,
} from './tick-frames.js';
import { RecordScanner, type LogPart } from './record-scanner.js';
import { UnreadQueue } from './unread-queue.js';
import { FRAME_HEADER, type Frame } from './frame.js';

export interface FileTickLogOptions extends SegmentFilesOptions {
  /** The topic of records stored by versions that did not store it. Default ticks. */
  readonly topic?: string;
  /** An append waits while so many records, or so many bytes, wait to be read. Default 131,072 and 64 MiB. */
  readonly maxUnread?: number;
  readonly maxUnreadBytes?: number;
  /** Files that nobody needs any more stay while the log has no more than this. Default 256 MiB. */
  readonly retainBytes?: number;
  /** Dead letters kept readable, the newest. They go with their file at the latest. Default 1,000. */
  readonly deadLetters?: number;
}

/** A reader gets batches no larger than about this. */
const MERGE_BYTES = 1 << 25;
const DEAD_LETTER_BYTES = 1 << 24;

export class FileTickLog implements TickLog, TickAppender {
  private files: SegmentFiles;
  private parts: LogPart[] = [];
  private isOpen = false;
  private committed = 0;
  private end = 0;
  private cursor = 0;
  /** Everything below may go once c has passed it, too. */
  private released = 0;
  private readonly sources = new Map<string, string>();
  private swaps: { readonly offset: number; readonly model: string | null }[] = [];
  private letters: StoredDeadLetter[] = [];
  private letterBytes = 0;
  private readonly unread: UnreadQueue;
  private readonly fallbackTopic: string;
  private scanner: RecordScanner | undefined;
  /** What is left of the batch last read from disk. */
  private rest: RecordBatch | undefined;
  private lastAppend: Promise<unknown> = Promise.resolve();
  private wakeReader: (() => void) | undefined;

  constructor(
    private readonly folder: string,
    private readonly options: FileTickLogOptions = {},
  ) {
    this.files = new SegmentFiles(folder, 'log', options);
    this.fallbackTopic = options.topic ?? 'ticks';
    this.unread = new UnreadQueue(options.maxUnread ?? 1 << 17, options.maxUnreadBytes ?? 1 << 26);
  }

  async open(): Promise<LogPosition> {
    if (!this.isOpen) {
      this.files = new SegmentFiles(this.folder, 'log', this.options);
      this.parts = [];
      this.committed = this.end = 0;
      this.sources.clear();
      this.letters = [];
      this.letterBytes = 0;
      this.swaps = [];
      await this.files.open((file, frame) => this.visit(file, frame));
      this.isOpen = true;
      this.place(this.committed);
    }
    return { start: this.start, committed: this.committed, end: this.end };
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a refusal must be a rejected promise
  async seek(offset: number): Promise<void> {
    this.mustBeOpen();
    if (!(offset >= this.start && offset <= this.end))
      throw new RiverrunError('LOG_RANGE', `offset ${offset} is outside the log's [${this.start}, ${this.end}]`);
    this.place(offset);
    this.wakeReader?.();
  }

  async read(maxRecords: number, below = Infinity): Promise<RecordBatch | null> {
    while (this.isOpen && this.cursor >= this.end && this.cursor < below)
      await new Promise<void>((resolve) => (this.wakeReader = resolve));
    if (!this.isOpen) return null;
    const most = Math.min(maxRecords, below - this.cursor);
    if (most <= 0) return emptyBatch(this.fallbackTopic, 0);
    const parts: RecordBatch[] = [];
    for (let count = 0, bytes = 0; count < most && bytes < MERGE_BYTES && this.cursor < this.end;) {
      const part = this.take(most - count, parts[0]?.topic);
      if (part === undefined) break;
      parts.push(part);
      count += part.count;
      bytes += part.bytes.length;
      this.cursor += part.count;
    }
    return mergeBatches(parts);
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async publish(outcomes: OutcomeBatch): Promise<void> {
    this.mustBeOpen();
    const { count, offsets } = outcomes.records;
    if (count === 0) return;
    const committed = offsets[count - 1] + 1;
    if (offsets[0] !== this.committed || committed > this.end)
      throw new RiverrunError(
        'LOG_RANGE',
        `outcomes for [${offsets[0]}, ${committed}) do not begin at ${this.committed}, where the log is committed, or end behind its end ${this.end}`,
      );
    const deadLetters = deadLettersOf(outcomes);
    this.write(commitFrame({ committed, model: outcomes.model, topic: outcomes.records.topic, deadLetters }));
    this.committed = committed;
    this.keep(deadLetters);
  }

  append(records: RecordBatch, source?: SourcePosition): Promise<number> {
    const appended = this.lastAppend.then(() => this.appendNow(records, source));
    this.lastAppend = appended.catch(() => undefined);
    return appended;
  }

  sourcePosition(source: string): Promise<string | undefined> {
    return Promise.resolve(this.sources.get(source));
  }

  /** With c, W bounds what retention may delete. */
  releaseBelow(offset: number): void {
    this.released = Math.max(this.released, offset);
    this.removeOld();
  }

  /** The newest dead letters, the newest first. */
  deadLetters(limit: number): StoredDeadLetter[] {
    return limit <= 0 ? [] : this.letters.slice(-limit).reverse();
  }

  /** Which model made the outcomes from an offset on, oldest first, as far back as the log goes; as of `open`. */
  get modelSwaps(): readonly { readonly offset: number; readonly model: string | null }[] {
    return this.swaps;
  }

  async close(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.wakeReader?.();
    this.unread.clear();
    await this.lastAppend;
    await this.files.close();
  }

  private get start(): number {
    return this.parts[0]?.base ?? 0;
  }

  private async appendNow(records: RecordBatch, source: SourcePosition | undefined): Promise<number> {
    while (this.isOpen && this.unread.isFull) await this.unread.changed();
    this.mustBeOpen();
    const first = this.end;
    if (records.count === 0 && source === undefined) return first;
    const { frame, payload } = encodeRecords(records, first, source);
    const position = this.write(frame);
    this.mark(first, position);
    if (source !== undefined) this.sources.set(source.source, source.position);
    if (records.count === 0) return first;
    this.unread.push(this.decode(payload));
    this.end += records.count;
    this.wakeReader?.();
    return first;
  }

  /** Appends a frame, in a new file if the newest is long enough; returns the position. */
  private write(frame: Uint8Array): number {
    if (this.files.rollIsDue) {
      const { committed, end: base } = this;
      this.files.roll(headerFrame({ base, committed, sources: [...this.sources] }));
      this.parts.push({ file: this.files.newest!, base, marks: [] });
      this.removeOld();
    }
    return this.files.append(frame);
  }

  private visit(file: SegmentFile, { kind, payload, position }: Frame): void {
    if (this.parts.at(-1)?.file !== file) {
      const { base, committed, sources } = decodeHeader(payload);
      if (this.parts.length > 0 && base !== this.end) this.gap(file, base);
      this.parts.push({ file, base, marks: [] });
      this.end = base;
      this.committed = committed;
      for (const [source, reached] of sources) this.sources.set(source, reached);
    } else if (kind === TickFrame.records) {
      const { base, count } = recordsHead(payload);
      if (base !== this.end) this.gap(file, base);
      this.mark(base, position - FRAME_HEADER);
      this.end += count;
      const source = decodeSource(payload);
      if (source !== undefined) this.sources.set(source.source, source.position);
    } else if (kind === TickFrame.commit) {
      const { committed, model, deadLetters } = decodeCommit(payload, this.fallbackTopic);
      if (this.swaps.length === 0 || this.swaps.at(-1)!.model !== model)
        this.swaps.push({ offset: this.committed, model });
      this.committed = committed;
      this.keep(deadLetters);
    }
  }

  private gap(file: SegmentFile, base: number): never {
    throw new RiverrunError(
      'DATA_CORRUPT',
      `${file.path} goes on at offset ${base} where ${this.end} is expected: a file of the log is missing; restore the data folder from a copy, or start with an empty one`,
    );
  }

  /** Remembers now and then where an offset lies. */
  private mark(offset: number, position: number): void {
    const { marks } = this.parts.at(-1)!;
    const last = marks.at(-1);
    if (last === undefined || position - last.position >= 1 << 16) marks.push({ offset, position });
  }

  /** Makes `offset` the next to be read: from the queue if it goes back so far, else from disk up to where the queue begins. */
  private place(offset: number): void {
    this.scanner = undefined;
    this.rest = undefined;
    this.cursor = offset;
    let first = this.unread.first;
    if (first !== undefined && offset < first.offsets[0]) this.unread.clear();
    else
      for (; first !== undefined && first.offsets[0] < offset; first = this.unread.first)
        this.unread.take(Math.min(first.count, offset - first.offsets[0]));
  }

  /** The next records, at most `count`: those at hand without copying. Undefined if they are not of that topic, where one is given. */
  private take(count: number, topic: string | undefined): RecordBatch | undefined {
    const { unread } = this;
    const first = unread.first;
    if (first !== undefined && first.offsets[0] === this.cursor) {
      if (topic !== undefined && first.topic !== topic) return undefined;
      this.scanner = undefined;
      return unread.take(Math.min(count, first.count));
    }
    if (this.rest === undefined) {
      this.scanner ??= new RecordScanner(this.parts, this.cursor);
      const batch = this.decode(this.scanner.next());
      this.rest = sliceBatch(batch, this.cursor - batch.offsets[0], batch.count);
    }
    if (topic !== undefined && this.rest.topic !== topic) return undefined;
    const taken = sliceBatch(this.rest, 0, Math.min(count, this.rest.count));
    this.rest = taken.count < this.rest.count ? sliceBatch(this.rest, taken.count, this.rest.count) : undefined;
    return taken;
  }

  private decode(payload: Uint8Array): RecordBatch {
    return decodeRecords(payload, this.fallbackTopic);
  }

  private keep(letters: readonly StoredDeadLetter[]): void {
    const size = (letter: StoredDeadLetter): number => (letter.key?.length ?? 0) + (letter.value?.length ?? 0);
    for (const letter of letters) {
      this.letters.push(letter);
      this.letterBytes += size(letter);
    }
    let drop = 0;
    const most = this.options.deadLetters ?? 1000;
    while (
      this.letters.length - drop > most ||
      (this.letterBytes > DEAD_LETTER_BYTES && this.letters.length - drop > 1)
    )
      this.letterBytes -= size(this.letters[drop++]);
    if (drop > 0) this.letters = this.letters.slice(drop);
  }

  /** The oldest files go once c and W have passed them. Sources and c outlive them in the next file's header. */
  private removeOld(): void {
    if (!this.isOpen) return;
    const needed = Math.min(this.committed, this.released, this.cursor);
    const most = this.options.retainBytes ?? 256 * 1024 ** 2;
    while (
      this.parts.length > 1 &&
      this.parts[1].base <= needed &&
      this.files.totalBytes - this.files.files[0].bytes >= most
    ) {
      this.parts.shift();
      this.files.removeOldest();
    }
  }

  private mustBeOpen(): void {
    if (!this.isOpen) throw new RiverrunError('LOG_CLOSED', 'the log is closed');
  }
}
