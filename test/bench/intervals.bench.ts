/** npm run bench:intervals -- FILE.csv: libs/forecasting's intervals beside a rolling quantile, adaptive conformal inference and conformal PID, on forecasts of a series of yours.
 *    --time-column C --value-column C [--time-zone Z] [--season N (336)] [--horizon H (5)] [--evaluate-from N (10000)] [--level P (0.9)] [--phases N (56)]
 *  The forecast is the median of the same time in the last four seasons plus one coefficient (fitted before the evaluation) times how far the stream now is from that median.
 *  Prints one JSON document. Widths and Winkler scores are shares of the series' mean; `equalWidth` and `equalWinkler` are a rival's at the level that gives it our coverage;
 *  `recovered` is the longest time, over shifts of several sizes, until 100 ticks in a row are covered as asked, less two points. */
import { parseArgs } from 'node:util';
import { isReject } from '#adapters/csv/csv.types';
import { readCsvTicks } from '#adapters/csv/read-csv-ticks';
import {
  halfWidth,
  intervalPlan,
  intervalPoolSize,
  intervalSize,
  learnInterval,
  resetIntervalPool,
  resetIntervals,
} from '#forecasting/intervals';
import { parseTime } from '#pipeline/parse-time';
import { adaptiveConformal, conformalPid, rollingQuantile, type Intervals } from './interval-rivals.js';

const SEASONS = 4;
const { values: args, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'time-column': { type: 'string', default: 'timestamp' },
    'value-column': { type: 'string', default: 'value' },
    'time-zone': { type: 'string', default: 'UTC' },
    season: { type: 'string', default: '336' },
    horizon: { type: 'string', default: '5' },
    'evaluate-from': { type: 'string', default: '10000' },
    level: { type: 'string', default: '0.9' },
    phases: { type: 'string', default: '56' },
  },
});
const season = Number(args.season);
const horizon = Number(args.horizon);
const from = Number(args['evaluate-from']);
const level = Number(args.level);
const phases = Number(args.phases);

async function readSeries(file: string): Promise<number[]> {
  const series: number[] = [];
  const columns = { timeColumn: args['time-column'], valueColumns: [args['value-column']] };
  for await (const rows of readCsvTicks(file, { ...columns, timeZone: args['time-zone'], parseTime })) {
    for (const row of rows) if (!isReject(row)) series.push(row.values[0]);
  }
  return series;
}

function median(values: number[]): number {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const at = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[at] : (sorted[at - 1] + sorted[at]) / 2;
}

/** forecasts[k] of series[k], made `horizon` ticks before. */
function forecast(series: readonly number[]): number[] {
  const usual = series.map((_, k) => median(Array.from({ length: SEASONS }, (_, i) => series[k - (i + 1) * season])));
  let covariance = 0;
  let variance = 0;
  for (let k = SEASONS * season + horizon; k < from; k++) {
    const now = series[k - horizon] - usual[k - horizon];
    const then = series[k] - usual[k];
    if (!Number.isFinite(now * then)) continue;
    covariance += now * then;
    variance += now * now;
  }
  const phi = covariance / variance;
  return series.map((_, k) =>
    k < SEASONS * season + horizon ? NaN : usual[k] + phi * (series[k - horizon] - usual[k - horizon]),
  );
}

/** Half widths issued for each tick, each from the truths known `horizon` ticks before it. */
type Method = (series: readonly number[], forecasts: readonly number[], level: number) => number[];

const ours =
  (phases: number): Method =>
  (series, forecasts, level) => {
    const plan = intervalPlan({ steps: 1, level, phases });
    const state = new Float64Array(intervalSize(plan));
    const pool = new Float64Array(intervalPoolSize(plan));
    resetIntervals(plan, state, 0);
    resetIntervalPool(plan, pool);
    const halves = series.map(() => NaN);
    let unit = 1;
    for (let k = 1; k + horizon < series.length; k++) {
      const change = Math.abs(series[k] - series[k - 1]);
      if (Number.isFinite(change)) unit = k === 1 ? change || 1 : unit + (change - unit) / 256;
      const phase = (t: number): number => Math.floor(((t % season) * phases) / season);
      learnInterval(plan, state, 0, 0, phase(k), unit, series[k] - forecasts[k], halves[k], pool);
      halves[k + horizon] = halfWidth(plan, state, 0, 0, phase(k + horizon), unit, pool);
    }
    return halves;
  };

const rival =
  (make: (level: number) => Intervals): Method =>
  (series, forecasts, level) => {
    const intervals = make(level);
    const halves = series.map(() => NaN);
    for (let k = 0; k + horizon < series.length; k++) {
      const size = Math.abs(series[k] - forecasts[k]);
      if (Number.isFinite(size)) intervals.learn(size, halves[k]);
      halves[k + horizon] = intervals.half();
    }
    return halves;
  };

interface Score {
  coverage: number;
  worstSeason: number;
  width: number;
  winkler: number;
}

function score(series: readonly number[], forecasts: readonly number[], halves: readonly number[]): Score {
  let covered = 0;
  let width = 0;
  let winkler = 0;
  let mean = 0;
  let n = 0;
  const blocks: number[] = [];
  let block = 0;
  for (let k = from; k < series.length; k++) {
    const size = Math.abs(series[k] - forecasts[k]);
    if (!Number.isFinite(size)) continue;
    const hit = size <= halves[k] ? 1 : 0;
    covered += hit;
    width += 2 * halves[k];
    winkler += 2 * halves[k] + (hit === 1 ? 0 : (2 / (1 - level)) * (size - halves[k]));
    mean += series[k];
    block += hit;
    if (++n % season !== 0) continue;
    blocks.push(block / season);
    block = 0;
  }
  return { coverage: covered / n, worstSeason: Math.min(...blocks), width: width / mean, winkler: winkler / mean };
}

/** The level at which a rival has the coverage asked for. */
function equalLevel(
  series: readonly number[],
  forecasts: readonly number[],
  method: Method,
  coverage: number,
): [number, Score] {
  let low = level - 0.1;
  let high = level + (1 - level) * 0.8;
  for (let i = 0; i < 9; i++) {
    const middle = (low + high) / 2;
    if (score(series, forecasts, method(series, forecasts, middle)).coverage < coverage) low = middle;
    else high = middle;
  }
  const found = (low + high) / 2;
  return [found, score(series, forecasts, method(series, forecasts, found))];
}

/** Ticks after a lasting shift until 100 in a row are covered again: the longest of several. */
function recovered(series: readonly number[], method: Method): number {
  const mean = series.reduce((sum, x) => sum + (x || 0), 0) / series.length;
  const shifts = [
    (x: number): number => x + 0.3 * mean,
    (x: number): number => 0.8 * x,
    (x: number): number => 1.5 * x,
    (x: number): number => 3 * x,
  ];
  let longest = 0;
  for (const shift of shifts) {
    for (const at of [from + season, from + 3 * season, from + 6 * season, from + 9 * season]) {
      const moved = series.map((x, k) => (k < at ? x : shift(x)));
      const forecasts = forecast(moved);
      const halves = method(moved, forecasts, level);
      const hit = (k: number): number => (Math.abs(moved[k] - forecasts[k]) <= halves[k] ? 1 : 0);
      let ticks = 100;
      let hits = 0;
      for (let k = at; k < at + ticks; k++) hits += hit(k);
      for (; hits < 100 * (level - 0.02) && at + ticks < series.length; ticks++)
        hits += hit(at + ticks) - hit(at + ticks - 100);
      longest = Math.max(longest, ticks);
    }
  }
  return longest;
}

if (positionals.length !== 1) {
  process.stderr.write('bench:intervals needs one CSV file: npm run bench:intervals -- FILE.csv\n');
  process.exit(2);
}
const series = await readSeries(positionals[0]);
const forecasts = forecast(series);
const methods: Record<string, Method> = {
  [`riverrun, ${phases} phases`]: ours(phases),
  'riverrun, no phases': ours(0),
  'rolling quantile, one season': rival((l) => rollingQuantile(l, season)),
  'rolling quantile, four seasons': rival((l) => rollingQuantile(l, 4 * season)),
  'adaptive conformal, rate 0.005': rival((l) => adaptiveConformal(l, season, 0.005)),
  'adaptive conformal, rate 0.02': rival((l) => adaptiveConformal(l, season, 0.02)),
  'conformal PID, rate 0.03': rival((l) => conformalPid(l, 0.03)),
  'conformal PID, rate 0.1': rival((l) => conformalPid(l, 0.1)),
};
const results: Record<string, unknown> = {};
let coverage: number | undefined;
for (const [name, method] of Object.entries(methods)) {
  process.stderr.write(`${name} …\n`);
  const nominal = score(series, forecasts, method(series, forecasts, level));
  coverage ??= nominal.coverage;
  const [equal, { width: equalWidth, winkler: equalWinkler }] = equalLevel(series, forecasts, method, coverage);
  results[name] = { ...nominal, equalLevel: equal, equalWidth, equalWinkler, recovered: recovered(series, method) };
}
process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
