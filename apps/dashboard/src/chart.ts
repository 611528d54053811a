/** One stream drawn: what came (solid), what had been predicted for it (dashed), and along the foot who predicted. */
import uPlot from 'uplot';
import { clock, decimalsFor, moment, number, withUnit } from './format.js';
import { palette } from './palette.js';
import type { Series } from './series.js';

const DASH = [4, 3];
const BAND = 3;

export interface ChartOptions {
  height: number;
  /** The newest points that are shown. */
  points: number;
  readout: HTMLElement;
}

type Column = (number | null)[];

export class Chart {
  /** Decimals that suit the values on show. */
  decimals = 2;
  private plot: uPlot | undefined;
  private series: Series | undefined;
  private first = 0;
  private utc = false;

  constructor(
    private readonly host: HTMLElement,
    private readonly options: ChartOptions,
  ) {
    new ResizeObserver(() => {
      if (this.plot !== undefined && host.clientWidth > 0 && host.clientWidth !== this.plot.width)
        this.plot.setSize({ width: host.clientWidth, height: options.height });
    }).observe(host);
  }

  draw(series: Series): void {
    if (series.ts.length === 0 || this.host.clientWidth === 0) return;
    this.series = series;
    this.first = Math.max(0, series.ts.length - this.options.points);
    const x = series.ts.slice(this.first);
    const actual: Column = series.actual.slice(this.first);
    const expected: Column = series.expected.slice(this.first);
    const { next } = series.info;
    // The dashed line runs one tick ahead: the prediction that now waits for its actual.
    if (next?.targetTs != null && next.prediction !== null && next.targetTs / 1000 > x[x.length - 1]) {
      x.push(next.targetTs / 1000);
      actual.push(null);
      expected.push(next.prediction);
    }
    const [min, max] = extent(actual);
    this.decimals = decimalsFor(max - min || Math.abs(max), this.decimals);
    if (this.plot !== undefined && this.utc !== series.replayed) this.destroy();
    this.utc = series.replayed;
    if (this.plot === undefined) this.plot = this.create([x, actual, expected]);
    else this.plot.setData([x, actual, expected]);
  }

  destroy(): void {
    this.plot?.destroy();
    this.plot = undefined;
  }

  private create(data: uPlot.AlignedData): uPlot {
    const font = `11px ${getComputedStyle(this.host).fontFamily}`;
    const axis: uPlot.Axis = {
      stroke: () => palette.soft,
      font,
      grid: { stroke: () => palette.grid, width: 1 },
      ticks: { show: false },
    };
    return new uPlot(
      {
        width: this.host.clientWidth,
        height: this.options.height,
        padding: [6, 8, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
        tzDate: (seconds) => this.date(seconds),
        scales: {
          x: { time: true, range: (_u, min, max) => (max > min ? [min, max] : [min - 1, max + 1]) },
          y: { range: (u) => yRange(u.data[1] as Column, u.data[2] as Column) },
        },
        axes: [
          { ...axis, size: 22, gap: 4, space: 78, values: (_u, splits, _i, _s, step) => this.labels(splits, step) },
          { ...axis, size: 46, gap: 6, space: 30, values: (_u, splits) => splits.map((y) => yLabel(y, splits)) },
        ],
        series: [
          {},
          { stroke: () => palette.actual, width: 1.6, points: { show: false } },
          { stroke: () => palette.predicted, width: 1.4, dash: DASH, points: { show: false } },
        ],
        hooks: {
          drawAxes: [(u) => this.drawSwaps(u)],
          draw: [(u) => this.drawBand(u)],
          setCursor: [(u) => this.read(u)],
        },
      },
      data,
      this.host,
    );
  }

  /** uPlot reads a date's local getters: for UTC they have to be moved. */
  private date(seconds: number): Date {
    const date = new Date(seconds * 1000);
    return this.utc ? uPlot.tzDate(date, 'Etc/UTC') : date;
  }

  private labels(splits: number[], step: number): string[] {
    return splits.map((x) => clock(this.date(x), step));
  }

  private drawSwaps(u: uPlot): void {
    const { ctx, bbox, scales } = u;
    for (const { ts } of this.series!.swaps) {
      if (ts < scales.x.min! || ts > scales.x.max!) continue;
      const x = Math.round(u.valToPos(ts, 'x', true));
      ctx.save();
      ctx.strokeStyle = ctx.fillStyle = palette.model;
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([devicePixelRatio, 2 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const r = 4 * devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(x - r, bbox.top);
      ctx.lineTo(x + r, bbox.top);
      ctx.lineTo(x, bbox.top + 1.4 * r);
      ctx.fill();
      ctx.restore();
    }
  }

  /** Runs of the same source, as a line along the foot. */
  private drawBand(u: uPlot): void {
    const { ctx, bbox } = u;
    const { ts, source } = this.series!;
    const height = BAND * devicePixelRatio;
    for (let i = this.first; i < ts.length;) {
      let end = i + 1;
      while (end < ts.length && source[end] === source[i]) end += 1;
      const from = u.valToPos(ts[i], 'x', true);
      const to = end < ts.length ? u.valToPos(ts[end], 'x', true) : bbox.left + bbox.width;
      ctx.fillStyle = palette[source[i]] ?? palette.baseline;
      ctx.fillRect(from, bbox.top + bbox.height - height, Math.max(1, to - from), height);
      i = end;
    }
  }

  private read(u: uPlot): void {
    const { readout } = this.options;
    const i = u.cursor.idx;
    const inside = i != null && (u.cursor.left ?? -1) >= 0;
    readout.hidden = !inside;
    if (!inside || this.series === undefined) return;
    const { info, step } = this.series;
    const show = (column: number): string => withUnit(u.data[column][i], this.decimals, info.unit);
    const when = moment(this.date(u.data[0][i]), step);
    readout.textContent = `${when} · actual ${show(1)} · predicted ${show(2)}`;
  }
}

function extent(column: Column): [min: number, max: number] {
  let min = Infinity;
  let max = -Infinity;
  for (const y of column) {
    if (y === null) continue;
    if (y < min) min = y;
    if (y > max) max = y;
  }
  return min <= max ? [min, max] : [0, 0];
}

/** Holds all actuals; a prediction may stretch the range, but never squash the actuals to a flat line. */
function yRange(actual: Column, expected: Column): [number, number] {
  const [low, high] = actual.some((y) => y !== null) ? extent(actual) : extent(expected);
  const span = high - low || Math.abs(high) * 0.1 || 1;
  const [lowest, highest] = extent(expected);
  const min = Math.max(Math.min(low, lowest), low - span);
  const max = Math.min(Math.max(high, highest), high + span);
  const pad = 0.1 * (max - min || span);
  return [min - 1.6 * pad, max + pad];
}

function yLabel(y: number, splits: number[]): string {
  const step = splits.length > 1 ? splits[1] - splits[0] : 1;
  const size = Math.abs(y);
  if (size >= 1e5) return new Intl.NumberFormat('en', { notation: 'compact' }).format(y).replace('-', '−');
  return number(y, Math.min(4, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))));
}
