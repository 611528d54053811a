import { activate, softmax } from './activations';
import { Lanes } from './lanes';
import { Layer, affine, inputOf, packInputs } from './layer';

const SOFTMAX: i32 = -1;

export function dense(layer: Layer, streams: i32, first: i32): void {
  const gates = layer.gates;
  const panelBytes = (<usize>streams) << 5;
  packInputs(layer, streams, first);
  affine(layer.weights, layer.bias, layer.panels, streams, layer.pack, layer.inputSize, gates);
  if (layer.activation == SOFTMAX) {
    for (let s = 0; s < streams; s++) softmax(gates + ((<usize>s) << 5), panelBytes, layer.units);
  } else activate(layer.activation, gates, gates + <usize>layer.panels * panelBytes);
  for (let s = 0; s < streams; s++) {
    let at = gates + ((<usize>s) << 5);
    let out = layer.out + <usize>(first + s) * layer.outStride;
    for (let k = 0; k < layer.units; k += 8) {
      Lanes.store(out, Lanes.canonical(v128.load(at)), layer.units - k);
      if (layer.units - k > 4) Lanes.store(out + 16, Lanes.canonical(v128.load(at, 16)), layer.units - k - 4);
      out += 32;
      at += panelBytes;
    }
  }
}

/** A read-out of a few units: partial sums p0..p3 over inputs 0, 4, .. | 1, 5, .. | 2, 6, .. | 3, 7, .., then ((p0 + p1) + (p2 + p3)) + bias.
 *  Here `weights` are rows of inputs, one a unit, filled up with zeros to a multiple of 4. */
export function dot4(layer: Layer, first: i32): void {
  const size = layer.inputSize;
  const xa = inputOf(layer, first);
  const xb = inputOf(layer, first + 1);
  const xc = inputOf(layer, first + 2);
  const xd = inputOf(layer, first + 3);
  let w = layer.weights;
  const whole = (<usize>(size & ~3)) << 2;
  const tail = Lanes.below(size & 3, 0);
  for (let o = 0; o < layer.units; o++) {
    let a = f32x4.splat(0);
    let b = a;
    let c = a;
    let d = a;
    let at: usize = 0;
    for (; at < whole; at += 16) {
      const weights = v128.load(w);
      a = f32x4.add(a, f32x4.mul(v128.load(xa + at), weights));
      b = f32x4.add(b, f32x4.mul(v128.load(xb + at), weights));
      c = f32x4.add(c, f32x4.mul(v128.load(xc + at), weights));
      d = f32x4.add(d, f32x4.mul(v128.load(xd + at), weights));
      w += 16;
    }
    if (size & 3) {
      const weights = v128.load(w);
      a = f32x4.add(a, f32x4.mul(v128.and(v128.load(xa + at), tail), weights));
      b = f32x4.add(b, f32x4.mul(v128.and(v128.load(xb + at), tail), weights));
      c = f32x4.add(c, f32x4.mul(v128.and(v128.load(xc + at), tail), weights));
      d = f32x4.add(d, f32x4.mul(v128.and(v128.load(xd + at), tail), weights));
      w += 16;
    }
    const ab0 = v128.shuffle<i32>(a, b, 0, 4, 2, 6);
    const ab1 = v128.shuffle<i32>(a, b, 1, 5, 3, 7);
    const cd0 = v128.shuffle<i32>(c, d, 0, 4, 2, 6);
    const cd1 = v128.shuffle<i32>(c, d, 1, 5, 3, 7);
    const ab = f32x4.add(ab0, ab1); // a01 b01 a23 b23
    const cd = f32x4.add(cd0, cd1);
    const sum = f32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
    v128.store(layer.gates, f32x4.add(sum, v128.load32_splat(layer.bias + ((<usize>o) << 2))));
    activate(layer.activation, layer.gates, layer.gates + 16);
    const y = Lanes.canonical(v128.load(layer.gates));
    let out = layer.out + <usize>first * layer.outStride + ((<usize>o) << 2);
    v128.store_lane<f32>(out, y, 0);
    out += layer.outStride;
    v128.store_lane<f32>(out, y, 1);
    out += layer.outStride;
    v128.store_lane<f32>(out, y, 2);
    out += layer.outStride;
    v128.store_lane<f32>(out, y, 3);
  }
}

export function dot1(layer: Layer, row: i32): void {
  const size = layer.inputSize;
  const x = inputOf(layer, row);
  let w = layer.weights;
  const whole = (<usize>(size & ~3)) << 2;
  for (let o = 0; o < layer.units; o++) {
    let a = f32x4.splat(0);
    let at: usize = 0;
    for (; at < whole; at += 16) {
      a = f32x4.add(a, f32x4.mul(v128.load(x + at), v128.load(w)));
      w += 16;
    }
    if (size & 3) {
      a = f32x4.add(a, f32x4.mul(v128.and(v128.load(x + at), Lanes.below(size & 3, 0)), v128.load(w)));
      w += 16;
    }
    const pairs = f32x4.add(a, v128.shuffle<i32>(a, a, 1, 0, 3, 2));
    const sum = f32x4.add(pairs, v128.shuffle<i32>(pairs, pairs, 2, 3, 0, 1));
    v128.store(layer.gates, f32x4.add(sum, v128.load32_splat(layer.bias + ((<usize>o) << 2))));
    activate(layer.activation, layer.gates, layer.gates + 16);
    const out = layer.out + <usize>row * layer.outStride + ((<usize>o) << 2);
    v128.store_lane<f32>(out, Lanes.canonical(v128.load(layer.gates)), 0);
  }
}

/** The network's last layer has no rows of its own (an embedding, a recurrent layer): the outputs are copied from where they are. */
export function copyOut(layer: Layer, row: i32): void {
  let from = inputOf(layer, row);
  let out = layer.out + <usize>row * layer.outStride;
  for (let left = layer.inputSize; left > 0; left -= 4) {
    Lanes.store(out, Lanes.canonical(v128.load(from)), left);
    from += 16;
    out += 16;
  }
}
