import { describe, expect, it } from 'vitest';
import { ForecastPlan } from '#forecasting/forecast-plan';
import { forecastFeatures } from '#forecasting/other-inputs';
import { trainingRows } from '#forecasting/training-rows';
import { weightCount } from '#rnn/spec';
import { evaluate } from './evaluate.js';
import { networkSpec } from './recurrent-network.js';

describe('what a network is held against', () => {
  it('counts ticks left out as the stream itself will', () => {
    const SEASON = 8;
    const ticks = Array.from({ length: 400 }, (_, t) => t).filter((t) => t < 330 || t > 340);
    const window = Float64Array.from(
      ticks.flatMap((t) => [60_000 * t, 10 * Math.sin((2 * Math.PI * t) / SEASON) + (t % 3) / 2]),
    );
    const network = networkSpec('gru', forecastFeatures(1), 4, 1);
    const errors = [true, false].map((regular) => {
      const plan = { horizon: 1, season: SEASON, regular, timeZone: 'UTC', level: 0.9 };
      const rows = trainingRows(new ForecastPlan(plan), window);
      const weights = new Float32Array(weightCount(network));
      return evaluate(plan, network, weights, [window], [rows], [100], 1).baselineMae;
    });
    expect(errors[1]).toBeGreaterThan(1.5 * errors[0]);
  });
});
