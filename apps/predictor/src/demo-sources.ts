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
        vitals.map(({ id, value }) => ({ id, ts: now, value })),
        now,
      ),
    );
  }

  private async appendRecorded(): Promise<void> {
    const now = Date.now();
    const ticks = this.series.map(({ id, ts, values }) => {
      const row = this.step % values.length;
      // At its end a series starts over, moved on in time so that it goes on growing.
      const lap = Math.floor(this.step / values.length);
      const span = ts[ts.length - 1] - ts[0] + (ts[1] - ts[0]);
      return { id, ts: ts[row] + lap * span, value: Number.isNaN(values[row]) ? null : values[row] };
    });
    await this.log.append(this.records(ticks, now), { source: RECORDED, position: String(this.step + 1) });
    this.step += 1;
  }

  private records(ticks: readonly { id: string; ts: number; value: number | null }[], now: number): RecordBatch {
    const builder = new RecordBatchBuilder();
    for (const { id, ts, value } of ticks) {
      builder.add(Buffer.from(id), Buffer.from(JSON.stringify({ stream: id, ts, value })), now);
    }
    return builder.build(this.topic, 0, 0);
  }
}
