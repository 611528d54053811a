/** Keras' earlier format: one HDF5 file with the description as an attribute, and weights by layer name. */
import { convert, type ImportedModel } from './convert.js';
import { Hdf5File } from './hdf5-file.js';
import { parseJson } from './json.js';
import { invalid, quote, unsupported } from './refusals.js';
import { ListedWeights, roleOf, type Tensor } from './saved-model.js';
import { versionOf } from './versions.js';

export function importLegacyH5(bytes: Uint8Array, what: string): Promise<ImportedModel> {
  return Hdf5File.using(bytes, what, (file) => {
    const config = file.text('/', 'model_config');
    if (config === undefined)
      throw unsupported(
        what,
        'it holds weights without the model they belong to; save the whole model with model.save()',
      );
    if (!file.hasGroup('/model_weights')) throw invalid(`${what} has no model_weights`);
    const topology = parseJson(new TextEncoder().encode(config), 'model_config');
    const version = versionOf(file.text('/', 'keras_version') ?? file.text('/model_weights', 'keras_version'), '2');
    const names = new Set(file.texts('/model_weights', 'layer_names'));
    const tensors = new Map<string, Tensor[]>();
    const of = (layer: string): Tensor[] => {
      if (!names.has(layer)) throw invalid(`model_weights has nothing for layer ${quote(layer)}`);
      const known = tensors.get(layer) ?? tensorsOf(file, layer);
      tensors.set(layer, known);
      return known;
    };
    const weights = new ListedWeights(of, ({ name }) =>
      invalid(`model_weights has ${quote(name)}, which its layer does not take`),
    );
    return convert({ topology, version, weights });
  });
}

function tensorsOf(file: Hdf5File, layer: string): Tensor[] {
  const group = `/model_weights/${layer}`;
  if (layer.split('/').includes('..') || !file.hasGroup(group))
    throw invalid(`model_weights has no group ${quote(layer)}`);
  return (file.texts(group, 'weight_names') ?? []).map((name) => {
    // Looked up among the paths that the file was found to have, so that no name leads anywhere else.
    const dataset = file.dataset(`${group}/${name}`);
    if (dataset === undefined) throw invalid(`model_weights has no ${quote(`${layer}/${name}`)}`);
    return { role: roleOf(name), name, shape: dataset.shape, read: () => file.read(dataset) };
  });
}
