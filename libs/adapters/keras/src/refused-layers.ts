/** Layers that cannot be streamed, or whose code is not ours to run, and why. */
import { isObject, own, type Json } from './json.js';
import { quote, unsupported } from './refusals.js';

const WINDOW = 'it looks at a window of ticks at once, a stream has one tick at a time';
const ALL_TICKS = 'it needs the whole series, a stream has one tick at a time';
const ATTENTION = 'attention looks back at every earlier tick, which a stream does not keep';
const PER_TICK = 'it normalises each tick by its own mean, which riverrun has no layer for';

const REASONS: readonly (readonly [RegExp, string])[] = [
  [
    /^Bidirectional$/,
    'its backward half reads the series from the end, which a stream never reaches; train a forward layer',
  ],
  [/Attention$/, ATTENTION],
  [/^CuDNN(LSTM|GRU)$/, "weights in cuDNN's layout; load the model in Keras, save it again with LSTM or GRU"],
  [/^(ConvLSTM|Conv|SeparableConv|DepthwiseConv|LocallyConnected|ZeroPadding|Cropping|UpSampling)/, WINDOW],
  [/^(Global)?(Max|Average)Pool/, ALL_TICKS],
  [/^Global(Max|Average)Pooling/, ALL_TICKS],
  [/^(Reshape|Permute|RepeatVector)$/, 'it changes what a tick is; riverrun passes ticks on one by one'],
  [/^(LayerNormalization|GroupNormalization|RMSNormalization|UnitNormalization|SpectralNormalization)$/, PER_TICK],
  [
    /^Masking$/,
    'it skips ticks of one certain value; leave such ticks out of the stream, and the layer out of the model',
  ],
  [
    /^(Lambda|TFOpLambda|TensorFlowOpLayer|SlicingOpLambda|TFSMLayer|TorchModuleWrapper|JaxLayer|FlaxLayer)$/,
    'it holds code, and code from a file is never run',
  ],
  [
    /^(Add|Subtract|Multiply|Average|Maximum|Minimum|Concatenate|Dot)$/,
    'it joins several layers; riverrun serves one chain',
  ],
  [
    /^(Sequential|Functional|Model)$/,
    'a model inside the model is not read; put its layers into one Sequential and save again',
  ],
];

export function refuseClass(layer: { className: string; name: string; config: Json }, json: Json): void {
  const { className, name, config } = layer;
  const where = `layer ${quote(name)} (${quoteless(className)})`;
  const registered = own(json, 'registered_name');
  const module = own(json, 'module');
  const reason = REASONS.find(([pattern]) => pattern.test(className))?.[1];
  if (reason !== undefined) throw unsupported(where, reason);
  // `package>Name`: a class registered by the model's author, whatever it is called.
  if (
    (typeof registered === 'string' && registered.includes('>')) ||
    (typeof module === 'string' && !/^(keras|tf_keras|tensorflow)\b/.test(module))
  )
    throw unsupported(where, 'a custom layer is code that did not come with the file, and is never run');
  if (own(config, 'go_backwards') === true)
    throw unsupported(where, 'go_backwards reads the series from the end, which a stream never reaches');
  if (own(config, 'return_state') === true)
    throw unsupported(where, 'return_state hands its state to other layers; riverrun serves one chain');
  if (own(config, 'time_major') === true)
    throw unsupported(where, 'time_major is not supported; save the model batch-first');
  // A wrapper is refused for what it wraps.
  for (const key of ['layer', 'cell']) {
    const inner = own(config, key);
    if (!isObject(inner)) continue;
    const innerClass = own(inner, 'class_name');
    const innerConfig = own(inner, 'config');
    if (typeof innerClass === 'string' && isObject(innerConfig))
      refuseClass({ className: innerClass, name, config: innerConfig }, inner);
  }
}

export const unknownLayer = (where: string): Error =>
  unsupported(
    where,
    'not one of the layers riverrun reads (Embedding, SimpleRNN, LSTM, GRU, Dense, Dropout, activations, BatchNormalization, Rescaling)',
  );

const quoteless = (text: string): string => quote(text).slice(1, -1);
