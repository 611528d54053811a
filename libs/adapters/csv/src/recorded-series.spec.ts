import { describe, expect, it } from 'vitest';
import { recordedSeries } from './recorded-series.js';

const series = await recordedSeries();

describe('recorded series', () => {
  it.each(series.map((s) => [s.id, s] as const))('%s is there, in order, without gaps in its values', (_, one) => {
    const { ts, values: value } = one;
    expect(ts).toHaveLength(value.length);
    expect(ts.length).toBeGreaterThan(100);
    expect(ts.every((t, i) => i === 0 || t > ts[i - 1])).toBe(true);
    expect(value.every(Number.isFinite)).toBe(true);
    const steps = ts.slice(1).map((t, i) => t - ts[i]);
    expect(steps.sort()[steps.length >> 1] / one.cadence).toBeCloseTo(1, 1);
  });

  it('holds the values as recorded', () => {
    const byId = new Map(series.map((one) => [one.id, one]));
    const sp500 = byId.get('sp500.close')!;
    expect([sp500.ts[0], sp500.values[0], sp500.values.length, sp500.values.at(-1)]).toEqual([
      Date.UTC(2000, 0, 3),
      1455.219971,
      5105,
      2874.560059,
    ]);
    const seattle = byId.get('seattle.temp_max')!;
    expect([seattle.ts[0], seattle.values[0], seattle.values.length]).toEqual([Date.UTC(2012, 0, 1), 12.8, 1461]);
    const apple = byId.get('stocks.AAPL')!;
    expect([apple.values.length, apple.values.at(-1)]).toEqual([123, 223.02]);
  });

  it('is read once', async () => {
    expect(await recordedSeries()).toBe(series);
  });
});
