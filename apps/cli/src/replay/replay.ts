/** Publishes rows, each chunk after the one before it has been taken: the receiver sets the pace. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isReject, type CsvRow, type CsvTick } from '#adapters/csv/csv.types';
import { RiverrunError } from '#domain/errors';
import type { NamedInput } from '#domain/pipeline-spec';
import type { Answer, ReplayTarget } from './targets.js';

export interface Summary {
  /** Records of the file that were published. */
  readonly ticks: number;
  /** Absent where the target does not answer. */
  readonly predictions?: number;
  /** Records that could not be read, and ticks that the service dead-lettered. */
  readonly rejected: number;
  readonly rejectedByCode: Readonly<Record<string, number>>;
  readonly seconds: number;
}

const MOST_TICKS = 2000;
/** Node cannot sleep longer at once. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1;

export class Replay {
  private ticks = 0;
  private predictions: number | undefined;
  private readonly rejected = new Map<string, number>();
  private chunk: CsvTick[] = [];
  private readonly started = performance.now();
  private firstTs: number | undefined;

  constructor(
    private readonly target: ReplayTarget,
    private readonly columns: readonly NamedInput[],
    /** Recorded time passes this many times as fast; Infinity: no pace. */
    private readonly speed: number,
    private readonly onReject: (line: number, code: string, message: string) => void,
  ) {
    if (target.answers) this.predictions = 0;
  }

  async publish(batches: AsyncIterable<CsvRow[]>): Promise<void> {
    for await (const rows of batches) {
      for (const row of rows) {
        if (isReject(row)) this.reject(row.line, row.error.code, row.error.message);
        else {
          await this.waitFor(row.ts);
          this.chunk.push(row);
          if (this.chunk.length >= MOST_TICKS) await this.send();
        }
      }
    }
    await this.send();
  }

  summary(): Summary {
    const codes = [...this.rejected].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      ticks: this.ticks,
      ...(this.predictions !== undefined && { predictions: this.predictions }),
      rejected: codes.reduce((sum, [, n]) => sum + n, 0),
      rejectedByCode: Object.fromEntries(codes),
      seconds: Math.round(performance.now() - this.started) / 1000,
    };
  }

  /** Until the tick's recorded time has come. Those before it go out first. Times that go back, as where a file holds one stream after the
   *  other, have come already. */
  private async waitFor(ts: number): Promise<void> {
    if (this.speed === Infinity) return;
    this.firstTs ??= ts;
    const due = this.started + (ts - this.firstTs) / this.speed;
    if (due <= performance.now()) return;
    await this.send();
    for (let left = due - performance.now(); left > 0; left = due - performance.now())
      await sleep(Math.min(left, LONGEST_SLEEP_MS));
  }

  private async send(): Promise<void> {
    const { chunk } = this;
    if (chunk.length === 0) return;
    this.chunk = [];
    let answers: readonly Answer[] | undefined;
    try {
      answers = await this.target.publish(chunk.map((tick) => ({ stream: tick.stream, json: this.toJson(tick) })));
    } catch (error) {
      if (!(error instanceof RiverrunError) || this.ticks === 0) throw error;
      throw new RiverrunError(error.code, `${error.message}; published up to before line ${chunk[0].line}`, {
        cause: error,
      });
    }
    this.ticks += chunk.length;
    answers?.forEach(({ code, message }, i) => {
      if (code === undefined) this.predictions! += 1;
      else this.reject(chunk[i].line, code, message ?? '');
    });
  }

  private toJson({ stream, ts, values }: CsvTick): string {
    // JSON has no NaN: it becomes null, which is missing.
    if (values.length === 1) return JSON.stringify({ stream, ts, value: values[0] });
    let at = 0;
    const named = this.columns.map(({ name, ahead }) => {
      const given = ahead === 0 ? values[at] : values.slice(at, at + 1 + ahead);
      at += 1 + ahead;
      return [name, given] as const;
    });
    return JSON.stringify({ stream, ts, values: Object.fromEntries(named) });
  }

  private reject(line: number, code: string, message: string): void {
    this.rejected.set(code, (this.rejected.get(code) ?? 0) + 1);
    this.onReject(line, code, message);
  }
}
