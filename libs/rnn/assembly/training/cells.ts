import { Constant } from '../constants';
import { Lanes } from '../lanes';
import { Pass, readOutBack } from './pass';
import { outer, product } from './products';

class Slope {
  /** Of sigmoid, by its value. */
  @inline static sigmoid(y: v128): v128 {
    return f32x4.mul(y, f32x4.sub(Constant.one(), y));
  }
  /** Of tanh, by its value. */
  @inline static tanh(y: v128): v128 {
    return f32x4.sub(Constant.one(), f32x4.mul(y, y));
  }
}

export function simpleRnn(pass: Pass): void {
  const n = pass.n;
  for (let t = 0; t < pass.steps; t++) {
    const next = pass.state(t + 1);
    product(pass.operand(t), pass.operandQuads, pass.weights, next, pass.unitQuads >> 1, pass.rows, false);
    for (let e = next; e < next + n; e += 16) v128.store(e, Lanes.tanh(v128.load(e)));
  }
}

export function simpleRnnBack(pass: Pass): void {
  const n = pass.n;
  const pairs = pass.unitQuads >> 1;
  for (let t = pass.steps - 1; t >= 0; t--) {
    readOutBack(pass, t);
    const d = pass.gates + <usize>t * n;
    const h = pass.state(t + 1);
    for (let e: usize = 0; e < n; e += 16) {
      v128.store(d + e, f32x4.mul(v128.load(pass.carry + e), Slope.tanh(v128.load(h + e))));
    }
    product(d, pass.unitQuads, pass.back, pass.carry, pairs, pass.rows, false);
  }
  weightGradients(pass, pass.operands, pass.gates, n, pairs, pass.gradients);
}

/** Gates i, f, g, o. c' = f c + i g; h' = o tanh(c'). */
export function lstm(pass: Pass): void {
  const n = pass.n;
  for (let t = 0; t < pass.steps; t++) {
    const gates = pass.gates + <usize>t * 4 * n;
    const before = pass.cells + <usize>t * n;
    const next = pass.state(t + 1);
    product(pass.operand(t), pass.operandQuads, pass.weights, gates, pass.unitQuads << 1, pass.rows, false);
    for (let e = gates; e < gates + 2 * n; e += 16) v128.store(e, Lanes.sigmoid(v128.load(e)));
    for (let e = gates + 2 * n; e < gates + 3 * n; e += 16) v128.store(e, Lanes.tanh(v128.load(e)));
    for (let e: usize = 0; e < n; e += 16) {
      const at = gates + e;
      const o = Lanes.sigmoid(v128.load(at + 3 * n));
      const kept = f32x4.mul(v128.load(at + n), v128.load(before + e));
      const c = f32x4.add(kept, f32x4.mul(v128.load(at), v128.load(at + 2 * n)));
      v128.store(at + 3 * n, o);
      v128.store(before + n + e, c);
      v128.store(next + e, f32x4.mul(o, Lanes.tanh(c)));
    }
  }
}

export function lstmBack(pass: Pass): void {
  const n = pass.n;
  const carryCell = pass.carryTwo;
  for (let t = pass.steps - 1; t >= 0; t--) {
    readOutBack(pass, t);
    const gates = pass.gates + <usize>t * 4 * n;
    const before = pass.cells + <usize>t * n;
    for (let e: usize = 0; e < n; e += 16) {
      const at = gates + e;
      const i = v128.load(at);
      const f = v128.load(at + n);
      const g = v128.load(at + 2 * n);
      const o = v128.load(at + 3 * n);
      const squashed = Lanes.tanh(v128.load(before + n + e));
      const d = v128.load(pass.carry + e);
      const dc = f32x4.add(v128.load(carryCell + e), f32x4.mul(f32x4.mul(d, o), Slope.tanh(squashed)));
      v128.store(at, f32x4.mul(f32x4.mul(dc, g), Slope.sigmoid(i)));
      v128.store(at + n, f32x4.mul(f32x4.mul(dc, v128.load(before + e)), Slope.sigmoid(f)));
      v128.store(at + 2 * n, f32x4.mul(f32x4.mul(dc, i), Slope.tanh(g)));
      v128.store(at + 3 * n, f32x4.mul(f32x4.mul(d, squashed), Slope.sigmoid(o)));
      v128.store(carryCell + e, f32x4.mul(dc, f));
    }
    product(gates, pass.unitQuads << 2, pass.back, pass.carry, pass.unitQuads >> 1, pass.rows, false);
  }
  weightGradients(pass, pass.operands, pass.gates, 4 * n, pass.unitQuads << 1, pass.gradients);
}

/** Gates z, r, candidate c. h' = c + z (h - c), c = tanh(x + (r h) U): the reset gate before the product. */
export function gru(pass: Pass): void {
  const n = pass.n;
  const quads = pass.operandQuads;
  for (let t = 0; t < pass.steps; t++) {
    const gates = pass.gates + <usize>t * 3 * n;
    const candidate = gates + 2 * n;
    const h = pass.state(t);
    const next = pass.state(t + 1);
    const reset = pass.reset(t);
    const rh = reset + pass.inputBytes;
    product(pass.operand(t), quads, pass.weights, gates, pass.unitQuads, pass.rows, false);
    for (let e = gates; e < candidate; e += 16) v128.store(e, Lanes.sigmoid(v128.load(e)));
    for (let e: usize = 0; e < n; e += 16) {
      v128.store(rh + e, f32x4.mul(v128.load(gates + n + e), v128.load(h + e)));
    }
    product(reset, quads, pass.candidateWeights, candidate, pass.unitQuads >> 1, pass.rows, false);
    for (let e: usize = 0; e < n; e += 16) {
      const c = Lanes.tanh(v128.load(candidate + e));
      const z = v128.load(gates + e);
      v128.store(candidate + e, c);
      v128.store(next + e, f32x4.add(c, f32x4.mul(z, f32x4.sub(v128.load(h + e), c))));
    }
  }
}

export function gruBack(pass: Pass): void {
  const n = pass.n;
  const quads = pass.unitQuads;
  const dReset = pass.carryTwo;
  for (let t = pass.steps - 1; t >= 0; t--) {
    readOutBack(pass, t);
    const gates = pass.gates + <usize>t * 3 * n;
    const candidate = gates + 2 * n;
    const h = pass.state(t);
    for (let e: usize = 0; e < n; e += 16) {
      const d = v128.load(pass.carry + e);
      const z = v128.load(gates + e);
      const c = v128.load(candidate + e);
      const open = f32x4.sub(Constant.one(), z);
      v128.store(gates + e, f32x4.mul(f32x4.mul(d, f32x4.sub(v128.load(h + e), c)), f32x4.mul(z, open)));
      v128.store(candidate + e, f32x4.mul(f32x4.mul(d, open), Slope.tanh(c)));
      v128.store(pass.carry + e, f32x4.mul(d, z));
    }
    product(candidate, quads, pass.candidateBack, dReset, quads >> 1, pass.rows, false);
    for (let e: usize = 0; e < n; e += 16) {
      const d = v128.load(dReset + e);
      const r = v128.load(gates + n + e);
      v128.store(gates + n + e, f32x4.mul(f32x4.mul(d, v128.load(h + e)), Slope.sigmoid(r)));
      v128.store(pass.carry + e, f32x4.add(v128.load(pass.carry + e), f32x4.mul(d, r)));
    }
    product(gates, quads << 1, pass.back, pass.carry, quads >> 1, pass.rows, true);
  }
  weightGradients(pass, pass.operands, pass.gates, 3 * n, quads, pass.gradients);
  weightGradients(pass, pass.resets, pass.gates + 2 * n, 3 * n, quads >> 1, pass.candidateGradients);
}

/** Kernel, bias and recurrent kernel in one product over all steps: the operands' rows are inputs, ones and states. */
function weightGradients(pass: Pass, operands: usize, g: usize, gStride: usize, pairs: i32, out: usize): void {
  outer(operands, pass.operandBytes, pass.operandQuads, g, gStride, pairs, pass.rows, pass.steps, out);
}
