/** A training's result as a model to publish, and a model as what the next training is held against. */
import type { ForecastSpec, ModelDraft } from '#domain/model';
import type { Trained, TrainResult } from './train.types.js';

/** Ticks a stream needs before the network speaks for it: with further inputs, enough for their scales. */
const WARM_UP = 16;

/** `now`: ms since 1970. */
export const draftOf = (
  { network, forecast, record }: TrainResult,
  name: string,
  inputs: number,
  now: number,
): ModelDraft => ({
  name,
  network,
  scaler: 'standard',
  target: 'value',
  forecast,
  warmUp: inputs > 1 ? WARM_UP : 0,
  origin: 'trained',
  pinned: false,
  createdAt: new Date(now).toISOString(),
  training: record,
});

export const trainedOf = (weights: Float32Array, { season, regular, transform, gaps }: ForecastSpec): Trained => ({
  weights,
  season,
  regular,
  transform,
  gaps,
});
