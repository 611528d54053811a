/** The model that ships: what a stream's forecasts are corrected with before any model has learnt from its like. It knows what series are like, and no series. */
import { fileURLToPath } from 'node:url';
import { FileModelRegistry } from '#adapters/files/file-model-registry';
import type { ModelArtifact, ModelReference } from '#domain/model';
import type { PipelineSpec } from '#domain/pipeline-spec';

/** Another one, once this one has been released, needs another version: stored states name the model they were made with. */
export const DEFAULT_MODEL: ModelReference = { name: 'default-prior', version: 1 };
/** What it forecasts, and the share of truths that its calibration is for: its manifest says so. */
export const DEFAULT_FORECAST = { horizon: 1, season: 0, timeZone: 'UTC' };
export const DEFAULT_LEVEL = 0.9;

/** Beside the build as beside the sources. */
const MODELS = new URL('../models', import.meta.url);

let loaded: Promise<ModelArtifact> | undefined;

/** Read when first asked for. RiverrunError MODEL_NOT_FOUND | MODEL_CORRUPT. */
export const loadDefaultModel = (): Promise<ModelArtifact> =>
  (loaded ??= new FileModelRegistry(fileURLToPath(MODELS)).load(DEFAULT_MODEL));

export const isDefaultModel = ({ name }: ModelReference): boolean => name === DEFAULT_MODEL.name;

/** Whether it serves such a pipeline: one step of one input, no season known, mixed with the baselines. Time zones make no difference to it, and its quantile is carried over to other levels. */
export const suitsDefaultModel = ({ horizon, season, inputs, fields, blend }: PipelineSpec): boolean =>
  horizon === DEFAULT_FORECAST.horizon &&
  (season === 'auto' || season === DEFAULT_FORECAST.season) &&
  inputs.length === 1 &&
  fields.token === undefined &&
  blend;
