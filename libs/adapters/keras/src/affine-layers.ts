/** Layers that scale and shift each value by itself: y = s x + t. */
import { label, type ChainLayer } from './chain.js';
import { placeOf, type Converting } from './converting.js';
import { booleanAt, own } from './json.js';
import { finite } from './network-builder.js';
import { invalid, quote, unsupported } from './refusals.js';

export function addAffine(converting: Converting, outer: ChainLayer, layer: ChainLayer, inner: string): void {
  if (layer.className === 'Rescaling') addRescaling(converting, outer, layer);
  else addBatchNormalization(converting, outer, layer, inner);
}

/** What Keras computes when predicting: the batch's statistics are those it learnt. */
function addBatchNormalization(converting: Converting, outer: ChainLayer, layer: ChainLayer, inner: string): void {
  const { builder, model } = converting;
  const { config } = layer;
  const where = label(outer);
  const n = builder.size;
  if (n === undefined)
    throw invalid(`${where}: the model does not say how many values a tick has; give it an Input layer`);
  const axis = own(config, 'axis') ?? -1;
  const last: unknown = Array.isArray(axis) && axis.length === 1 ? axis[0] : axis;
  const rank = inner !== '' || !converting.sequence ? 1 : 2;
  if (last !== -1 && last !== rank && !(typeof last === 'number' && last === 2 && rank === 1))
    throw unsupported(where, 'normalising over any axis but the last mixes ticks');
  const epsilon = own(config, 'epsilon') ?? 1e-3;
  if (typeof epsilon !== 'number' || !(epsilon >= 0))
    throw invalid(`${where}: epsilon must be a number, not ${quote(epsilon)}`);
  const roles = [
    ...(booleanAt(config, 'scale', true, where) ? ['gamma'] : []),
    ...(booleanAt(config, 'center', true, where) ? ['beta'] : []),
    'moving_mean',
    'moving_variance',
  ];
  const tensors = model.weights.take(placeOf(converting, outer, inner), roles.length);
  const vectors = new Map<string, () => Float32Array>();
  roles.forEach((role, i) => {
    const tensor = tensors.find((candidate) => candidate.role === role) ?? tensors[i];
    if (tensor?.shape.length !== 1 || tensor.shape[0] !== n)
      throw invalid(`${where}: ${role} has the shape [${tensor?.shape.join(', ')}], expected [${n}]`);
    vectors.set(role, () => finite(where, role, tensor.read()));
  });
  const read = (role: string, otherwise: number): Float32Array =>
    vectors.get(role)?.() ?? new Float32Array(n).fill(otherwise);
  const scales = (): Float64Array => {
    const gamma = read('gamma', 1);
    const variance = read('moving_variance', 1);
    return Float64Array.from(gamma, (g, i) => g / Math.sqrt(variance[i] + epsilon));
  };
  builder.addDiagonal(where, 'linear', scales, () => {
    const beta = read('beta', 0);
    const mean = read('moving_mean', 0);
    return scales().map((s, i) => beta[i] - s * mean[i]);
  });
}

function addRescaling(converting: Converting, outer: ChainLayer, { config }: ChainLayer): void {
  const { builder } = converting;
  const where = label(outer);
  const vector = (key: string, otherwise: number) => (): Float32Array => {
    const n = builder.size ?? 0;
    const value = own(config, key) ?? otherwise;
    const list: unknown[] = Array.isArray(value) ? value : new Array<unknown>(n).fill(value);
    if (list.length !== n || !list.every((item) => typeof item === 'number'))
      throw invalid(`${where}: ${key} must be a number or ${n} of them`);
    return Float32Array.from(list);
  };
  // Read at once: by the time weights are put together, the builder stands at the end of the chain.
  const scale = vector('scale', 1)();
  const offset = vector('offset', 0)();
  builder.addDiagonal(
    where,
    'linear',
    () => scale,
    () => offset,
  );
}
