/** The default's ticks: this machine's own vital signs, live, and recorded series replayed at a speed one can watch. */
import type { Logger, TickAppender } from '#domain/ports';
import { errorMessage } from '#domain/errors';
import { RecordBatchBuilder, type RecordBatch } from '#domain/record-batch';
import { recordedSeries, type RecordedSeries } from '#adapters/csv/recorded-series';
import { VitalsSampler } from '#adapters/vitals/vitals-sampler';
import type { StreamTitle } from './live-feed.js';

const VITALS_MS = 250;
const RECORDED_MS = 200;
const RECORDED = 'recorded-series';
/** The last moment a tick may carry: see the TIMESTAMP code. */
const END_OF_TIME = Date.UTC(2199, 11, 31);

type DemoTick = { stream: string; ts: number; value: number | null } | { stream: string; control: 'reset' };

export class DemoSources {
  readonly titles = new Map<string, StreamTitle>();
  private readonly vitals = new VitalsSampler();
  private readonly timers: NodeJS.Timeout[] = [];
  private series: RecordedSeries[] = [];
  private step = 0;
  private appending = false;

  constructor(
    private readonly log: TickAppender,
    private readonly topic: string,
    private readonly logger: Logger,
  ) {}

  async start(): Promise<void> {
    this.series = await recordedSeries();
    for (const { id, title, unit } of this.series) this.titles.set(id, { group: 'recorded', title, unit });
    // The position is stored in the same write as the ticks: a restart goes on with the very next row.
    this.step = Number((await this.log.sourcePosition(RECORDED)) ?? 0);
    this.every(VITALS_MS, () => this.appendVitals());
    this.every(RECORDED_MS, () => this.appendRecorded());
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.vitals.close();
  }

  private every(ms: number, append: () => Promise<unknown>): void {
    const timer = setInterval(() => {
      if (this.appending) return;
      this.appending = true;
      append()
        .catch((error: unknown) => this.logger.warn('a demo tick was not stored', { error: errorMessage(error) }))
        .finally(() => (this.appending = false));
    }, ms);
    this.timers.push(timer);
  }

  private appendVitals(): Promise<number> {
    const now = Date.now();
    const vitals = this.vitals.sample();
    for (const { id, title, unit } of vitals)
      if (!this.titles.has(id)) this.titles.set(id, { group: 'this machine', title, unit });
    return this.log.append(
      this.records(
        vitals.map(({ id, value }) => ({ stream: id, ts: now, value })),
        now,
      ),
    );
  }

  private async appendRecorded(): Promise<void> {
    const now = Date.now();
    const ticks = this.series.flatMap((series) => this.rowsOf(series));
    await this.log.append(this.records(ticks, now), { source: RECORDED, position: String(this.step + 1) });
    this.step += 1;
  }

  /** The series' row at the present step. At its end a series starts over, moved on in time so that it goes on growing; where that would leave the calendar, with a reset. */
  private rowsOf({ id, ts, values }: RecordedSeries): DemoTick[] {
    const [first, second] = ts;
    const last = ts[ts.length - 1];
    const span = last - first + (second - first);
    const laps = Math.max(1, Math.floor((END_OF_TIME - last) / span));
    const row = this.step % values.length;
    const lap = Math.floor(this.step / values.length) % laps;
    const value = values[row];
    const tick = { stream: id, ts: ts[row] + lap * span, value: Number.isNaN(value) ? null : value };
    return row === 0 && lap === 0 && this.step > 0 ? [{ stream: id, control: 'reset' }, tick] : [tick];
  }

  private records(ticks: readonly DemoTick[], now: number): RecordBatch {
    const builder = new RecordBatchBuilder();
    for (const tick of ticks) builder.add(Buffer.from(tick.stream), Buffer.from(JSON.stringify(tick)), now);
    return builder.build(this.topic, 0, 0);
  }
}
