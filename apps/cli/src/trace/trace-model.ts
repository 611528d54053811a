/** Steps a model from zeros over given words or numbers, with the pipeline's own notion of features and scale. */
import { errorMessage, RiverrunError } from '#domain/errors';
import { modelLabel, type ModelArtifact } from '#domain/model';
import { DEFAULT_PIPELINE } from '#domain/pipeline-spec';
import { toStreamUnits, writeFeatures } from '#pipeline/features';
import { createModelSlot, type ModelSlot } from '#pipeline/model-slot';
import { fitScale, SCALE_FIELDS } from '#rnn/scaler';
import type { Row } from './trace-table.js';

export interface ModelTrace {
  readonly stream: null;
  readonly model: string;
  readonly rows: Row[];
}

export function traceModel(
  artifact: ModelArtifact,
  { tokens, values }: { tokens?: string | undefined; values?: number[][] | undefined },
): ModelTrace {
  if (tokens === undefined) return traceValues(artifact, values ?? []);
  const model = slotOf(artifact, 1);
  const words = tokens.split(/\s+/).filter((word) => word !== '');
  const ids = words.map((word) => idOf(word, model));
  return step(
    model,
    words,
    ids.map((id) => [id]),
  );
}

function traceValues(artifact: ModelArtifact, rows: number[][]): ModelTrace {
  const model = slotOf(artifact, rows[0].length);
  if (model.vocabulary !== undefined)
    throw new RiverrunError('TOKEN', `model ${model.label} takes words or ids: give --tokens`);
  return step(
    model,
    rows.map((row) => (row.length === 1 ? row[0] : row)),
    rows,
  );
}

function step(model: ModelSlot, shown: readonly Row['input'][], rows: readonly (readonly number[])[]): ModelTrace {
  const { network } = model;
  const inputs = rows[0]?.length ?? 1;
  // A model with a scaler sees a stream on its own scale: here that of what is given, as if it were the stream's whole window.
  const scales = new Float64Array(SCALE_FIELDS * inputs);
  for (let k = 0; k < inputs; k++)
    fitScale(
      rows.map((row) => row[k]),
      scales,
      SCALE_FIELDS * k,
    );
  const memory = new Float32Array(network.stateSize);
  network.resetState(0);
  const traced = rows.map((row, i): Row => {
    network.slots[0] = 0;
    row.forEach((value, k) => {
      const previous = i === 0 ? NaN : rows[i - 1][k];
      writeFeatures(model, 0, k, inputs, value, previous, scales, SCALE_FIELDS * k);
    });
    network.step(1);
    network.readState(0, memory);
    const outputs = Array.from(network.outputs.subarray(0, network.outputSize));
    const output = model.vocabulary === undefined ? toStreamUnits(model, outputs[0], row[0], scales, 0) : outputs[0];
    return {
      step: i + 1,
      input: shown[i],
      memory: Array.from(memory),
      output: Number.isFinite(output) ? output : null,
      ...(outputs.length > 1 && { outputs }),
    };
  });
  return { stream: null, model: model.label, rows: traced };
}

function slotOf(artifact: ModelArtifact, inputs: number): ModelSlot {
  const given = Array.from({ length: inputs }, (_, k) => `value ${k + 1}`);
  try {
    return createModelSlot(artifact, { ...DEFAULT_PIPELINE, name: 'trace', inputs: given }, 1, {
      capacity: 1,
      maxWave: 1,
    });
  } catch (error) {
    const { code } = error as { code?: unknown };
    const label = modelLabel(artifact.manifest);
    if (code === 'MODEL_MISMATCH')
      throw new RiverrunError(
        'VALUE',
        `model ${label} does not take ${inputs} numbers a step; rows are separated by ;`,
        { cause: error },
      );
    throw new RiverrunError('MODEL_INVALID', `model ${label} cannot be stepped: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

function idOf(word: string, { manifest, vocabulary, label }: ModelSlot): number {
  if (vocabulary === undefined)
    throw new RiverrunError('TOKEN', `model ${label} takes numbers, not words: give --values`);
  const { ids, size } = vocabulary;
  const id = ids.get(word) ?? ids.get(word.toLowerCase()) ?? ids.get('[UNK]');
  if (id !== undefined) return id;
  // Without a vocabulary ids are all that can be given.
  if (manifest.vocabulary === undefined && /^\d{1,9}$/.test(word) && Number(word) < size) return Number(word);
  throw new RiverrunError(
    'TOKEN',
    manifest.vocabulary === undefined
      ? `the model has no vocabulary for ${JSON.stringify(word)}: give --vocabulary FILE, or ids from 0 to ${size - 1}`
      : `${JSON.stringify(word)} is not in the model's vocabulary, and it has no [UNK]`,
  );
}
