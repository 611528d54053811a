/** One training attempt: trains in a process of its own, judges, publishes, and puts the result beside the champion, or in its place where there is nothing to compare. */
import { modelLabel, type ModelArtifact, type TrainingRecord, type Transform } from '#domain/model';
import type { Clock, ModelRegistry } from '#domain/ports';
import { forecastFeatures } from '#forecasting/other-inputs';
import { haveSamePlan } from '#pipeline/model-slot';
import { draftOf, trainedOf } from '#training/draft';
import { networkSpec } from '#training/recurrent-network';
import type { trainInProcess } from '#training/train-in-process';
import type { Cell, Loss, TrainProgress, TrainRequest, TrainResult } from '#training/train.types';
import type { TrainingSource } from './training-source.js';

const TRAINER = new URL('../../trainer/src/main.js', import.meta.url);

export interface TrainingPlan {
  /** ms between attempts; null: never. */
  readonly interval: number | null;
  readonly cell: Cell;
  readonly hidden: number;
  readonly horizon: number;
  readonly season: number | 'auto';
  readonly timeZone: string;
  readonly level: number;
  /** As in TrainRequest. */
  readonly regular?: boolean | 'auto' | undefined;
  /** As in TrainRequest. */
  readonly targets?: number | undefined;
  /** As in TrainRequest. */
  readonly transform?: Transform | 'auto' | undefined;
  /** As in TrainRequest. */
  readonly gaps?: boolean | 'auto' | undefined;
  readonly loss?: Loss | undefined;
}

export interface ChallengerParts {
  readonly registry: ModelRegistry;
  readonly clock: Clock;
  readonly train: typeof trainInProcess;
}

export interface Attempt {
  readonly windows: Float64Array[];
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TrainProgress) => void;
}

export interface Verdict {
  /** The new model's label; undefined if it was not worth it. It serves at once, or runs beside the champion until it is known to be better. */
  readonly published: string | undefined;
  readonly serves: boolean;
  readonly record: TrainingRecord;
  readonly stopped: TrainResult['stopped'];
}

/** RiverrunError TRAINING_FAILED; ALIAS_CHANGED if meanwhile somebody else made another model the champion. */
export async function trainChallenger(
  { registry, clock, train }: ChallengerParts,
  source: TrainingSource,
  plan: TrainingPlan,
  { windows, seed, signal, onProgress }: Attempt,
): Promise<Verdict> {
  const served = await source.served();
  const champion = served === undefined ? undefined : await registry.load(served);
  const { cell, hidden, horizon, season, regular, timeZone, level, targets, transform, gaps, loss } = plan;
  const request: TrainRequest = {
    windows,
    inputs: source.inputs,
    ...{ horizon, season, regular, timeZone, level, targets, transform, gaps, loss, cell, hidden, seed },
    champion: startFrom(champion, plan, source.inputs),
    standIn: champion === undefined ? standInOf(await source.standIn?.()) : undefined,
  };
  const result = await train(TRAINER, request, { signal, onProgress });
  const { record, stopped } = result;
  if (!result.improved) return { published: undefined, serves: false, record, stopped };
  // Nothing of an attempt that is no longer ours.
  signal.throwIfAborted();
  const draft = draftOf(result, modelNameOf(source.pipeline), source.inputs, clock.now());
  const model = await registry.publish(draft, result.weights);
  const expected = served === undefined ? null : { name: served.name, version: served.version };
  // The first model of a plan replaces what knows nothing of it.
  const beside = served !== undefined && haveSamePlan(served.forecast, result.forecast);
  if (beside) await registry.challenge(source.pipeline, model, served);
  else await registry.activate(source.pipeline, model, expected);
  await source.follow?.();
  return { published: modelLabel(model), serves: !beside, record, stopped };
}

/** Models are called as their pipeline, as far as their names allow: they are folder names, and small. */
export const modelNameOf = (pipeline: string): string => pipeline.toLowerCase().replace(/^[^a-z0-9]+/, '') || 'model';

function standInOf(artifact: ModelArtifact | undefined): TrainRequest['standIn'] {
  if (artifact?.manifest.forecast === undefined) return undefined;
  const { network, forecast } = artifact.manifest;
  return { network, ...trainedOf(artifact.weights, forecast) };
}

/** The champion's weights, if it is of the shape that is to be trained. */
function startFrom(champion: ModelArtifact | undefined, plan: TrainingPlan, inputs: number): TrainRequest['champion'] {
  const { forecast, network } = champion?.manifest ?? {};
  if (champion === undefined || forecast?.horizon !== plan.horizon || network === undefined) return undefined;
  const { cell, hidden, horizon, targets = 1 } = plan;
  if ((forecast.targets ?? 1) !== targets) return undefined;
  const wanted = networkSpec(cell, forecastFeatures(inputs, forecast.gaps, targets), hidden, targets * horizon);
  const same = JSON.stringify(network) === JSON.stringify(wanted);
  return same ? trainedOf(champion.weights, forecast) : undefined;
}
