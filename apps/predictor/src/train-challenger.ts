/** One training attempt from windows to champion: trains in a worker, judges, publishes, activates by compare-and-set. */
import { modelLabel, type ModelArtifact, type TrainingRecord } from '#domain/model';
import type { Clock, ModelRegistry } from '#domain/ports';
import type { trainInWorker } from '#training/train-in-worker';
import type { Cell, TrainProgress, TrainRequest, TrainResult } from '#training/train.types';
import type { TrainingSource } from './training-source.js';

/** Ticks a stream needs before the model speaks for it: enough for a scale. */
const WARM_UP = 16;
const WORKER = new URL('../../trainer/src/worker.js', import.meta.url);

export interface TrainingPlan {
  /** ms between attempts; null: never. */
  readonly interval: number | null;
  readonly cell: Cell;
  readonly hidden: number;
}

export interface ChallengerParts {
  readonly registry: ModelRegistry;
  readonly clock: Clock;
  readonly train: typeof trainInWorker;
}

export interface Attempt {
  readonly windows: Float64Array[];
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TrainProgress) => void;
}

export interface Verdict {
  /** The new champion's label; undefined if it was not worth it. */
  readonly activated: string | undefined;
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
  const request: TrainRequest = {
    windows,
    inputs: source.inputs,
    cell: plan.cell,
    hidden: plan.hidden,
    seed,
    warmStart: warmStart(champion, plan, source.inputs),
  };
  const { network, weights, record, improved, stopped } = await train(WORKER, request, { signal, onProgress });
  // A first model may take over from the baseline as soon as it does no harm; a later one has to be worth it.
  const { mae, persistenceMae } = record.validation;
  const accepted = champion === undefined ? mae <= persistenceMae * 1.001 : improved;
  if (!accepted) return { activated: undefined, record, stopped };
  // Nothing of an attempt that is no longer ours.
  signal.throwIfAborted();
  const model = await registry.publish(
    {
      name: modelNameOf(source.pipeline),
      network,
      scaler: 'standard',
      features: 'level-and-change',
      target: 'difference',
      warmUp: WARM_UP,
      origin: 'trained',
      pinned: false,
      createdAt: new Date(clock.now()).toISOString(),
      training: record,
    },
    weights,
  );
  const expected = served === undefined ? null : { name: served.name, version: served.version };
  await registry.activate(source.pipeline, model, expected);
  await source.follow?.();
  return { activated: modelLabel(model), record, stopped };
}

/** Models are called as their pipeline, as far as their names allow: they are folder names, and small. */
export const modelNameOf = (pipeline: string): string => pipeline.toLowerCase().replace(/^[^a-z0-9]+/, '') || 'model';

/** The champion's weights, if it is of the shape that is to be trained. */
function warmStart(champion: ModelArtifact | undefined, plan: TrainingPlan, inputs: number): Float32Array | undefined {
  if (champion?.manifest.origin !== 'trained') return undefined;
  const { layers, inputSize } = champion.manifest.network;
  const [first] = layers;
  const same =
    first !== undefined &&
    first.type === plan.cell.replace('-', '_') &&
    'units' in first &&
    first.units === plan.hidden;
  return same && inputSize === 2 * inputs ? champion.weights : undefined;
}
