/** Sets outcomes that were found against records that must have one. Both come in the order of offsets, more or less; memory grows only with what does not match. */

import { truncatedText } from './dead-letter-text.js';

/** One visible outcome. */
export interface FoundOutcome {
  /** Of the record it answers. */
  readonly offset: number;
  readonly stream: string | undefined;
  /** The message's own bytes; of a dead letter what `deadLetterText` makes of it. */
  readonly bytes: Uint8Array;
  readonly isDeadLetter: boolean;
  /** `name@version` that a prediction names, null for none; undefined where nothing is said of a model. */
  readonly model: string | null | undefined;
  /** That model's share of the streams, where it is a canary. */
  readonly canary?: number | undefined;
}

export type FindingKind = 'lost' | 'duplicated' | 'disordered' | 'wrong' | 'stray' | 'state';

export interface Finding {
  readonly kind: FindingKind;
  readonly offset: number | null;
  readonly stream: string | null;
  readonly expected?: string;
  readonly found?: string;
}

export interface LedgerCounts {
  /** Records that must have an outcome. */
  records: number;
  /** Those that have one, right or wrong. */
  outcomes: number;
  predictions: number;
  deadLetters: number;
  lost: number;
  /** Outcomes beyond the first of a record. */
  duplicated: number;
  /** Outcomes that come after one of the same stream with a higher offset. */
  disordered: number;
  wrong: number;
  /** Outcomes of offsets where the log has no record. */
  stray: number;
  /** Records whose outcome may have been deleted with the output topic's oldest records. */
  expired: number;
}

interface Expected {
  readonly stream: string | undefined;
  /** undefined: not known what it should say, only that it must be there. */
  readonly bytes: Uint8Array | undefined;
  /** Of a dead letter. */
  readonly code: string | undefined;
}

/** Findings told in full; the rest is counted. */
const EXAMPLES = 10;
/** So many records without an outcome are remembered; an audit with more has said enough. */
const MOST_PENDING = 1_000_000;

/** Counts before the first record. */
export const NOTHING: Readonly<LedgerCounts> = {
  records: 0,
  outcomes: 0,
  predictions: 0,
  deadLetters: 0,
  lost: 0,
  duplicated: 0,
  disordered: 0,
  wrong: 0,
  stray: 0,
  expired: 0,
};

export class OutcomeLedger {
  readonly counts: LedgerCounts = { ...NOTHING };
  readonly examples: Finding[] = [];
  /** Outcomes of records that have not come yet. */
  private readonly ahead = new Map<number, FoundOutcome>();
  /** Records whose outcome has not come yet. */
  private readonly pending = new Map<number, Expected>();
  private readonly lastOfStream = { prediction: new Map<string, number>(), deadLetter: new Map<string, number>() };
  private position: number;

  /** The outcome of the offset that is watched. */
  readonly watched: { expected?: Uint8Array | undefined; found?: Uint8Array } = {};

  /** Judges records at offsets [from, to) only. */
  constructor(
    private readonly from: number,
    private readonly to: number,
    private readonly watch?: number,
  ) {
    this.position = from;
  }

  /** True once more is amiss than can be kept in mind. */
  get isFull(): boolean {
    return this.pending.size >= MOST_PENDING;
  }

  /** The outcome of a record to come; undefined where none is there. */
  outcomeAt(offset: number): FoundOutcome | undefined {
    return this.ahead.get(offset);
  }

  /** The next outcome of the output. */
  found(outcome: FoundOutcome): void {
    const { offset } = outcome;
    if (offset < this.from || offset >= this.to) return;
    const expected = this.pending.get(offset);
    if (offset === this.watch) this.watched.found ??= outcome.bytes;
    if (this.ahead.has(offset) || (offset < this.position && expected === undefined)) {
      this.counts.duplicated += 1;
      this.note({ kind: 'duplicated', offset, stream: outcome.stream ?? null, found: textOf(outcome.bytes) });
      return;
    }
    this.checkOrder(outcome);
    if (expected === undefined) this.ahead.set(offset, outcome);
    else {
      this.pending.delete(offset);
      this.settle(expected, outcome);
    }
  }

  /** The next record of the log, and what its outcome must be; without bytes: whatever it is. */
  expect(offset: number, stream?: string, bytes?: Uint8Array, code?: string): void {
    this.position = offset + 1;
    if (offset < this.from || offset >= this.to) return;
    this.counts.records += 1;
    if (offset === this.watch) this.watched.expected = bytes?.slice();
    const outcome = this.ahead.get(offset);
    if (outcome === undefined) {
      // A copy: the batch it lies in goes.
      if (!this.isFull) this.pending.set(offset, { stream, bytes: bytes?.slice(), code });
      else this.lose(offset, stream);
      return;
    }
    this.ahead.delete(offset);
    this.settle({ stream, bytes, code }, outcome);
  }

  /** No more records below `offset` come: what is left there answers none. */
  passed(offset: number): void {
    for (const [at, outcome] of this.ahead) {
      if (at >= offset) continue;
      this.ahead.delete(at);
      this.counts.stray += 1;
      this.note({ kind: 'stray', offset: at, stream: outcome.stream ?? null, found: textOf(outcome.bytes) });
    }
    this.position = Math.max(this.position, offset);
  }

  /** No more outcomes come. Of records below `deletedBelow` they may have been deleted. */
  finish(deletedBelow = 0): void {
    for (const [offset, { stream }] of [...this.pending].sort(([a], [b]) => a - b))
      if (offset < deletedBelow) this.counts.expired += 1;
      else this.lose(offset, stream);
    this.pending.clear();
  }

  note(finding: Finding): void {
    if (this.examples.filter(({ kind }) => kind === finding.kind).length < EXAMPLES) this.examples.push(finding);
  }

  private lose(offset: number, stream: string | undefined): void {
    this.counts.lost += 1;
    this.note({ kind: 'lost', offset, stream: stream ?? null });
  }

  private settle({ bytes, code, stream }: Expected, outcome: FoundOutcome): void {
    this.counts.outcomes += 1;
    this.counts[outcome.isDeadLetter ? 'deadLetters' : 'predictions'] += 1;
    if (bytes === undefined) return;
    const equals = (text: Uint8Array): boolean => Buffer.compare(text, outcome.bytes) === 0;
    if (
      (code !== undefined) === outcome.isDeadLetter &&
      (equals(bytes) || (code !== undefined && equals(truncatedText(code))))
    )
      return;
    this.counts.wrong += 1;
    this.note({
      kind: 'wrong',
      offset: outcome.offset,
      stream: stream ?? null,
      expected: textOf(bytes),
      found: textOf(outcome.bytes),
    });
  }

  /** Two topics, two orders: between them there is none. */
  private checkOrder({ stream, offset, isDeadLetter, bytes }: FoundOutcome): void {
    if (stream === undefined) return;
    const last = this.lastOfStream[isDeadLetter ? 'deadLetter' : 'prediction'];
    const before = last.get(stream);
    if (before === undefined || before < offset) last.set(stream, offset);
    else {
      this.counts.disordered += 1;
      this.note({ kind: 'disordered', offset, stream, found: textOf(bytes) });
    }
  }
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
