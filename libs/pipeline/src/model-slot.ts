/** The model a pipeline serves: its network with the hot streams' hidden states, and how inputs and outputs are to be read. */
import { RiverrunError } from '#domain/errors';
import { modelLabel, type ForecastSpec, type ModelArtifact, type ModelManifest } from '#domain/model';
import { targetCount, type PipelineSpec } from '#domain/pipeline-spec';
import { createNetwork } from '#rnn/network';
import type { Network } from '#rnn/network.types';
import { outputSize } from '#rnn/spec';
import { featureCount } from './features.js';
import type { Vocabulary } from './parse-tick.js';

export interface ModelSlot {
  readonly manifest: ModelManifest;
  readonly label: string;
  readonly weights: Float32Array;
  readonly network: Network;
  /** Counts up with every swap; a stream whose hidden state has another generation is warmed up before its next step. */
  readonly generation: number;
  /** The digest's first 64 bits: marks stored hidden states. */
  readonly tag: readonly [number, number];
  /** Present for token models. */
  readonly vocabulary: Vocabulary | undefined;
  readonly softmax: boolean;
  /** Rows of the wave under way that are this network's, so far. */
  rows: number;
}

/** RiverrunError MODEL_MISMATCH if the model does not fit the pipeline's inputs. */
export function createModelSlot(
  artifact: ModelArtifact,
  spec: PipelineSpec,
  generation: number,
  room: { capacity: number; maxWave: number },
): ModelSlot {
  const { manifest, weights } = artifact;
  const layers = manifest.network.layers;
  const [first, last] = [layers[0], layers[layers.length - 1]];
  checkFit(manifest, spec);
  return {
    manifest,
    label: modelLabel(manifest),
    weights,
    network: createNetwork(manifest.network, weights, room),
    generation,
    tag: [parseInt(manifest.digest.slice(0, 8), 16), parseInt(manifest.digest.slice(8, 16), 16)],
    vocabulary:
      first?.type === 'embedding'
        ? { size: first.inputDim, ids: new Map(manifest.vocabulary?.map((word, id) => [word, id])) }
        : undefined,
    softmax: last?.type === 'dense' && last.activation === 'softmax',
    rows: 0,
  };
}

/** All that makes a stream's plan what it is, as people read it. */
function planText(forecast: ForecastSpec | undefined): string {
  if (forecast === undefined) return 'is served raw';
  const { horizon, season, timeZone, targets = 1, transform = 'difference', gaps = false, regular = false } = forecast;
  const by = transform === 'difference' ? '' : `, transform ${transform}`;
  const of = targets === 1 ? '' : ` of ${targets} targets`;
  return `forecasts ${horizon} steps${of} with ${season === 0 ? 'no season' : `a season of ${season}`} in ${timeZone}${by}${gaps ? ', by its gaps' : ''}${regular ? ', ticks left out counted' : ''}`;
}

/** Whether both forecast the same steps over the same base, by the same transform: a stream has one plan. */
export const haveSamePlan = (one: ForecastSpec | undefined, other: ForecastSpec | undefined): boolean =>
  planText(one) === planText(other);

/** RiverrunError MODEL_MISMATCH unless both have the same plan. */
export function mustCompare(champion: ModelManifest, challenger: ModelManifest): void {
  if (haveSamePlan(champion.forecast, challenger.forecast)) return;
  throw new RiverrunError(
    'MODEL_MISMATCH',
    `model ${modelLabel(challenger)} ${planText(challenger.forecast)}, ${modelLabel(champion)}, which serves, ${planText(champion.forecast)}: they cannot be compared tick by tick; activate the one you want`,
  );
}

/** RiverrunError MODEL_MISMATCH unless both are given the same of a tick and mean the same by their outputs: streams of one pipeline may have the one or the other. */
export function mustBeAlike(champion: ModelManifest, canary: ModelManifest): void {
  if (champion.forecast !== undefined || canary.forecast !== undefined) return mustCompare(champion, canary);
  const face = ({ network, scaler, features, target, vocabulary }: ModelManifest): string => {
    const last = network.layers.at(-1);
    const classes = last?.type === 'dense' && last.activation === 'softmax';
    const tokens = network.layers[0]?.type === 'embedding' ? network.layers[0].inputDim : 0;
    return JSON.stringify([
      network.inputSize,
      tokens,
      outputSize(network),
      classes,
      scaler,
      features,
      target,
      vocabulary,
    ]);
  };
  if (face(champion) === face(canary)) return;
  throw new RiverrunError(
    'MODEL_MISMATCH',
    `model ${modelLabel(canary)} takes other inputs or has other outputs than ${modelLabel(champion)}, which serves: they cannot share the streams of one pipeline; activate the one you want`,
  );
}

/** RiverrunError MODEL_MISMATCH if the model's inputs are not the pipeline's. */
export function checkFit(manifest: ModelManifest, spec: PipelineSpec): void {
  const { forecast } = manifest;
  if (forecast !== undefined && forecast.horizon !== spec.horizon)
    throw new RiverrunError(
      'MODEL_MISMATCH',
      `model ${modelLabel(manifest)} forecasts ${forecast.horizon} steps, pipeline ${spec.name} ${spec.horizon}: train one for it`,
    );
  const { targets = 1 } = forecast ?? {};
  if (forecast !== undefined && targets !== targetCount(spec))
    throw new RiverrunError(
      'MODEL_MISMATCH',
      `model ${modelLabel(manifest)} forecasts ${targets} of the inputs, pipeline ${spec.name} ${targetCount(spec)}: train one for it`,
    );
  const wanted = featureCount(manifest, spec.inputs.length);
  if (wanted === manifest.network.inputSize) return;
  throw new RiverrunError(
    'MODEL_MISMATCH',
    `model ${modelLabel(manifest)} takes ${manifest.network.inputSize} features a tick, pipeline ${spec.name} gives ${wanted}: its inputs are ${spec.inputs.join(', ')}`,
  );
}
