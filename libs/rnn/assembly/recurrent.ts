import { activate } from './activations';
import { Layer, affine, moves, packInputs, packPanels, packStates, stateOf, writeState } from './layer';

export function simpleRnn(layer: Layer, streams: i32, first: i32): void {
  const gates = layer.gates;
  const gate = (<usize>layer.panels * streams) << 5;
  packInputs(layer, streams, first);
  packStates(layer, streams, first);
  affine(layer.weights, layer.bias, layer.panels, streams, layer.pack, layer.inputSize + layer.units, gates);
  activate(layer.activation, gates, gates + gate);
  for (let s = 0; s < streams; s++) {
    const moving = moves(layer, first + s);
    let state = stateOf(layer, first + s);
    let at = gates + ((<usize>s) << 5);
    for (let k = 0; k < layer.units; k += 8) {
      writeState(state, v128.load(state), v128.load(at), layer.units, k, moving);
      writeState(state + 16, v128.load(state, 16), v128.load(at, 16), layer.units, k + 4, moving);
      state += 32;
      at += (<usize>streams) << 5;
    }
  }
}

/** Gates lie as i, f, o, c here: the three with the recurrent activation side by side. c' = f c + i g; h' = o f(c'). */
export function lstm(layer: Layer, streams: i32, first: i32): void {
  const gates = layer.gates;
  const gate = (<usize>layer.panels * streams) << 5;
  const units = layer.units;
  packInputs(layer, streams, first);
  packStates(layer, streams, first);
  affine(layer.weights, layer.bias, layer.panels * 4, streams, layer.pack, layer.inputSize + units, gates);
  activate(layer.recurrentActivation, gates, gates + 3 * gate);
  activate(layer.activation, gates + 3 * gate, gates + 4 * gate);
  const cell = (<usize>layer.panels) << 5;
  for (let s = 0; s < streams; s++) {
    const moving = moves(layer, first + s);
    let state = stateOf(layer, first + s) + cell;
    let at = gates + ((<usize>s) << 5);
    for (let k = 0; k < layer.panels << 3; k += 4) {
      const old = v128.load(state);
      const i = v128.load(at);
      const f = v128.load(at + gate);
      const g = v128.load(at + 3 * gate);
      const c = f32x4.add(f32x4.mul(f, old), f32x4.mul(i, g));
      v128.store(at, c);
      writeState(state, old, c, units, k, moving);
      state += 16;
      at += 16;
      if (k & 4) at += (<usize>(streams - 1)) << 5;
    }
  }
  activate(layer.activation, gates, gates + gate);
  for (let s = 0; s < streams; s++) {
    const moving = moves(layer, first + s);
    let state = stateOf(layer, first + s);
    let at = gates + ((<usize>s) << 5);
    for (let k = 0; k < layer.panels << 3; k += 4) {
      const h = f32x4.mul(v128.load(at + 2 * gate), v128.load(at));
      writeState(state, v128.load(state), h, units, k, moving);
      state += 16;
      at += 16;
      if (k & 4) at += (<usize>(streams - 1)) << 5;
    }
  }
}

/** In `gates`: z, r, the candidate's recurrent part, the candidate. */
export function gruResetAfter(layer: Layer, streams: i32, first: i32): void {
  const gates = layer.gates;
  const gate = (<usize>layer.panels * streams) << 5;
  const inputSize = layer.inputSize;
  const states = layer.pack + ((<usize>inputSize * streams) << 2);
  packInputs(layer, streams, first);
  packStates(layer, streams, first);
  const recurrent = gates + 2 * gate;
  const candidate = gates + 3 * gate;
  affine(layer.weights, layer.bias, layer.panels * 2, streams, layer.pack, inputSize + layer.units, gates);
  affine(layer.candidateWeights, layer.candidateBias, layer.panels, streams, states, layer.units, recurrent);
  affine(layer.inputWeights, layer.inputBias, layer.panels, streams, layer.pack, inputSize, candidate);
  activate(layer.recurrentActivation, gates, recurrent);
  for (let e: usize = 0; e < gate; e += 16) {
    const r = v128.load(gates + gate + e);
    const part = f32x4.mul(r, v128.load(recurrent + e));
    v128.store(candidate + e, f32x4.add(v128.load(candidate + e), part));
  }
  activate(layer.activation, candidate, candidate + gate);
  mix(layer, streams, first);
}

/** The candidate sees r h instead of h. */
export function gruResetBefore(layer: Layer, streams: i32, first: i32): void {
  const gates = layer.gates;
  const gate = (<usize>layer.panels * streams) << 5;
  const rows = layer.inputSize + layer.units;
  packInputs(layer, streams, first);
  packStates(layer, streams, first);
  affine(layer.weights, layer.bias, layer.panels * 2, streams, layer.pack, rows, gates);
  activate(layer.recurrentActivation, gates, gates + 2 * gate);
  const reset = gates + 2 * gate;
  const candidate = gates + 3 * gate;
  for (let s = 0; s < streams; s++) {
    let state = stateOf(layer, first + s);
    let at = gates + gate + ((<usize>s) << 5);
    for (let k = 0; k < layer.units; k += 8) {
      v128.store(at + gate, f32x4.mul(v128.load(at), v128.load(state)));
      v128.store(at + gate, f32x4.mul(v128.load(at, 16), v128.load(state, 16)), 16);
      state += 32;
      at += (<usize>streams) << 5;
    }
  }
  packPanels(reset, streams, layer.units, layer.pack + ((<usize>layer.inputSize * streams) << 2));
  affine(layer.candidateWeights, layer.candidateBias, layer.panels, streams, layer.pack, rows, candidate);
  activate(layer.activation, candidate, candidate + gate);
  mix(layer, streams, first);
}

/** h' = z h + (1 - z) n */
function mix(layer: Layer, streams: i32, first: i32): void {
  const gate = (<usize>layer.panels * streams) << 5;
  const one = f32x4.splat(1);
  for (let s = 0; s < streams; s++) {
    const moving = moves(layer, first + s);
    let state = stateOf(layer, first + s);
    let at = layer.gates + ((<usize>s) << 5);
    for (let k = 0; k < layer.panels << 3; k += 4) {
      const z = v128.load(at);
      const n = v128.load(at + 3 * gate);
      const h = v128.load(state);
      const next = f32x4.add(f32x4.mul(z, h), f32x4.mul(f32x4.sub(one, z), n));
      writeState(state, h, next, layer.units, k, moving);
      state += 16;
      at += 16;
      if (k & 4) at += (<usize>(streams - 1)) << 5;
    }
  }
}
