/** A saved model's layers as a network. */
import type { NetworkSpec } from '#rnn/spec';
import { activationLayer, activationOf } from './activations.js';
import { nextOrdinal, placeOf, type Converting } from './converting.js';
import { label, layerOf, readChain, type ChainLayer } from './chain.js';
import { booleanAt, countAt, isObject, objectAt, own, type Json } from './json.js';
import { MAX_UNITS } from './limits.js';
import { NetworkBuilder } from './network-builder.js';
import { addAffine } from './affine-layers.js';
import { addCell, cellsOf, CELLS, RECURRENT } from './recurrent-layers.js';
import { invalid, quote, unsupported } from './refusals.js';
import { unknownLayer } from './refused-layers.js';
import type { SavedModel } from './saved-model.js';
import { lookupVocabulary } from './vocabulary.js';

export interface ImportedModel {
  readonly network: NetworkSpec;
  readonly weights: Float32Array;
  readonly vocabulary?: string[];
  /** What the user should know about what was taken and what was left out. */
  readonly notes: string[];
}

/** Layers that do nothing when a model predicts. */
const INACTIVE =
  /^(Dropout|SpatialDropout1D|GaussianDropout|GaussianNoise|AlphaDropout|ActivityRegularization|Identity)$/;
const LOOKUP = /^(TextVectorization|StringLookup|IntegerLookup)$/;

export function convert(model: SavedModel): ImportedModel {
  const { layers, inputShape } = readChain(model.topology);
  const { version } = model;
  const firstIsEmbedding = layers.some(({ className }) => className === 'Embedding');
  const features = firstIsEmbedding ? undefined : (inputShape?.at(-1) ?? undefined);
  const builder = new NetworkBuilder(features);
  const converting: Converting = { model, version, builder, ordinals: new Map(), sequence: true };
  if (!firstIsEmbedding && inputShape !== undefined && inputShape.length !== 2 && inputShape.length !== 3)
    throw unsupported('model', `its input has ${inputShape.length - 1} dimensions; a tick is one row of numbers`);
  for (const layer of layers) addLayer(converting, layer, layer);
  model.weights.finish();
  const { network, weights } = builder.build();
  noteWindow(builder, inputShape, network);
  const { vocabulary } = converting;
  const first = network.layers[0];
  if (vocabulary !== undefined && first.type === 'embedding' && vocabulary.length > first.inputDim)
    throw invalid(`the vocabulary has ${vocabulary.length} words, the embedding ${first.inputDim} rows`);
  if (vocabulary !== undefined && first.type !== 'embedding')
    throw unsupported('model', 'it turns words into numbers, but has no embedding to look them up in');
  return { network, weights, notes: [...new Set(builder.notes)], ...(vocabulary !== undefined && { vocabulary }) };
}

function noteWindow(
  builder: NetworkBuilder,
  shape: Readonly<(number | null)[]> | undefined,
  network: NetworkSpec,
): void {
  const ticks = shape?.length === 3 || network.layers[0].type === 'embedding' ? shape?.[1] : undefined;
  if (typeof ticks === 'number' && ticks > 1)
    builder.notes.push(
      `the model was built for series of ${ticks} ticks; it is streamed on beyond them, its state never starts over`,
    );
}

/** `outer` is the layer of the model, `layer` what it wraps or itself. */
function addLayer(converting: Converting, outer: ChainLayer, layer: ChainLayer, inner = ''): void {
  const { builder, version, model } = converting;
  const { className, config } = layer;
  const where = label(outer);
  notePolicy(builder, layer);
  if (INACTIVE.test(className)) return;
  if (LOOKUP.test(className)) {
    if (!builder.empty || converting.vocabulary !== undefined)
      throw unsupported(where, 'a vocabulary is only read at the beginning of a model');
    converting.vocabulary = lookupVocabulary(model, layer, where, builder.notes);
    return;
  }
  const activation = activationLayer(className, config, version, where);
  if (activation !== undefined) return builder.addActivation(where, activation);
  switch (className) {
    case 'Embedding':
      return addEmbedding(converting, outer, inner);
    case 'Dense':
      return addDense(converting, outer, layer, inner);
    case 'BatchNormalization':
    case 'Rescaling':
      return addAffine(converting, outer, layer, inner);
    case 'TimeDistributed':
      return addWrapped(converting, outer, layer);
    case 'Flatten':
      // One row stays one row.
      if (!converting.sequence) return;
      throw unsupported(where, 'it joins all ticks into one row, a stream has one tick at a time');
  }
  if (RECURRENT.has(className)) return addRecurrent(converting, layer);
  throw unknownLayer(where);
}

function addWrapped(converting: Converting, outer: ChainLayer, layer: ChainLayer): void {
  if (layer !== outer) throw unsupported(label(outer), 'a TimeDistributed inside another is not read');
  const wrapped = layerOf(objectAt(layer.config, 'layer', label(outer)), label(outer));
  if (CELLS.has(wrapped.className) || RECURRENT.has(wrapped.className) || wrapped.className === 'Embedding')
    throw unsupported(label(outer), `TimeDistributed(${wrapped.className}) runs a series within every tick`);
  addLayer(converting, outer, wrapped, 'layer');
}

function addRecurrent(converting: Converting, layer: ChainLayer): void {
  const { builder } = converting;
  const { config } = layer;
  const where = label(layer);
  if (!converting.sequence)
    throw unsupported(
      where,
      'the recurrent layer before it gives out only its last state (return_sequences=False); build it with return_sequences=True',
    );
  if (booleanAt(config, 'stateful', false, where))
    builder.notes.push(`${where}: stateful is ignored; every stream keeps its own state`);
  if (own(config, 'zero_output_for_mask') === true && builder.masksZero())
    throw unsupported(
      where,
      'zero_output_for_mask is not supported; riverrun repeats the last output for a masked tick',
    );
  const cells = cellsOf(layer, where);
  // A stacked wrapper's cells share one place among the layers.
  const ordinal = nextOrdinal(converting, layer.className);
  for (const { cell, inner } of cells)
    addCell(converting, cell, where, { layer: layer.name, className: layer.className, ordinal, inner });
  converting.sequence = booleanAt(config, 'return_sequences', false, where);
}

function addEmbedding(converting: Converting, layer: ChainLayer, inner: string): void {
  const { builder, model } = converting;
  const where = label(layer);
  if (!builder.empty) throw unsupported(where, 'an embedding can only be the first layer');
  const inputDim = countAt(layer.config, 'input_dim', 0x7fffffff, where);
  const outputDim = countAt(layer.config, 'output_dim', MAX_UNITS, where);
  const maskZero = booleanAt(layer.config, 'mask_zero', false, where);
  refuseQuantised(layer.config, where);
  const tensors = model.weights.take(placeOf(converting, layer, inner), 1);
  builder.add(where, { type: 'embedding', inputDim, outputDim, maskZero }, tensors, [
    ['embeddings', [inputDim, outputDim]],
  ]);
}

function addDense(converting: Converting, outer: ChainLayer, layer: ChainLayer, inner: string): void {
  const { builder, model, version } = converting;
  const where = label(outer);
  const units = countAt(layer.config, 'units', MAX_UNITS, where);
  const useBias = booleanAt(layer.config, 'use_bias', true, where);
  const activation = activationOf(own(layer.config, 'activation'), 'linear', version, where);
  refuseQuantised(layer.config, where);
  const tensors = model.weights.take(placeOf(converting, outer, inner), useBias ? 2 : 1);
  // NaN stands for the size of what comes in.
  builder.add(where, { type: 'dense', units, activation, useBias }, tensors, [
    ['kernel', [NaN, units]],
    ...(useBias ? [['bias', [units]] as const] : []),
  ] as (readonly [string, number[]])[]);
}

function refuseQuantised(config: Json, where: string): void {
  const quantised = own(config, 'quantization_config') ?? own(config, 'quantization_mode') ?? null;
  if (quantised !== null || /int8|int4|float8|gptq|awq/.test(policyOf(config)))
    throw unsupported(where, 'its weights are quantised; save the model before quantising');
}

function notePolicy(builder: NetworkBuilder, layer: ChainLayer): void {
  const policy = policyOf(layer.config);
  if (/^mixed_/.test(policy))
    builder.notes.push(
      `${quote(policy)}: riverrun computes in float32, so its predictions are finer than the model's own`,
    );
  else if (/^(b?float16|float64)$/.test(policy)) builder.notes.push(`weights of ${policy} are served in float32`);
}

/** A policy is a name, or an object around one. */
function policyOf(config: Json): string {
  const dtype = own(config, 'dtype');
  if (typeof dtype === 'string') return dtype;
  const name =
    isObject(dtype) && isObject(own(dtype, 'config')) ? own(own(dtype, 'config') as Json, 'name') : undefined;
  return typeof name === 'string' ? name : isObject(dtype) ? String(own(dtype, 'class_name')) : '';
}
