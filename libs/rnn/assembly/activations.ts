import { Lanes } from './lanes';

/** Applies activation `id` (its place in ACTIVATIONS of src/spec.ts) to floats from `at` to `end`, 16 bytes at a time. */
export function activate(id: i32, at: usize, end: usize): void {
  switch (id) {
    case 0:
      return;
    case 1:
      for (; at < end; at += 16) v128.store(at, Lanes.tanh(v128.load(at)));
      return;
    case 2:
      for (; at < end; at += 16) v128.store(at, Lanes.sigmoid(v128.load(at)));
      return;
    case 3:
      for (; at < end; at += 16) v128.store(at, f32x4.pmax(v128.load(at), f32x4.splat(0)));
      return;
    case 4:
      for (; at < end; at += 16) v128.store(at, Lanes.clip(v128.load(at), 0, 6));
      return;
    case 5:
      for (; at < end; at += 16) {
        const x = f32x4.add(v128.load(at), f32x4.splat(3));
        v128.store(at, f32x4.div(Lanes.clip(x, 0, 6), f32x4.splat(6)));
      }
      return;
    case 6:
      for (; at < end; at += 16) {
        const x = f32x4.add(f32x4.mul(v128.load(at), f32x4.splat(0.2)), f32x4.splat(0.5));
        v128.store(at, Lanes.clip(x, 0, 1));
      }
      return;
    case 7:
      for (; at < end; at += 16) {
        const x = v128.load(at);
        v128.store(at, f32x4.div(x, f32x4.add(f32x4.splat(1), f32x4.abs(x))));
      }
      return;
    case 8:
      for (; at < end; at += 16) v128.store(at, Lanes.elu(v128.load(at)));
      return;
    case 9:
      for (; at < end; at += 16) {
        const x = v128.load(at);
        const scale = f32x4.splat(1.05070098);
        const y = Lanes.elu(x);
        // scale * alpha below zero, scale alone above
        const slope = v128.bitselect(scale, f32x4.splat(1.75809934), f32x4.gt(x, f32x4.splat(0)));
        v128.store(at, f32x4.mul(slope, y));
      }
      return;
    case 10:
      for (; at < end; at += 16) v128.store(at, Lanes.exp(v128.load(at)));
      return;
    case 11:
      for (; at < end; at += 16) v128.store(at, Lanes.softplus(v128.load(at)));
      return;
    case 12:
      for (; at < end; at += 16) {
        const x = v128.load(at);
        v128.store(at, f32x4.mul(x, Lanes.sigmoid(x)));
      }
      return;
    default:
      unreachable();
  }
}

/** Softmax of one stream's `units` logits, which lie in panels of 8 floats, `panelBytes` apart. One order: maximum, exponentials, sum,
 *  quotients, each with units ascending. */
export function softmax(at: usize, panelBytes: usize, units: i32): void {
  let max = load<f32>(at);
  for (let k = 1; k < units; k++) {
    const x = load<f32>(at + <usize>(k >> 3) * panelBytes + ((k & 7) << 2));
    max = max < x ? x : max;
  }
  for (let k = 0; k < units; k += 4) {
    const p = at + <usize>(k >> 3) * panelBytes + ((k & 7) << 2);
    v128.store(p, Lanes.exp(f32x4.sub(v128.load(p), f32x4.splat(max))));
  }
  let sum: f32 = 0;
  for (let k = 0; k < units; k++) sum += load<f32>(at + <usize>(k >> 3) * panelBytes + ((k & 7) << 2));
  for (let k = 0; k < units; k += 4) {
    const p = at + <usize>(k >> 3) * panelBytes + ((k & 7) << 2);
    v128.store(p, f32x4.div(v128.load(p), f32x4.splat(sum)));
  }
}
