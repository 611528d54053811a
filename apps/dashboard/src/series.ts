/** The points of one stream, at most MAX_POINTS of them, in ascending time as the chart needs them. */
import type { Point, Source, StreamFrame } from './frame.types.js';

export const MAX_POINTS = 600;
const MAX_SWAPS = 8;
/** Ticks this far from the server's clock are a replay: shown as recorded dates, in UTC. */
const REPLAY_MS = 36 * 3_600_000;

export class Series {
  /** In seconds. */
  readonly ts: number[] = [];
  readonly actual: (number | null)[] = [];
  readonly expected: (number | null)[] = [];
  readonly source: Source[] = [];
  /** Moments at which another model took over: the first tick it had predicted. */
  readonly swaps: { ts: number; label: string }[] = [];
  replayed = false;
  /** Points ever taken in. */
  received = 0;
  private swapPending: string | undefined;

  constructor(public info: StreamFrame) {}

  /** `history`: the points overlap what is already here and replace it from their first one on. */
  take(info: StreamFrame, now: number, history: boolean): void {
    this.info = info;
    const { points } = info;
    if (history && points.length > 0) this.cut(points[0][0] / 1000);
    for (const point of points) this.push(point);
    const extra = this.ts.length - MAX_POINTS;
    if (extra > 0) for (const column of [this.ts, this.actual, this.expected, this.source]) column.splice(0, extra);
    while (this.swaps.length > 0 && (this.swaps.length > MAX_SWAPS || this.swaps[0].ts < this.ts[0]))
      this.swaps.shift();
    const last = this.ts.at(-1);
    if (last !== undefined) this.replayed = Math.abs(now - last * 1000) > REPLAY_MS;
  }

  swap(label: string): void {
    this.swapPending = label;
  }

  /** The last value that was not missing. */
  get last(): number | null {
    for (let i = this.actual.length - 1; i >= 0; i--) if (this.actual[i] !== null) return this.actual[i];
    return null;
  }

  /** Seconds from tick to tick, as the last few of them came. */
  get step(): number {
    const n = this.ts.length;
    if (n < 2) return 1;
    const k = Math.min(8, n - 1);
    return (this.ts[n - 1] - this.ts[n - 1 - k]) / k;
  }

  private push([ms, value, expected, source]: Point): void {
    const ts = ms / 1000;
    if (this.ts.length > 0 && ts < this.ts[this.ts.length - 1]) return;
    if (this.swapPending !== undefined) {
      this.swaps.push({ ts, label: this.swapPending });
      this.swapPending = undefined;
    }
    this.ts.push(ts);
    this.actual.push(value);
    this.expected.push(expected);
    this.source.push(source);
    this.received += 1;
  }

  private cut(from: number): void {
    let keep = this.ts.length;
    while (keep > 0 && this.ts[keep - 1] >= from) keep -= 1;
    for (const column of [this.ts, this.actual, this.expected, this.source]) column.length = keep;
  }
}
