/** TensorFlow.js' format for Keras models: model.json, and binary files of weights beside it. */
import { convert, type ImportedModel } from './convert.js';
import { isObject, objectAt, own, type Json } from './json.js';
import { invalid, quote, unsupported } from './refusals.js';
import { ListedWeights, type Tensor } from './saved-model.js';
import { readManifest } from './tfjs-weights.js';
import { versionOf } from './versions.js';

export async function importTfjsModel(json: Json, path: string, what: string): Promise<ImportedModel> {
  const outer = topologyOf(json, what);
  const inner = own(outer, 'model_config');
  const topology = isObject(inner) ? inner : outer;
  const version = versionOf(own(outer, 'keras_version'), 'tfjs');
  const tensors = await readManifest(json, path);
  const byLayer = new Map<string, Tensor[]>();
  // Names are paths (gru_GRU1/kernel, sequential/gru/gru_cell/kernel) with the layer's own name as one of their parts.
  const of = (layer: string): Tensor[] => {
    const known = byLayer.get(layer) ?? tensors.filter(({ name }) => name.split('/').slice(0, -1).includes(layer));
    byLayer.set(layer, known);
    return known;
  };
  const weights = new ListedWeights(of, ({ name }) =>
    invalid(`${what} has ${quote(name)}, which its layer does not take`),
  );
  return convert({ topology, version, weights });
}

function topologyOf(json: Json, what: string): Json {
  const topology = own(json, 'modelTopology');
  if (own(json, 'format') === 'graph-model' || (isObject(topology) && own(topology, 'node') !== undefined))
    throw unsupported(
      what,
      'a TensorFlow.js graph-model has lost its layers; convert with --output_format=tfjs_layers_model',
    );
  if (topology === undefined && own(json, 'class_name') !== undefined)
    throw unsupported(what, 'it describes a model without its weights; save the whole model with model.save()');
  if (topology === undefined)
    throw invalid(`${what} is JSON, but neither a TensorFlow.js model nor one that riverrun exported`);
  return objectAt(json, 'modelTopology', what);
}
