/** Ticks that somebody waits for: appended to the log, answered once their outcomes are committed. */
import { RiverrunError } from '#domain/errors';
import { OutcomeKind, type OutcomeBatch } from '#domain/outcome';
import type { TickAppender } from '#domain/ports';
import type { RecordBatch } from '#domain/record-batch';

/** One record's answer: the prediction's or control answer's JSON text, or why the record was rejected. */
export type Answer = { readonly json: string } | { readonly code: string; readonly message: string };

interface Waiting {
  readonly first: number;
  readonly answers: Answer[];
  missing: number;
  readonly resolve: (answers: Answer[]) => void;
  readonly reject: (error: Error) => void;
}

const UTF8 = new TextDecoder();

export class Submissions {
  private waiting: Waiting[] = [];
  /** Outcomes that came while an append had not told its offset yet. */
  private unclaimed: OutcomeBatch[] = [];
  private appending = 0;

  constructor(private readonly log: TickAppender) {}

  /** True while nobody waits for an answer. */
  get idle(): boolean {
    return this.appending === 0 && this.waiting.length === 0;
  }

  /** RiverrunError UNANSWERED if no outcome came within `timeoutMs`; the ticks are in the log all the same and will be predicted. */
  async submit(records: RecordBatch, timeoutMs: number): Promise<Answer[]> {
    this.appending += 1;
    let first: number;
    try {
      first = await this.log.append(records);
    } catch (error) {
      this.appended();
      throw error;
    }
    let timer: NodeJS.Timeout | undefined;
    const answers = new Promise<Answer[]>((resolve, reject) => {
      const waiting: Waiting = {
        first,
        answers: new Array<Answer>(records.count),
        missing: records.count,
        resolve,
        reject,
      };
      // Only to this one: the others were offered each batch when it came.
      for (const outcomes of this.unclaimed) offer(outcomes, waiting);
      this.appended();
      if (waiting.missing > 0) this.waiting.push(waiting);
      timer = setTimeout(() => {
        this.waiting = this.waiting.filter((w) => w !== waiting);
        reject(
          new RiverrunError(
            'UNANSWERED',
            `no outcome within ${timeoutMs} ms; the ticks are stored and will be predicted`,
          ),
        );
      }, timeoutMs);
    });
    return answers.finally(() => clearTimeout(timer));
  }

  /** Called with every batch of committed outcomes. */
  committed(outcomes: OutcomeBatch): void {
    // Their bytes are another batch's once this returns.
    if (this.appending > 0) this.unclaimed.push({ ...outcomes, bytes: outcomes.bytes.slice() });
    if (this.waiting.length > 0) this.offer(outcomes);
  }

  /** Ticks do not move at present: those who wait are told why instead of being kept. */
  fail(code: string, why: string): void {
    for (const { reject } of this.waiting.splice(0))
      reject(new RiverrunError(code, `${why}; the ticks are stored and will be predicted`));
  }

  private offer(outcomes: OutcomeBatch): void {
    for (const waiting of this.waiting) offer(outcomes, waiting);
    this.waiting = this.waiting.filter((w) => w.missing > 0);
  }

  private appended(): void {
    this.appending -= 1;
    if (this.appending === 0) this.unclaimed = [];
  }
}

function offer(outcomes: OutcomeBatch, waiting: Waiting): void {
  const { offsets, count } = outcomes.records;
  const from = Math.max(0, waiting.first - offsets[0]);
  const to = Math.min(count, waiting.first + waiting.answers.length - offsets[0]);
  for (let i = from; i < to; i++) {
    waiting.answers[offsets[i] - waiting.first] = answerOf(outcomes, i);
    waiting.missing -= 1;
  }
  if (waiting.missing === 0) waiting.resolve(waiting.answers);
}

export function answerOf(outcomes: OutcomeBatch, i: number): Answer {
  if (outcomes.kinds[i] === OutcomeKind.deadLetter) return outcomes.deadLetters.get(i)!;
  return { json: UTF8.decode(outcomes.bytes.subarray(outcomes.start[i], outcomes.end[i])) };
}
