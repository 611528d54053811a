/** Forecast, interval and truth of the last rows as an SVG. */
import type { Point } from './backtest.js';

const WIDTH = 1200;
const HEIGHT = 420;
const MARGIN = { left: 70, right: 20, top: 40, bottom: 40 };

/** `points` in the order of time. */
export function plot(title: string, points: readonly Point[]): string {
  const times = points.map(({ ts }) => ts);
  const values = points
    .flatMap(({ truth, forecast, lower, upper }) => [truth, forecast, lower, upper])
    .filter(Number.isFinite);
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (ts: number): number =>
    MARGIN.left + ((ts - from) / (to - from || 1)) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (value: number): number =>
    HEIGHT - MARGIN.bottom - ((value - low) / (high - low || 1)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const at = (ts: number, value: number): string => `${x(ts).toFixed(1)},${y(value).toFixed(1)}`;
  const line = (value: (point: Point) => number): string =>
    points
      .filter((point) => Number.isFinite(value(point)))
      .map((point) => at(point.ts, value(point)))
      .join(' ');
  const band = [
    ...points.filter(({ upper }) => Number.isFinite(upper)).map(({ ts, upper }) => at(ts, upper)),
    ...points
      .filter(({ lower }) => Number.isFinite(lower))
      .map(({ ts, lower }) => at(ts, lower))
      .reverse(),
  ].join(' ');
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => low + share * (high - low));
  const grid = ticks
    .map(
      (value) =>
        `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}" stroke="#ddd"/>` +
        `<text x="${MARGIN.left - 8}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${Number(value.toPrecision(4))}</text>`,
    )
    .join('');
  const days = [from, (from + to) / 2, to]
    .map(
      (ts, i) =>
        `<text x="${x(ts).toFixed(1)}" y="${HEIGHT - 14}" text-anchor="${['start', 'middle', 'end'][i]}">${new Date(ts).toISOString().slice(0, 16).replace('T', ' ')}</text>`,
    )
    .join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#333">
<rect width="100%" height="100%" fill="#fff"/>
<text x="${MARGIN.left}" y="24" font-size="15">${escaped(title)}: truth (black), forecast (orange), 90 % interval (band)</text>
${grid}${days}
<polygon points="${band}" fill="#f2a65a" fill-opacity="0.3"/>
<polyline points="${line(({ truth }) => truth)}" fill="none" stroke="#222" stroke-width="1"/>
<polyline points="${line(({ forecast }) => forecast)}" fill="none" stroke="#d9480f" stroke-width="1"/>
</svg>
`;
}

const escaped = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
