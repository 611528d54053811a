/** Makes the model that ships, from synthetic series alone. Same backend, same bytes. */
import type { ModelArtifact } from '#domain/model';
import { digestOf } from '#domain/model-digest';
import { CALENDAR_FEATURES } from '#forecasting/calendar';
import { FEATURES, ForecastPlan } from '#forecasting/forecast-plan';
import { trainingRows, type TrainingRows } from '#forecasting/training-rows';
import { useBackend } from '#training/backend';
import { draftOf } from '#training/draft';
import { evaluate } from '#training/evaluate';
import { fitForecaster } from '#training/fit-forecaster';
import { networkSpec } from '#training/recurrent-network';
import { DEFAULT_FORECAST, DEFAULT_LEVEL, DEFAULT_MODEL } from './default-model.js';
import { syntheticSeries } from './synthetic-series.js';

export interface Recipe {
  readonly seed: number;
  readonly hidden: number;
  readonly epochs: number;
  /** Series met at their first tick, as many rows as a training sequence has; and long ones. */
  readonly young: number;
  readonly old: number;
  /** Series that say how large first errors are. */
  readonly judged: number;
}

export const RECIPE: Recipe = { seed: 1, hidden: 12, epochs: 400, young: 6000, old: 2000, judged: 3000 };

const ROWS = { young: 65, old: 400, judged: 8 };
const RATE = 0.01;
/** Of the manifest: the bytes must not depend on when they were made. */
const MADE = Date.UTC(2026, 0, 1);
const CALENDAR = FEATURES - CALENDAR_FEATURES;

export async function trainDefaultModel(recipe: Recipe = RECIPE): Promise<ModelArtifact> {
  const { seed, hidden, epochs } = recipe;
  // Everybody has this one: what ships must not depend on what its maker has built.
  const backend = await useBackend(['wasm']);
  const plan = new ForecastPlan(DEFAULT_FORECAST);
  const windows = [
    ...syntheticSeries(seed, recipe.young, ROWS.young),
    ...syntheticSeries(seed + 1, recipe.old, ROWS.old),
  ];
  const network = networkSpec('gru', FEATURES, hidden);
  const { weights } = fitForecaster({
    streams: windows.map((window) => withoutCalendar(trainingRows(plan, window))),
    network,
    cell: 'gru',
    seed,
    epochs,
    rate: RATE,
    // A new stream has no past to warm up with, and series that are made are never too few.
    burnIn: 0,
    weightDecay: 0,
  });
  const gates = 3 * hidden;
  // Nothing was ever seen in these places: what initial weights would make of a date is noise.
  weights.fill(0, CALENDAR * gates, FEATURES * gates);
  const judged = syntheticSeries(seed + 2, recipe.judged, ROWS.judged);
  const {
    calibration,
    errors: _,
    ...validation
  } = evaluate(
    { ...DEFAULT_FORECAST, level: DEFAULT_LEVEL },
    network,
    weights,
    judged,
    judged.map((window) => trainingRows(plan, window)),
    judged.map(() => ROWS.judged),
    1,
  );
  const record = {
    streams: windows.length,
    rows: windows.reduce((sum, window) => sum + window.length / 2, 0),
    epochs,
    seed,
    seconds: 0,
    validation,
  };
  const forecast = { ...DEFAULT_FORECAST, calibration, level: DEFAULT_LEVEL };
  const result = { network, weights, forecast, record, improved: true, stopped: 'epochs', backend } as const;
  const draft = draftOf(result, DEFAULT_MODEL.name, 1, MADE);
  const content = { ...draft, format: 1 as const, version: DEFAULT_MODEL.version };
  return { manifest: { ...content, digest: digestOf(content, weights) }, weights };
}

function withoutCalendar({ features, targets }: TrainingRows): TrainingRows {
  const kept = features.slice();
  for (let row = 0; row < kept.length; row += FEATURES) kept.fill(0, row + CALENDAR, row + FEATURES);
  return { features: kept, targets };
}
