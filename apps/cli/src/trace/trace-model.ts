/** Steps a model from zeros over given words or numbers. */
import { errorMessage, RiverrunError } from '#domain/errors';
import { modelLabel, type ModelArtifact, type ModelManifest } from '#domain/model';
import { normalise, robustScale } from '#pipeline/normaliser';
import { createNetwork } from '#rnn/network';
import type { Network } from '#rnn/network.types';
import type { Row } from './trace-table.js';

export interface ModelTrace {
  readonly stream: null;
  readonly model: string;
  readonly rows: Row[];
}

export function traceModel(
  { manifest, weights }: ModelArtifact,
  given: { tokens?: string | undefined; values?: number[][] | undefined },
): ModelTrace {
  const network = networkOf(manifest, weights);
  const steps =
    given.tokens === undefined ? valueSteps(manifest, given.values ?? []) : tokenSteps(manifest, given.tokens);
  network.resetState(0);
  const memory = new Float32Array(network.stateSize);
  const rows = steps.map(({ input, feed, read }, i): Row => {
    network.slots[0] = 0;
    feed(network);
    network.step(1);
    network.readState(0, memory);
    const outputs = Array.from(network.outputs.subarray(0, network.outputSize));
    const output = read(outputs[0]);
    return {
      step: i + 1,
      input,
      memory: Array.from(memory),
      output: Number.isFinite(output) ? output : null,
      ...(outputs.length > 1 && { outputs }),
    };
  });
  return { stream: null, model: modelLabel(manifest), rows };
}

function networkOf(manifest: ModelManifest, weights: Float32Array): Network {
  try {
    return createNetwork(manifest.network, weights, { capacity: 1, maxWave: 1 });
  } catch (error) {
    const why = errorMessage(error);
    throw new RiverrunError('MODEL_INVALID', `model ${modelLabel(manifest)} cannot be stepped: ${why}`, {
      cause: error,
    });
  }
}

interface Step {
  readonly input: Row['input'];
  readonly feed: (network: Network) => void;
  /** The first output in the input's units. */
  readonly read: (output: number) => number;
}

function tokenSteps(manifest: ModelManifest, text: string): Step[] {
  const [first] = manifest.network.layers;
  if (first?.type !== 'embedding')
    throw new RiverrunError(
      'TOKEN',
      `model ${modelLabel(manifest)} takes ${manifest.network.inputSize} numbers a step, not words: give --values`,
    );
  const ids = new Map(manifest.vocabulary?.map((word, id) => [word, id]));
  const idOf = (word: string): number => {
    const id = ids.get(word) ?? ids.get(word.toLowerCase()) ?? ids.get('[UNK]');
    if (id !== undefined) return id;
    // Without a vocabulary ids are all that can be given; they work with one, too.
    if (/^\d{1,9}$/.test(word) && Number(word) < first.inputDim) return Number(word);
    throw new RiverrunError(
      'TOKEN',
      manifest.vocabulary === undefined
        ? `the model has no vocabulary for ${JSON.stringify(word)}: give --vocabulary FILE, or ids from 0 to ${first.inputDim - 1}`
        : `${JSON.stringify(word)} is not in the model's vocabulary, and it has no [UNK]`,
    );
  };
  const words = text.split(/\s+/).filter((word) => word !== '');
  return words.map((word) => {
    const id = idOf(word);
    return { input: word, feed: (network) => (network.tokens[0] = id), read: (y) => y };
  });
}

function valueSteps(manifest: ModelManifest, rows: number[][]): Step[] {
  const { layers, inputSize } = manifest.network;
  const label = modelLabel(manifest);
  if (layers[0]?.type === 'embedding')
    throw new RiverrunError('TOKEN', `model ${label} takes words or ids: give --tokens`);
  if (rows[0].length !== inputSize)
    throw new RiverrunError(
      'VALUE',
      `model ${label} takes ${inputSize} numbers a step, ${rows[0].length} given; rows are separated by ;`,
    );
  // A model with a scaler sees each stream on its own scale: here that of the values given.
  const raw = manifest.scaler === 'none';
  const scales = rows[0].map((_, k) => robustScale(rows.map((row) => row[k])));
  const { centre, scale } = raw ? { centre: 0, scale: 1 } : scales[0];
  return rows.map((row) => ({
    input: row.length === 1 ? row[0] : row,
    feed: (network) => {
      row.forEach((value, k) => {
        network.inputs[k] = raw ? value : normalise(Float64Array.of(scales[k].centre, scales[k].scale), 0, value);
      });
    },
    read: (y) => y * scale + (manifest.target === 'difference' ? row[0] : centre),
  }));
}
