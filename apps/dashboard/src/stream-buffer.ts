/** The points of one stream the page keeps, in the columns uPlot draws. */
import type { Point, StreamFrame } from './protocol.js';

export const MAX_POINTS = 600;
/** Points that make a takeover worth a mark. */
const WHILE = 20;

type Column = (number | null)[];
/** `low` and `high`: the interval around what was expected. */
export type Columns = [ts: number[], value: Column, expected: Column, low: Column, high: Column];

export class StreamBuffer {
  private readonly points: Point[] = [];
  private next: StreamFrame['next'] = null;

  /** `first`: the points are the whole history, not what is new. */
  take(frame: StreamFrame, first: boolean): void {
    if (first) this.points.length = 0;
    for (const point of frame.points) this.insert(point);
    if (this.points.length > MAX_POINTS) this.points.splice(0, this.points.length - MAX_POINTS);
    this.next = frame.next;
  }

  get size(): number {
    return this.points.length;
  }

  get last(): Point | undefined {
    return this.points.at(-1);
  }

  /** The forecast for the tick to come; a forecast the points have overtaken is old news. */
  get forecast(): { ts: number | null; value: number; half: number | null } | undefined {
    const { next, last } = this;
    if (next === null || next.prediction === null) return undefined;
    if (next.targetTs !== null && last !== undefined && next.targetTs < last[0]) return undefined;
    return { ts: next.targetTs, value: next.prediction, half: next.half ?? null };
  }

  /** The newest `count` points, and after them the forecast for the tick to come. */
  columns(count: number): Columns {
    const from = Math.max(0, this.points.length - count);
    const columns: Columns = [[], [], [], [], []];
    const push = (ts: number, value: number | null, expected: number | null, half: number | null): void => {
      const known = expected !== null && half !== null;
      columns[0].push(ts);
      columns[1].push(value);
      columns[2].push(expected);
      columns[3].push(known ? expected - half : null);
      columns[4].push(known ? expected + half : null);
    };
    for (let i = from; i < this.points.length; i++) {
      const [ts, value, expected, , half] = this.points[i];
      push(ts, value, expected, half ?? null);
    }
    const { forecast, last } = this;
    if (forecast !== undefined && forecast.ts !== null && last !== undefined && forecast.ts > last[0])
      push(forecast.ts, null, forecast.value, forecast.half);
    return columns;
  }

  /** Where a model took over from baselines that had spoken for a while: timestamps of its first forecasts. Where both are as good, they take turns. */
  takeovers(count: number): number[] {
    const from = Math.max(1, this.points.length - count + 1);
    const found: number[] = [];
    let baselines = 0;
    for (let i = from; i < this.points.length; i++) {
      if (this.points[i][3] === 'baseline') baselines += 1;
      else {
        if (baselines >= WHILE) found.push(this.points[i][0]);
        baselines = 0;
      }
    }
    return found;
  }

  /** Ticks come in order but for rare ones; uPlot needs all of them in order. */
  private insert(point: Point): void {
    let at = this.points.length;
    while (at > 0 && this.points[at - 1][0] > point[0]) at -= 1;
    this.points.splice(at, 0, point);
  }
}
