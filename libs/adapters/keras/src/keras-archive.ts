/** Keras' own format: a zip of config.json, metadata.json, model.weights.h5 and vocabularies. */
import { convert, type ImportedModel } from './convert.js';
import { Hdf5File } from './hdf5-file.js';
import { own, parseJson } from './json.js';
import { MAX_FILE_BYTES, MAX_JSON_BYTES, MAX_VOCABULARY_BYTES } from './limits.js';
import { invalid, quote } from './refusals.js';
import type { Tensor, WeightPlace, WeightSource } from './saved-model.js';
import { snakeCase } from './snake-case.js';
import { versionOf } from './versions.js';
import { ZipArchive } from './zip-archive.js';

export async function importKerasArchive(path: string, what: string): Promise<ImportedModel> {
  const zip = await ZipArchive.open(path);
  try {
    const configBytes = await zip.read('config.json', MAX_JSON_BYTES);
    if (configBytes === undefined) throw invalid(`${what} is a zip without config.json: not a model that Keras saved`);
    const topology = parseJson(configBytes, 'config.json');
    const metadata = await zip.read('metadata.json', MAX_JSON_BYTES);
    const version = versionOf(metadata && own(parseJson(metadata, 'metadata.json'), 'keras_version'), '3');
    const vocabularies = await readVocabularies(zip);
    const weights = await zip.read('model.weights.h5', MAX_FILE_BYTES);
    if (weights === undefined)
      throw invalid(`${what} has no model.weights.h5; save the whole model, unsharded, with model.save()`);
    return await Hdf5File.using(weights, 'model.weights.h5', (file) =>
      convert({
        topology,
        version,
        weights: new ArchiveWeights(file),
        vocabularyFile: (className) => vocabularies.get(snakeCase(className)),
      }),
    );
  } finally {
    zip.close();
  }
}

/** Only the first layer of a class can be at the head of a model: the group without a number. */
async function readVocabularies(zip: ZipArchive): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const name of zip.names()) {
    const layer =
      /^assets\/(?:layers|_layer_checkpoint_dependencies)\/([a-z_]+)(?:\/_lookup_layer)?\/vocabulary\.txt$/.exec(
        name,
      )?.[1];
    const bytes = layer === undefined ? undefined : await zip.read(name, MAX_VOCABULARY_BYTES);
    if (layer !== undefined && bytes !== undefined) found.set(layer, bytes);
  }
  return found;
}

/** Groups are named by class and numbered in order of appearance, whatever the layers are called: gru, gru_1, … Keras 2 counts a layer with weights
 *  twice, so that only the order of the groups which hold any is sure. */
class ArchiveWeights implements WeightSource {
  private readonly root: string;

  constructor(private readonly file: Hdf5File) {
    this.root = file.hasGroup('/layers') ? '/layers' : '/_layer_checkpoint_dependencies';
  }

  take({ className, ordinal, inner }: WeightPlace): Tensor[] {
    const name = snakeCase(className);
    const vars = (group: string): string => [this.root, group, ...(inner === '' ? [] : [inner]), 'vars'].join('/');
    const groups = this.file
      .keys(this.root)
      .filter((key) => key === name || (key.startsWith(`${name}_`) && /^\d+$/.test(key.slice(name.length + 1))))
      .sort((a, b) => Number(a.slice(name.length + 1)) - Number(b.slice(name.length + 1)))
      .filter((group) => this.holdsWeights(`${this.root}/${group}`, className));
    const group = groups[ordinal];
    return group === undefined ? [] : this.tensors(vars(group));
  }

  finish(): void {
    // A group that no layer asked for (an optimizer's, a dropout's generator) does no harm: layers are found by place, not by what is left.
  }

  private holdsWeights(group: string, className: string): boolean {
    const inner = className === 'TimeDistributed' ? '/layer' : '';
    const places = [`${group}${inner}/vars`, `${group}/cell/vars`];
    if (places.some((path) => this.file.keys(path).length > 0)) return true;
    return this.file.keys(`${group}/cell/cells`).length > 0;
  }

  private tensors(vars: string): Tensor[] {
    return this.file.keys(vars).map((_, i) => {
      const dataset = this.file.dataset(`${vars}/${i}`);
      if (dataset === undefined) throw invalid(`model.weights.h5 has no ${quote(`${vars}/${i}`)}`);
      return { name: dataset.path, shape: dataset.shape, read: () => this.file.read(dataset) };
    });
  }
}
