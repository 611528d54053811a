import { Lanes } from './lanes';
import { affine1, affine4, pack4 } from './affine';

/** What the kernel knows of a layer: 32-bit words written by src/simd-plan.ts in this order (RECORD_FIELDS there). */
@unmanaged
export class Layer {
  op: i32;
  units: i32;
  /** Panels of 8 columns that hold one gate. */
  panels: i32;
  activation: i32;
  recurrentActivation: i32;
  inputSize: i32;
  /** Row s of the input is at inputs + inputIndex[s] * inputStride: plain rows, rows of a table, or other layers' states. */
  inputs: usize;
  inputIndex: usize;
  inputStride: usize;
  weights: usize;
  bias: usize;
  /** Only the candidate of a GRU: its input part (reset after). */
  inputWeights: usize;
  inputBias: usize;
  /** Only the candidate of a GRU: its recurrent part (reset after), or all of it (reset before). */
  candidateWeights: usize;
  candidateBias: usize;
  states: usize;
  slots: usize;
  stateStride: usize;
  out: usize;
  outStride: usize;
  /** 0, or the wave's tokens: where the token is 0 the state stays. */
  mask: usize;
  pack: usize;
  gates: usize;
}

export function inputOf(layer: Layer, row: i32): usize {
  return layer.inputs + <usize>load<i32>(layer.inputIndex + ((<usize>row) << 2)) * layer.inputStride;
}

export function stateOf(layer: Layer, row: i32): usize {
  return layer.states + <usize>load<i32>(layer.slots + ((<usize>row) << 2)) * layer.stateStride;
}

/** All ones where the stream's state moves on, zeros where the token is masked. */
export function moves(layer: Layer, row: i32): v128 {
  if (layer.mask == 0) return i32x4.splat(-1);
  return i32x4.ne(v128.load32_splat(layer.mask + ((<usize>row) << 2)), i32x4.splat(0));
}

/** Writes four floats of a state: units past the layer's size and masked streams keep what they have. */
export function writeState(target: usize, old: v128, value: v128, units: i32, k: i32, moving: v128): void {
  v128.store(target, v128.bitselect(Lanes.canonical(value), old, v128.and(Lanes.below(units, k), moving)));
}

function copy(from: usize, size: i32, to: usize): void {
  const last = to + ((<usize>(size & ~3)) << 2);
  const end = to + ((<usize>size) << 2);
  for (; to < last; to += 16) {
    v128.store(to, v128.load(from));
    from += 16;
  }
  for (; to < end; to += 4) {
    store<f32>(to, load<f32>(from));
    from += 4;
  }
}

export function packInputs(layer: Layer, streams: i32, first: i32): void {
  if (streams == 1) copy(inputOf(layer, first), layer.inputSize, layer.pack);
  else {
    pack4(
      inputOf(layer, first),
      inputOf(layer, first + 1),
      inputOf(layer, first + 2),
      inputOf(layer, first + 3),
      layer.inputSize,
      layer.pack,
    );
  }
}

/** The states go right behind the inputs, so that one pass takes both. */
export function packStates(layer: Layer, streams: i32, first: i32): void {
  const to = layer.pack + ((<usize>layer.inputSize * streams) << 2);
  if (streams == 1) copy(stateOf(layer, first), layer.units, to);
  else {
    pack4(
      stateOf(layer, first),
      stateOf(layer, first + 1),
      stateOf(layer, first + 2),
      stateOf(layer, first + 3),
      layer.units,
      to,
    );
  }
}

/** Packs results of `affine` (panels) as rows of the next one. */
export function packPanels(from: usize, streams: i32, size: i32, to: usize): void {
  if (streams == 1) {
    copy(from, size, to);
    return;
  }
  for (; size > 0; size -= 8) {
    pack4(from, from + 32, from + 64, from + 96, min(size, 8), to);
    from += 128;
    to += 128;
  }
}

export function affine(w: usize, bias: usize, panels: i32, streams: i32, pack: usize, rows: i32, out: usize): void {
  if (streams == 1) affine1(w, bias, panels, pack, rows, out);
  else affine4(w, bias, panels, pack, rows, out);
}
