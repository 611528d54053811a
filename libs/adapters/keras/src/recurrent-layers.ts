/** SimpleRNN, LSTM, GRU, and RNN around one cell or a stack of them. */
import type { Activation, GruSpec, LstmSpec, SimpleRnnSpec } from '#rnn/spec';
import { activationOf, type Version } from './activations.js';
import { layerOf, type ChainLayer } from './chain.js';
import type { Converting } from './converting.js';
import { arrayAt, booleanAt, countAt, isObject, objectAt, own, type Json } from './json.js';
import { MAX_UNITS } from './limits.js';
import { invalid, quote, unsupported } from './refusals.js';
import type { Tensor, WeightPlace } from './saved-model.js';
import { snakeCase } from './snake-case.js';

type Kind = 'simple_rnn' | 'lstm' | 'gru';
const LAYERS: Record<string, Kind> = { SimpleRNN: 'simple_rnn', LSTM: 'lstm', GRU: 'gru' };
const CELL_KINDS: Record<string, Kind> = { SimpleRNNCell: 'simple_rnn', LSTMCell: 'lstm', GRUCell: 'gru' };

export const RECURRENT: ReadonlySet<string> = new Set([...Object.keys(LAYERS), 'RNN']);
export const CELLS: ReadonlySet<string> = new Set([...Object.keys(CELL_KINDS), 'StackedRNNCells']);

export interface Cell {
  readonly kind: Kind;
  readonly config: Json;
}

/** The layer's cells, first to last, and where below the layer their weights lie. */
export function cellsOf(layer: ChainLayer, where: string): { cell: Cell; inner: string }[] {
  if (layer.className !== 'RNN')
    return [{ cell: { kind: LAYERS[layer.className], config: layer.config }, inner: 'cell' }];
  // Keras 2 writes a list of cells where Keras 3 writes StackedRNNCells.
  const json = own(layer.config, 'cell');
  const single = Array.isArray(json) ? undefined : layerOf(objectAt(layer.config, 'cell', where), where);
  if (single !== undefined && single.className !== 'StackedRNNCells')
    return [{ cell: cellOf(single, where), inner: 'cell' }];
  const list = single === undefined ? (json as unknown[]) : arrayAt(single.config, 'cells', where);
  const counts = new Map<string, number>();
  return list.map((item) => {
    if (!isObject(item)) throw invalid(`${where}: cells must be objects`);
    const cell = layerOf(item, where);
    const name = snakeCase(cell.className);
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return { cell: cellOf(cell, where), inner: `cell/cells/${count === 0 ? name : `${name}_${count}`}` };
  });
}

function cellOf({ className, config }: ChainLayer, where: string): Cell {
  if (!Object.hasOwn(CELL_KINDS, className))
    throw unsupported(where, `its cell ${quote(className)} is not one of ${Object.keys(CELL_KINDS).join(', ')}`);
  return { kind: CELL_KINDS[className], config };
}

export function addCell(converting: Converting, { kind, config }: Cell, where: string, place: WeightPlace): void {
  const { builder, model, version } = converting;
  const units = countAt(config, 'units', MAX_UNITS, where);
  const useBias = booleanAt(config, 'use_bias', true, where);
  const activation = elementWise(own(config, 'activation'), 'tanh', version, where);
  const recurrentActivation = (): Activation =>
    elementWise(own(config, 'recurrent_activation'), defaultGate(version), version, where);
  const tensors = model.weights.take(place, useBias ? 3 : 2);
  const gates = { simple_rnn: 1, lstm: 4, gru: 3 }[kind] * units;
  let spec: SimpleRnnSpec | LstmSpec | GruSpec;
  let bias = [gates];
  if (kind === 'simple_rnn') spec = { type: kind, units, activation, useBias };
  else if (kind === 'lstm')
    spec = { type: kind, units, activation, recurrentActivation: recurrentActivation(), useBias };
  else {
    const resetAfter = resetAfterOf(config, tensors, version, where);
    if (resetAfter) bias = [2, gates];
    spec = { type: kind, units, activation, recurrentActivation: recurrentActivation(), useBias, resetAfter };
  }
  const shapes: [string, number[]][] = [
    ['kernel', [NaN, gates]],
    ['recurrent_kernel', [units, gates]],
  ];
  if (useBias) shapes.push(['bias', bias]);
  builder.add(where, spec, tensors, shapes);
}

function elementWise(value: unknown, otherwise: string, version: Version, where: string): Activation {
  const activation = activationOf(value, otherwise, version, where);
  if (activation === 'softmax') throw unsupported(where, 'a softmax inside a recurrent layer is not supported');
  return activation;
}

/** Keras before 2.3 (other than TensorFlow's own) and TensorFlow.js take hard_sigmoid where a file says nothing. */
const isOld = ({ tfjs, major, text }: Version): boolean => tfjs || (major <= 2 && /^2\.[012]\b(?!.*-tf)/.test(text));
const defaultGate = (version: Version): string => (isOld(version) ? 'hard_sigmoid' : 'sigmoid');

function resetAfterOf(config: Json, tensors: readonly Tensor[], version: Version, where: string): boolean {
  if (own(config, 'reset_after') !== undefined) return booleanAt(config, 'reset_after', true, where);
  // Files from before the switch existed: two rows of bias tell, else the defaults of their time.
  const bias = tensors.length === 3 ? (tensors.find(({ role }) => role === 'bias') ?? tensors[2]) : undefined;
  return bias === undefined ? !isOld(version) : bias.shape.length === 2;
}
