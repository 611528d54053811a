/** One stream drawn: what came (solid), what had been predicted for it (dashed) with its interval (band), and the prediction for the next tick. */
import uPlot from 'uplot';
import { timeLabels, valueLabels } from './axis-labels.js';
import { isRecorded } from './format.js';
import type { StreamBuffer } from './stream-buffer.js';
import { theme } from './theme.js';

const AXIS_FONT = '11px system-ui, sans-serif';
/** The scale follows growing data at once but shrinks only when the data fill less than this of it: no jitter. */
const SHRINK_BELOW = 0.55;
const MARGIN = 0.08;
/** Half the width of an axis label's character, in pixels. */
const LABEL_HALF_EM = 2.7;

export interface ChartOptions {
  readonly height: number;
  /** Newest points drawn. */
  readonly window: number;
  /** Told the index of the point under the pointer. */
  readonly onHover?: (index: number | null, data: uPlot.AlignedData) => void;
}

export class StreamChart {
  private plot: uPlot | undefined;
  private takeovers: readonly number[] = [];
  private utc = false;
  private readonly yRange: { min: number; max: number } = { min: NaN, max: NaN };

  constructor(
    private readonly host: HTMLElement,
    private readonly options: ChartOptions,
  ) {}

  draw(buffer: StreamBuffer, now: number): void {
    const width = this.host.clientWidth;
    if (width === 0) return;
    const data = buffer.columns(this.options.window);
    this.takeovers = buffer.takeovers(this.options.window);
    this.utc = isRecorded(data[0].at(-1) ?? now, now);
    if (this.plot === undefined) this.plot = new uPlot(this.plotOptions(width), data, this.host);
    else {
      if (this.plot.width !== width) this.plot.setSize({ width, height: this.options.height });
      this.plot.setData(data);
    }
  }

  destroy(): void {
    this.plot?.destroy();
    this.plot = undefined;
  }

  private plotOptions(width: number): uPlot.Options {
    const grid = { stroke: () => theme.grid, width: 1 };
    const axis = { stroke: () => theme.muted, font: AXIS_FONT, grid, ticks: { show: false }, gap: 4 };
    const { onHover } = this.options;
    return {
      width,
      height: this.options.height,
      ms: 1,
      tzDate: (ts) => (this.utc ? uPlot.tzDate(new Date(ts), 'UTC') : new Date(ts)),
      padding: [6, 8, 0, 0],
      legend: { show: false },
      cursor: onHover === undefined ? { show: false } : { y: false, drag: { setScale: false } },
      scales: { x: { time: true }, y: { range: (plot) => this.rangeOf(plot.data) } },
      axes: [
        {
          ...axis,
          size: 22,
          space: 72,
          grid: { show: false },
          values: (plot, splits, _axis, _space, increment) => this.timeLabels(plot, splits, increment),
        },
        { ...axis, size: 44, space: 34, values: (_plot, splits) => valueLabels(splits) },
      ],
      series: [
        {},
        { stroke: () => theme.actual, width: 1.5, points: { show: false } },
        { stroke: () => theme.predicted, width: 1.5, dash: [4, 3], points: { show: false } },
        { width: 0, points: { show: false } },
        { width: 0, points: { show: false } },
      ],
      bands: [{ series: [4, 3], fill: () => theme.interval }],
      hooks: {
        drawAxes: [(plot) => this.drawTakeovers(plot)],
        draw: [(plot) => this.drawEnds(plot)],
        ...(onHover === undefined ? {} : { setCursor: [(plot) => onHover(plot.cursor.idx ?? null, plot.data)] }),
      },
    };
  }

  /** A label that would run out of the chart at the right is left out. */
  private timeLabels(plot: uPlot, splits: readonly number[], increment: number): string[] {
    const room = plot.over.clientWidth || plot.width;
    return timeLabels(splits, increment, this.utc).map((label, i) =>
      room - plot.valToPos(splits[i], 'x') < label.length * LABEL_HALF_EM ? '' : label,
    );
  }

  private rangeOf(data: uPlot.AlignedData): [number, number] {
    const extent = visibleExtent(data);
    if (extent === undefined) return [0, 1];
    const [min, max] = extent;
    const size = max - min || Math.abs(max) * 0.1 || 1;
    const range = this.yRange;
    const fits = min >= range.min && max <= range.max && size >= SHRINK_BELOW * (range.max - range.min);
    if (!fits) {
      const middle = (min + max) / 2;
      range.min = Math.min(min, middle - size / 2) - size * MARGIN;
      range.max = Math.max(max, middle + size / 2) + size * MARGIN;
    }
    return [range.min, range.max];
  }

  /** Where forecasts began to come from the model. */
  private drawTakeovers(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const ratio = uPlot.pxRatio;
    ctx.save();
    ctx.strokeStyle = theme.marker;
    ctx.fillStyle = theme.marker;
    ctx.lineWidth = ratio;
    ctx.font = `${10 * ratio}px system-ui, sans-serif`;
    ctx.textBaseline = 'top';
    for (const ts of this.takeovers) {
      const x = Math.round(plot.valToPos(ts, 'x', true)) + 0.5;
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.setLineDash([2 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const right = x < bbox.left + bbox.width - 40 * ratio;
      ctx.textAlign = right ? 'left' : 'right';
      ctx.fillText('model', x + (right ? 4 : -4) * ratio, bbox.top + ratio);
    }
    ctx.restore();
  }

  /** A dot on the last actual value and a ring on the prediction for the tick to come. */
  private drawEnds(plot: uPlot): void {
    const [ts, value, expected] = plot.data;
    let last = ts.length - 1;
    const forecast = last >= 0 && value[last] === null && expected[last] !== null ? last : -1;
    while (last >= 0 && typeof value[last] !== 'number') last -= 1;
    if (last >= 0) dot(plot, ts[last], value[last]!, theme.actual, theme.actual);
    if (forecast >= 0) dot(plot, ts[forecast], expected[forecast]!, theme.predicted, theme.surface);
  }
}

/** Of both lines; but a prediction far off may stretch the range only so much that the actual line keeps its shape. */
function visibleExtent([, value, expected]: uPlot.AlignedData): [min: number, max: number] | undefined {
  const actual = extentOf(value);
  const predicted = extentOf(expected);
  if (actual === undefined || predicted === undefined) return actual ?? predicted;
  const span = actual[1] - actual[0] || Math.abs(actual[1]) * 0.1 || 1;
  return [
    Math.min(actual[0], Math.max(predicted[0], actual[0] - span)),
    Math.max(actual[1], Math.min(predicted[1], actual[1] + span)),
  ];
}

function extentOf(column: uPlot.AlignedData[number]): [min: number, max: number] | undefined {
  let min = Infinity;
  let max = -Infinity;
  for (const y of column) {
    if (typeof y !== 'number') continue;
    if (y < min) min = y;
    if (y > max) max = y;
  }
  return min <= max ? [min, max] : undefined;
}

function dot(plot: uPlot, ts: number, value: number, stroke: string, fill: string): void {
  const { ctx } = plot;
  const ratio = uPlot.pxRatio;
  ctx.save();
  // uPlot leaves the dashes of the line it drew last.
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.arc(plot.valToPos(ts, 'x', true), plot.valToPos(value, 'y', true), 2.5 * ratio, 0, 2 * Math.PI);
  ctx.fillStyle = fill;
  ctx.strokeStyle = stroke;
  ctx.lineWidth = 1.5 * ratio;
  ctx.fill();
  ctx.stroke();
  ctx.restore();
}
