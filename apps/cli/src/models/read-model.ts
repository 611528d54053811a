/** Any model file as a draft for a registry. */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { MemoryModelRegistry } from '#adapters/memory/memory-model-registry';
import { errorMessage, RiverrunError } from '#domain/errors';
import type { ModelArtifact, ModelDraft } from '#domain/model';
import { note } from '../output.js';
import { readModelFile, type ReadModel } from './model-file.js';
import { readVocabulary } from './vocabulary.js';

export interface ImportOptions {
  readonly name?: string | undefined;
  readonly scaler?: 'none' | 'standard' | undefined;
  readonly vocabulary?: string | undefined;
}

/** Ticks before an imported model speaks: one served raw speaks at once, one that is normalised needs a scale first. */
const WARM_UP = { none: 0, standard: 16 } as const;

export async function readModel(path: string, options: ImportOptions): Promise<ReadModel> {
  await mustExist(path);
  const read = (await readModelFile(path)) ?? (await readForeign(path));
  const words = options.vocabulary === undefined ? read.draft.vocabulary : await readVocabulary(options.vocabulary);
  const scaler = options.scaler ?? read.draft.scaler;
  const draft: ModelDraft = {
    ...read.draft,
    name: options.name ?? read.draft.name,
    ...(scaler !== read.draft.scaler && { scaler, warmUp: WARM_UP[scaler] }),
    ...(words !== undefined && { vocabulary: words }),
  };
  checkVocabulary(draft, options.vocabulary ?? path);
  return { draft, weights: read.weights };
}

/** As above, checked and labelled as a registry does, without keeping it anywhere. */
export async function readArtifact(path: string, options: ImportOptions): Promise<ModelArtifact> {
  const { draft, weights } = await readModel(path, options);
  const registry = new MemoryModelRegistry();
  return registry.load(await registry.publish(draft, weights));
}

async function readForeign(path: string): Promise<ReadModel> {
  // Reading HDF5 takes a WebAssembly library along, which most commands do without.
  const { importModel } = await import('#adapters/keras/import-model');
  const { network, weights, vocabulary, notes } = await importModel(path);
  for (const text of notes) note(`note: ${text}`);
  return {
    weights,
    draft: {
      name: nameOf(path),
      network,
      ...(vocabulary !== undefined && { vocabulary }),
      scaler: 'none',
      target: 'value',
      warmUp: WARM_UP.none,
      origin: 'imported',
      pinned: true,
      createdAt: new Date().toISOString(),
    },
  };
}

async function mustExist(path: string): Promise<void> {
  await stat(path).catch((error: unknown) => {
    throw new RiverrunError('MODEL_FILE', `cannot read ${path}: ${errorMessage(error)}`, { cause: error });
  });
}

function checkVocabulary({ vocabulary, network }: ModelDraft, source: string): void {
  if (vocabulary === undefined) return;
  const first = network.layers[0];
  if (first?.type !== 'embedding')
    throw new RiverrunError(
      'VOCABULARY',
      `${source}: the model takes numbers, a vocabulary is for models that begin with an embedding`,
    );
  if (vocabulary.length > first.inputDim)
    throw new RiverrunError(
      'VOCABULARY',
      `${source} has ${vocabulary.length} words, the model's embedding ${first.inputDim} rows`,
    );
}

/** `My Model (2).keras` is called my-model-2. */
export function nameOf(path: string): string {
  const name = basename(path)
    .replace(/\.(riverrun\.json|keras|h5|hdf5|json)$/i, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .slice(0, 64)
    .replace(/^[-._]+|[-._]+$/g, '');
  return name === '' ? 'model' : name;
}
