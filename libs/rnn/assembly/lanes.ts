import { Constant } from './constants';

/** Float32 maths on four lanes. src/scalar-math.ts is the same, operation by operation, and says where each formula comes from.
 *  Every product is rounded before it is added: relaxed or fused operations would give other bits on other machines.
 *  (Static methods, because there a decorator is ordinary TypeScript and prettier can read the file.) */

// Adding 1.5 * 2^23 rounds a small float to an integer (half to even) and leaves that integer in the low bits.
const ROUNDER_BITS: i32 = 0x4b400000;

export class Lanes {
  /** e^r * 2^-n, 2^n left to the caller; `rounded` is n + ROUNDER. */
  @inline static expCore(x: v128, rounded: v128): v128 {
    const n = f32x4.sub(rounded, Constant.rounder());
    let r = f32x4.sub(x, f32x4.mul(n, Constant.ln2High()));
    r = f32x4.sub(r, f32x4.mul(n, Constant.ln2Low()));
    const r2 = f32x4.mul(r, r);
    let p = f32x4.add(f32x4.mul(Constant.e7(), r), Constant.e6());
    p = f32x4.add(f32x4.mul(p, r2), f32x4.add(f32x4.mul(Constant.e5(), r), Constant.e4()));
    p = f32x4.add(f32x4.mul(p, r2), f32x4.add(f32x4.mul(Constant.e3(), r), Constant.e2()));
    p = f32x4.add(f32x4.mul(p, r2), r);
    return f32x4.add(p, Constant.one());
  }

  @inline static exp(value: v128): v128 {
    const x = f32x4.pmin(f32x4.pmax(value, f32x4.splat(-104)), f32x4.splat(89));
    const rounded = f32x4.add(f32x4.mul(x, Constant.log2E()), Constant.rounder());
    // 2^n in two factors: n reaches from -150 (denormals) to 128 (infinity), further than one exponent does.
    const n = i32x4.sub(rounded, i32x4.splat(ROUNDER_BITS));
    const half = i32x4.shr_s(n, 1);
    const rest = i32x4.sub(n, half);
    const p = f32x4.mul(Lanes.expCore(x, rounded), i32x4.shl(i32x4.add(half, i32x4.splat(127)), 23));
    return f32x4.mul(p, i32x4.shl(i32x4.add(rest, i32x4.splat(127)), 23));
  }

  @inline static sigmoid(value: v128): v128 {
    const x = f32x4.pmin(f32x4.pmax(f32x4.neg(value), Constant.sigmoidLow()), Constant.sigmoidHigh());
    const rounded = f32x4.add(f32x4.mul(x, Constant.log2E()), Constant.rounder());
    const scale = i32x4.shl(i32x4.add(rounded, i32x4.splat(127)), 23);
    const e = f32x4.mul(Lanes.expCore(x, rounded), scale);
    return f32x4.div(Constant.one(), f32x4.add(Constant.one(), e));
  }

  @inline static tanh(value: v128): v128 {
    const x = f32x4.pmin(f32x4.pmax(value, Constant.tanhLow()), Constant.tanhHigh());
    const s = f32x4.mul(x, x);
    const s2 = f32x4.mul(s, s);
    let p = f32x4.mul(Constant.p13(), s2);
    p = f32x4.add(p, f32x4.add(f32x4.mul(Constant.p11(), s), Constant.p9()));
    p = f32x4.add(f32x4.mul(p, s2), f32x4.add(f32x4.mul(Constant.p7(), s), Constant.p5()));
    p = f32x4.add(f32x4.mul(p, s2), f32x4.add(f32x4.mul(Constant.p3(), s), Constant.p1()));
    let q = f32x4.add(f32x4.mul(Constant.q6(), s), Constant.q4());
    q = f32x4.add(f32x4.mul(q, s2), f32x4.add(f32x4.mul(Constant.q2(), s), Constant.q0()));
    const tiny = f32x4.lt(f32x4.abs(value), Constant.tiny());
    return v128.bitselect(value, f32x4.div(f32x4.mul(x, p), q), tiny);
  }

  /** e^x - 1 for x <= 0. */
  @inline static expm1(x: v128): v128 {
    const t = Lanes.tanh(f32x4.mul(x, f32x4.splat(0.5)));
    return f32x4.div(f32x4.add(t, t), f32x4.sub(f32x4.splat(1), t));
  }

  /** log(1 + u) for u in 0..1. */
  @inline static log1p(u: v128): v128 {
    const s = f32x4.div(u, f32x4.add(f32x4.splat(2), u));
    const w = f32x4.mul(s, s);
    let p = f32x4.add(f32x4.mul(f32x4.splat(2.0 / 15.0), w), f32x4.splat(2.0 / 13.0));
    p = f32x4.add(f32x4.mul(p, w), f32x4.splat(2.0 / 11.0));
    p = f32x4.add(f32x4.mul(p, w), f32x4.splat(2.0 / 9.0));
    p = f32x4.add(f32x4.mul(p, w), f32x4.splat(2.0 / 7.0));
    p = f32x4.add(f32x4.mul(p, w), f32x4.splat(2.0 / 5.0));
    p = f32x4.add(f32x4.mul(p, w), f32x4.splat(2.0 / 3.0));
    p = f32x4.mul(f32x4.mul(p, w), s);
    return f32x4.add(f32x4.add(s, s), p);
  }

  @inline static softplus(x: v128): v128 {
    const u = Lanes.exp(f32x4.neg(f32x4.abs(x)));
    return f32x4.add(f32x4.pmax(x, f32x4.splat(0)), Lanes.log1p(u));
  }

  @inline static elu(x: v128): v128 {
    const negative = Lanes.expm1(f32x4.pmin(x, f32x4.splat(0)));
    return v128.bitselect(x, negative, f32x4.gt(x, f32x4.splat(0)));
  }

  /** Puts x into low..high; NaN stays NaN. */
  @inline static clip(x: v128, low: f32, high: f32): v128 {
    return f32x4.pmin(f32x4.pmax(x, f32x4.splat(low)), f32x4.splat(high));
  }

  /** Which NaN an operation makes differs between processors: only one may be seen outside. */
  @inline static canonical(x: v128): v128 {
    return v128.bitselect(x, i32x4.splat(0x7fc00000), f32x4.eq(x, x));
  }

  /** All ones in the lanes k, k+1, .. that are below `units`. */
  @inline static below(units: i32, k: i32): v128 {
    return i32x4.lt_s(i32x4.add(i32x4.splat(k), i32x4(0, 1, 2, 3)), i32x4.splat(units));
  }

  @inline static store(target: usize, value: v128, lanes: i32): void {
    if (lanes >= 4) {
      v128.store(target, value);
      return;
    }
    v128.store_lane<f32>(target, value, 0);
    if (lanes > 1) v128.store_lane<f32>(target, value, 1, 4);
    if (lanes > 2) v128.store_lane<f32>(target, value, 2, 8);
  }
}
