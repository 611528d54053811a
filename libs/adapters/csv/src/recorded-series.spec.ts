import { describe, expect, it } from 'vitest';
import { recordedSeries } from './recorded-series.js';

const series = recordedSeries();

describe('recorded series', () => {
  it.each(series.map((s) => [s.id, s] as const))(
    '%s is there, in order, without gaps in its values',
    async (_, one) => {
      const { ts, value } = await one.load();
      expect(ts).toHaveLength(value.length);
      expect(ts.length).toBeGreaterThan(100);
      expect(ts.every((t, i) => i === 0 || t > ts[i - 1])).toBe(true);
      expect(value.every(Number.isFinite)).toBe(true);
      const steps = ts.slice(1).map((t, i) => t - ts[i]);
      expect(steps.sort()[steps.length >> 1] / one.cadence).toBeCloseTo(1, 1);
    },
  );

  it('holds the values as recorded', async () => {
    const byId = new Map(series.map((one) => [one.id, one]));
    const sp500 = await byId.get('sp500.close')!.load();
    expect([sp500.ts[0], sp500.value[0], sp500.value.length, sp500.value.at(-1)]).toEqual([
      Date.UTC(2000, 0, 3),
      1455.219971,
      5105,
      2874.560059,
    ]);
    const seattle = await byId.get('seattle.temp_max')!.load();
    expect([seattle.ts[0], seattle.value[0], seattle.value.length]).toEqual([Date.UTC(2012, 0, 1), 12.8, 1461]);
    const apple = await byId.get('stocks.AAPL')!.load();
    expect([apple.value.length, apple.value.at(-1)]).toEqual([123, 223.02]);
  });

  it('is read once', async () => {
    expect(await series[0].load()).toBe(await series[0].load());
  });
});
