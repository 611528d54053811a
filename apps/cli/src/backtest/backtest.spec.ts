import { describe, expect, it } from 'vitest';
import { normal, uniform } from '../../../../libs/forecasting/testing/noise.js';
import { Backtest, type BacktestOptions, type Point } from './backtest.js';
import { plot } from './plot.js';

const HOUR = 3_600_000;
const START = Date.UTC(2024, 0, 1);
const OPTIONS: BacktestOptions = {
  horizon: 3,
  season: 24,
  timeZone: 'UTC',
  window: 2_000,
  retrainEvery: 400,
  evaluateFrom: 600,
  cell: 'gru',
  hidden: 8,
  seed: 1,
};

/** A daily wave whose weekends are flat: the median of four days does not know them, the calendar does. */
function weekly(seed: number, n: number): number[] {
  const random = uniform(seed);
  return Array.from({ length: n }, (_, t) => {
    const weekend = Math.floor(t / 24) % 7 > 4;
    return 50 + (weekend ? 1 : 10) * Math.sin((2 * Math.PI * t) / 24) + 0.5 * normal(random);
  });
}

async function run(
  values: readonly number[],
  options: Partial<BacktestOptions> = {},
  streams = 1,
): Promise<{ run: Backtest; points: Map<string, Point[]> }> {
  const points = new Map<string, Point[]>();
  const backtest = new Backtest({ ...OPTIONS, ...options }, (stream, point) => {
    points.set(stream, [...(points.get(stream) ?? []), point]);
  });
  for (const [t, value] of values.entries())
    for (let s = 0; s < streams; s++) await backtest.add(`s${s}`, START + t * HOUR, [value + 100 * s]);
  await backtest.result();
  return { run: backtest, points };
}

describe('a backtest', () => {
  it('finds what the baselines miss, with intervals that hold', async () => {
    const { run: backtest } = await run(weekly(1, 3_000));
    const { metrics, retrains, evaluated, rows } = await backtest.result();
    expect({ retrains, evaluated, rows }).toEqual({ retrains: 7, evaluated: 2_400, rows: 3_000 });
    expect(metrics.model.mae).toBeLessThan(0.9 * Math.min(metrics.statistical.mae, metrics.seasonalNaive.mae));
    expect(metrics.model.coverage).toBeGreaterThan(0.87);
    expect(metrics.model.coverage).toBeLessThan(0.93);
  });

  it('does not peek: what comes later changes nothing that was forecast before', async () => {
    const values = weekly(2, 1_500);
    const other = values.map((value, t) => (t >= 1_200 ? 1e6 : value));
    const [one, two] = [await run(values), await run(other)];
    const early = ({ points }: typeof one): Point[] => points.get('s0')!.filter(({ ts }) => ts < START + 1_200 * HOUR);
    expect(early(two)).toEqual(early(one));
    // A row's forecast was made three rows before it.
    const forecasts = ({ points }: typeof one): number[] =>
      points
        .get('s0')!
        .slice(0, 603)
        .map((p) => p.forecast);
    expect(forecasts(two)).toEqual(forecasts(one));
  });

  it('gives the same numbers twice, several streams side by side, and the season by itself', async () => {
    const options = { season: 'auto', evaluateFrom: 700 } as const;
    const results = await Promise.all([1, 2].map(async () => (await run(weekly(3, 1_300), options, 2)).run.result()));
    const [one, two] = results.map(({ cpuSeconds: _, ...rest }) => rest);
    expect(two).toEqual(one);
    expect([24, 168]).toContain(one.season);
    expect(one.evaluated).toBe(1_200);
  });

  it('takes gaps, constants and jumps', async () => {
    for (const values of [
      weekly(4, 900).map((value, t) => (t % 3 === 1 ? NaN : value)),
      new Array<number>(900).fill(7),
      weekly(5, 900).map((value, t) => (t === 700 ? 1e9 : value)),
    ]) {
      const { mae, coverage } = (await (await run(values)).run.result()).metrics.model;
      expect(mae).toBeGreaterThanOrEqual(0);
      expect(coverage).toBeGreaterThan(0.7);
    }
  });

  it('is told of other inputs, and of what is known ahead', async () => {
    const random = uniform(7);
    const flags = Array.from({ length: 2_000 }, () => Number(random() < 0.3));
    const values = flags.map((flag, t) => 50 + 5 * Math.sin((2 * Math.PI * t) / 24) + 20 * flag + 0.5 * normal(random));
    const errorWith = async (inputs: string[], others: (t: number) => number[]): Promise<number> => {
      const backtest = new Backtest({ ...OPTIONS, evaluateFrom: 1_200, inputs });
      for (const [t, value] of values.entries()) await backtest.add('s', START + t * HOUR, [value, ...others(t)]);
      return (await backtest.result()).metrics.model.mae;
    };
    const alone = await errorWith(['value'], () => []);
    const now = await errorWith(['value', 'flag'], (t) => [flags[t]]);
    const ahead = await errorWith(['value', 'flag', 'flag+1', 'flag+2', 'flag+3'], (t) =>
      [0, 1, 2, 3].map((k) => flags[t + k] ?? NaN),
    );
    expect(Math.abs(now / alone - 1)).toBeLessThan(0.1);
    expect(ahead).toBeLessThan(0.6 * alone);
  });

  it('is drawn', async () => {
    const { points } = await run(weekly(6, 700));
    const svg = plot('a <b>', points.get('s0')!);
    expect(svg).toContain('a &#60;b&#62;');
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg).not.toContain('NaN');
  });
});
