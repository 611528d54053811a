/** Bytes to records, one a line, without a string or an object per line: lines are ranges of the buffer they were read into. */
import type { RecordBatch } from '#domain/record-batch';

const [NEWLINE, RETURN, SPACE] = [10, 13, 32];
const MAX_INT32 = 2 ** 31 - 1;

export class LineCutter {
  private bytes: Buffer;
  /** Unread bytes: [from, to). */
  private from = 0;
  private to = 0;
  /** Bytes of a line over the limit that were passed over, without its end; -1 while there is no such line. */
  private passed = -1;
  private lastPassed = 0;
  private ended = false;
  private lines = 0;
  private records = 0;
  private count = 0;
  private readonly start: Int32Array;
  private readonly end: Int32Array;
  private readonly offsets: Float64Array;
  private readonly timestamps: Float64Array;
  private readonly noKey: Int32Array;
  /** Number of each record's line, from 1; blank lines are no records, but count. */
  readonly lineOf: Float64Array;

  constructor(
    private readonly topic: string,
    private readonly maxRecords: number,
    private readonly maxLineBytes: number,
  ) {
    this.bytes = Buffer.allocUnsafe(1 << 19);
    this.start = new Int32Array(maxRecords);
    this.end = new Int32Array(maxRecords);
    this.offsets = new Float64Array(maxRecords);
    this.timestamps = new Float64Array(maxRecords);
    this.lineOf = new Float64Array(maxRecords);
    this.noKey = new Int32Array(maxRecords).fill(-1);
  }

  /** Bytes that wait to be cut. */
  get waiting(): number {
    return this.to - this.from;
  }

  push(chunk: Uint8Array): void {
    if (this.to + chunk.length > this.bytes.length) this.makeRoom(chunk.length);
    this.bytes.set(chunk, this.to);
    this.to += chunk.length;
  }

  /** No more bytes come: what is left is the last line. */
  finish(): void {
    this.ended = true;
  }

  /** The records of the lines that are complete; valid until the next `push`. */
  cut(now: number): RecordBatch {
    this.count = 0;
    if (this.lines === 0) this.skipByteOrderMark();
    const filled = this.bytes.subarray(0, this.to);
    while (this.count < this.maxRecords && this.from < this.to) {
      const newline = filled.indexOf(NEWLINE, this.from);
      if (newline < 0 && !this.ended) break;
      this.takeLine(newline < 0 ? this.to : newline);
      this.from = newline < 0 ? this.to : newline + 1;
    }
    // The rest may already be too long for a line (one byte may be the CR of its end): it is counted, not kept.
    if (this.passed >= 0 || this.waiting > this.maxLineBytes + 1) this.passOver();
    if (this.ended && this.passed >= 0 && this.waiting === 0 && this.count < this.maxRecords) this.takeLine(this.to);
    return this.batch(now);
  }

  private takeLine(lineEnd: number): void {
    this.lines += 1;
    const { bytes, from } = this;
    let end = lineEnd;
    let start = from;
    const lastByte = end > from ? bytes[end - 1] : this.lastPassed;
    if (this.passed >= 0) {
      // The pipeline refuses a record by its range alone, before it looks at any byte: a range over bytes that were never kept says how
      // long the line was.
      const length = this.passed + (end - from) - (lastByte === RETURN ? 1 : 0);
      this.passed = -1;
      start = 0;
      end = Math.min(length, MAX_INT32);
    } else {
      if (end > from && lastByte === RETURN) end -= 1;
      if (isBlank(bytes, start, end)) return;
    }
    const i = this.count++;
    this.start[i] = start;
    this.end[i] = end;
    this.offsets[i] = this.records++;
    this.lineOf[i] = this.lines;
  }

  private passOver(): void {
    if (this.waiting === 0 || this.bytes.subarray(this.from, this.to).includes(NEWLINE)) return;
    this.passed = Math.max(0, this.passed) + this.waiting;
    this.lastPassed = this.bytes[this.to - 1];
    this.from = this.to;
  }

  private makeRoom(wanted: number): void {
    const kept = this.waiting;
    if (kept + wanted > this.bytes.length) {
      const grown = Buffer.allocUnsafe(2 * (kept + wanted));
      grown.set(this.bytes.subarray(this.from, this.to));
      this.bytes = grown;
    } else this.bytes.copyWithin(0, this.from, this.to);
    this.from = 0;
    this.to = kept;
  }

  private skipByteOrderMark(): void {
    const { bytes, from } = this;
    if (this.waiting >= 3 && bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf)
      this.from += 3;
  }

  private batch(now: number): RecordBatch {
    this.timestamps.fill(now, 0, this.count);
    return {
      topic: this.topic,
      partition: 0,
      count: this.count,
      bytes: this.bytes,
      keyStart: this.noKey,
      keyEnd: this.noKey,
      valueStart: this.start,
      valueEnd: this.end,
      timestamps: this.timestamps,
      offsets: this.offsets,
    };
  }
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] > SPACE) return false;
  return true;
}
