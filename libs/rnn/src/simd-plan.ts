/** Where everything lies in the kernel's memory, and the records that tell it so (assembly/layer.ts). */
import { RESERVED_BYTES } from './kernel.js';
import { splitWeights, type LayerWeights } from './layer-weights.js';
import type { NetworkOptions } from './network.types.js';
import { packDense, packRecurrent, panelsOf, type Packed } from './pack-weights.js';
import { DOT_UNITS } from './scalar-cells.js';
import { activationId } from './scalar-math.js';
import { gateCount, outputSize, type LayerSpec, type NetworkSpec } from './spec.js';

/** The kernel's operations, by their places (assembly/index.ts). */
export const OPERATIONS = ['copy', 'simple_rnn', 'lstm', 'gru_after', 'gru_before', 'dense', 'dot'] as const;
type Operation = (typeof OPERATIONS)[number];

/** The words of a layer's record, in order. */
export const RECORD_FIELDS = [
  ...(['op', 'units', 'panels', 'activation', 'recurrentActivation', 'inputSize'] as const),
  ...(['inputs', 'inputIndex', 'inputStride', 'weights', 'bias', 'inputWeights', 'inputBias'] as const),
  ...(['candidateWeights', 'candidateBias', 'states', 'slots', 'stateStride', 'out', 'outStride'] as const),
  ...(['mask', 'pack', 'gates'] as const),
] as const;
export type LayerRecord = Record<(typeof RECORD_FIELDS)[number], number>;

/** A run of a stream's state: `size` floats at byte `at` of its slot. */
export interface StateRun {
  readonly at: number;
  readonly size: number;
}

export interface Plan {
  readonly bytes: number;
  readonly records: readonly LayerRecord[];
  readonly recordsAt: number;
  /** Constant contents: weights in the kernel's order, tables, 0, 1, 2, .. */
  readonly contents: readonly { readonly at: number; readonly data: Float32Array | Int32Array }[];
  readonly slots: number;
  readonly tokens: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly states: number;
  /** Bytes between two slots. */
  readonly stateStride: number;
  readonly stateRuns: readonly StateRun[];
}

const FLOAT = 4;
const CACHE_LINE = 64;
const PANEL = 8;

export function planNetwork(spec: NetworkSpec, weights: Float32Array, options: NetworkOptions): Plan {
  const { maxWave, capacity } = options;
  let top = RESERVED_BYTES;
  const reserve = (bytes: number): number => {
    const at = top;
    top = Math.ceil((at + bytes) / CACHE_LINE) * CACHE_LINE;
    return at;
  };
  const contents: { at: number; data: Float32Array | Int32Array }[] = [];
  const place = (data: Float32Array | Int32Array): number => {
    const at = reserve(data.byteLength);
    contents.push({ at, data });
    return at;
  };

  const recordsAt = reserve((spec.layers.length + 1) * RECORD_FIELDS.length * FLOAT);
  const slots = reserve(maxWave * FLOAT);
  const tokens = reserve(maxWave * FLOAT);
  const inputs = reserve(maxWave * spec.inputSize * FLOAT);
  const outputs = reserve(maxWave * outputSize(spec) * FLOAT);
  const everyRow = place(Int32Array.from({ length: maxWave }, (_, s) => s));
  const parts = splitWeights(spec, weights);
  const scratch = scratchFloats(spec.layers, parts);
  const pack = reserve(scratch.pack * FLOAT);
  const gates = reserve(scratch.gates * FLOAT);
  const stateRuns = stateRunsOf(spec);
  const stateStride = stateRuns.reduce((sum, run) => sum + padded(run.size) * FLOAT, 0);

  const records: LayerRecord[] = [];
  // States come last, after everything is placed; until then their records hold offsets within a slot.
  const inStates: ('inputs' | 'states')[][] = [];
  let source = { inputs, inputIndex: everyRow, inputStride: spec.inputSize * FLOAT, inStates: false };
  let mask = 0;
  let run = 0;
  const record = (op: Operation, fields: Partial<LayerRecord>): void => {
    const { inStates: fromState, ...input } = source;
    const none = Object.fromEntries(RECORD_FIELDS.map((name) => [name, 0])) as LayerRecord;
    records.push({ ...none, ...input, slots, stateStride, mask, pack, gates, ...fields, op: OPERATIONS.indexOf(op) });
    inStates.push(fromState ? ['inputs', 'states'] : ['states']);
  };
  const placed = (packed: Packed | undefined): [number, number] =>
    packed === undefined ? [0, 0] : [place(packed.weights), place(packed.bias)];

  spec.layers.forEach((layer, index) => {
    const part = parts[index];
    const { inputSize } = part;
    if (layer.type === 'embedding') {
      const table = place(part.embeddings);
      source = { inputs: table, inputIndex: tokens, inputStride: layer.outputDim * FLOAT, inStates: false };
      mask = layer.maskZero === true ? tokens : 0;
      return;
    }
    const { units } = layer;
    const common = { units, panels: panelsOf(units), inputSize, activation: activationId(layer.activation) };
    if (layer.type === 'dense') {
      const isLast = index === spec.layers.length - 1;
      const outStride = units * FLOAT;
      const out = isLast ? outputs : reserve(maxWave * outStride);
      const dot = units <= DOT_UNITS && layer.activation !== 'softmax';
      const [kernel, bias] = placed(packDense(layer, part, dot));
      record(dot ? 'dot' : 'dense', { ...common, weights: kernel, bias, out, outStride });
      source = { inputs: out, inputIndex: everyRow, inputStride: outStride, inStates: false };
      return;
    }
    const packed = packRecurrent(layer, part);
    const [gateWeights, bias] = placed(packed.gates);
    const [inputWeights, inputBias] = placed(packed.candidateInput);
    const [candidateWeights, candidateBias] = placed(packed.candidate);
    const states = stateRuns[run].at;
    run += layer.type === 'lstm' ? 2 : 1;
    const op = layer.type !== 'gru' ? layer.type : layer.resetAfter ? 'gru_after' : 'gru_before';
    const recurrentActivation = layer.type === 'simple_rnn' ? 0 : activationId(layer.recurrentActivation);
    const matrices = { weights: gateWeights, bias, inputWeights, inputBias, candidateWeights, candidateBias };
    record(op, { ...common, ...matrices, recurrentActivation, states });
    source = { inputs: states, inputIndex: slots, inputStride: stateStride, inStates: true };
  });
  if (spec.layers[spec.layers.length - 1]?.type !== 'dense') {
    const size = outputSize(spec);
    record('copy', { inputSize: size, out: outputs, outStride: size * FLOAT });
  }

  const states = top;
  records.forEach((r, index) => inStates[index].forEach((field) => (r[field] += states)));
  // Vectors are read whole: the last one may begin inside the last slot and end behind it.
  const bytes = states + capacity * stateStride + CACHE_LINE;
  return { bytes, records, recordsAt, contents, slots, tokens, inputs, outputs, states, stateStride, stateRuns };
}

const padded = (units: number): number => panelsOf(units) * PANEL;

function stateRunsOf(spec: NetworkSpec): StateRun[] {
  const runs: StateRun[] = [];
  let at = 0;
  const add = (size: number): void => {
    runs.push({ at, size });
    at += padded(size) * FLOAT;
  };
  for (const layer of spec.layers) {
    if (layer.type === 'embedding' || layer.type === 'dense') continue;
    add(layer.units);
    if (layer.type === 'lstm') add(layer.units);
  }
  return runs;
}

/** The largest pack (inputs and states) and gates of any layer, for four streams. */
function scratchFloats(layers: readonly LayerSpec[], parts: readonly LayerWeights[]): { pack: number; gates: number } {
  const streams = 4;
  let pack = 0;
  let gates = PANEL;
  layers.forEach((layer, index) => {
    if (layer.type === 'embedding') return;
    pack = Math.max(pack, parts[index].inputSize + padded(layer.units));
    // A GRU's candidate has two parts.
    const blocks = layer.type === 'dense' ? 1 : layer.type === 'gru' ? 4 : gateCount(layer);
    gates = Math.max(gates, blocks * padded(layer.units));
  });
  return { pack: pack * streams, gates: gates * streams };
}
