import { describe, expect, it } from 'vitest';
import { digestOf, validateModel } from '#domain/model-digest';
import { DEFAULT_PIPELINE } from '#domain/pipeline-spec';
import { CALENDAR_FEATURES } from '#forecasting/calendar';
import { FEATURES } from '#forecasting/forecast-plan';
import { splitWeights } from '#rnn/layer-weights';
import { isDefaultModel, loadDefaultModel, suitsDefaultModel } from './default-model.js';
import { syntheticSeries } from './synthetic-series.js';
import { RECIPE, trainDefaultModel } from './train-default-model.js';

const QUICK = { ...RECIPE, hidden: 4, epochs: 2, young: 40, old: 10, judged: 50 };

describe('the model that ships', () => {
  it('is whole, small, and what its digest says', async () => {
    const { manifest, weights } = await loadDefaultModel();
    validateModel(manifest, weights);
    expect(digestOf(manifest, weights)).toBe(manifest.digest);
    expect(isDefaultModel(manifest)).toBe(true);
    expect(weights.byteLength).toBeLessThan(8192);
    expect(manifest.forecast).toMatchObject({ horizon: 1, season: 0, timeZone: 'UTC', level: 0.9 });
    expect(manifest.forecast!.calibration![0]).toBeGreaterThan(1000);
  });

  it('was made by the recipe as it stands', async () => {
    const { training } = (await loadDefaultModel()).manifest;
    expect(training).toMatchObject({
      seed: RECIPE.seed,
      epochs: RECIPE.epochs,
      streams: RECIPE.young + RECIPE.old,
      seconds: 0,
    });
  });

  it.runIf(process.env.CI === 'true')('is what the recipe makes, to the bit', { timeout: 120_000 }, async () => {
    const [shipped, made] = [await loadDefaultModel(), await trainDefaultModel()];
    expect(made.weights).toEqual(shipped.weights);
    expect(made.manifest).toEqual(shipped.manifest);
  });

  it('knows no calendar', async () => {
    const { manifest, weights } = await loadDefaultModel();
    const [{ kernel }] = splitWeights(manifest.network, weights);
    const gates = kernel.length / FEATURES;
    expect(kernel.subarray((FEATURES - CALENDAR_FEATURES) * gates).every((w) => w === 0)).toBe(true);
  });

  it('serves pipelines of one input and one step without a season, and no others', () => {
    expect(suitsDefaultModel(DEFAULT_PIPELINE)).toBe(true);
    expect(suitsDefaultModel({ ...DEFAULT_PIPELINE, season: 0, timeZone: 'Europe/Berlin', level: 0.8 })).toBe(true);
    const others = [
      { horizon: 2 },
      { season: 24 },
      { inputs: ['temp', 'load'] },
      { fields: { token: '/page' } },
      { blend: false },
    ];
    for (const other of others) expect(suitsDefaultModel({ ...DEFAULT_PIPELINE, ...other })).toBe(false);
  });
});

describe('its making', () => {
  it('gives the same bytes twice', async () => {
    const [one, two] = [await trainDefaultModel(QUICK), await trainDefaultModel(QUICK)];
    validateModel(one.manifest, one.weights);
    expect(two.weights).toEqual(one.weights);
    expect(two.manifest).toEqual(one.manifest);
    expect((await trainDefaultModel({ ...QUICK, seed: 2 })).manifest.digest).not.toBe(one.manifest.digest);
  });

  it('draws the same series from the same seed, and finite ones', () => {
    const some = syntheticSeries(7, 400, 120);
    expect(syntheticSeries(7, 400, 120)).toEqual(some);
    expect(syntheticSeries(8, 400, 120)).not.toEqual(some);
    let missing = 0;
    for (const window of some) {
      for (let t = 0; t < 120; t++) {
        if (t > 0) expect(window[2 * t]).toBeGreaterThan(window[2 * t - 2]);
        const value = window[2 * t + 1];
        if (value !== value) missing += 1;
        else expect(Math.abs(value)).toBeLessThan(Number.MAX_VALUE);
      }
      expect(window[1]).not.toBeNaN();
    }
    expect(missing / (400 * 120)).toBeGreaterThan(0.001);
    expect(missing / (400 * 120)).toBeLessThan(0.1);
  });
});
