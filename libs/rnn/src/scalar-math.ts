/** Float32 maths for the scalar twin: assembly/lanes.ts does the same on four lanes, operation by operation. Nothing of `Math` is used but
 *  `fround`: what an engine's exp or tanh returns differs between versions and machines. `f` stands around every single operation. */
import { ACTIVATIONS, type Activation } from './spec.js';

const f = Math.fround;
const bits = new Int32Array(1);
const float = new Float32Array(bits.buffer);

/** Adding 1.5 * 2^23 rounds a small float to an integer (half to even) and leaves that integer in the low bits. */
const ROUNDER = 12582912;
const ROUNDER_BITS = 0x4b400000;
const LOG2_E = f(1.44269504);
// ln 2 in two parts, the first with so few bits that n times it is exact (Cephes' expf).
const LN2_HIGH = f(0.693359375);
const LN2_LOW = f(-2.1219444e-4);
const E7 = f(1.98756915e-4);
const E6 = f(1.3981999507e-3);
const E5 = f(8.3334519073e-3);
const E4 = f(4.1665795894e-2);
const E3 = f(1.6666665459e-1);
const E2 = f(5.0000001201e-1);

/** e^x = 2^n e^r with r = x - n ln 2: this is e^r, by Cephes' polynomial. */
function expCore(x: number, rounded: number): number {
  const n = f(rounded - ROUNDER);
  let r = f(x - f(n * LN2_HIGH));
  r = f(r - f(n * LN2_LOW));
  // Pairs of terms, then powers of r^2: shorter chains of dependent operations than Horner's scheme.
  const r2 = f(r * r);
  let p = f(f(E7 * r) + E6);
  p = f(f(p * r2) + f(f(E5 * r) + E4));
  p = f(f(p * r2) + f(f(E3 * r) + E2));
  p = f(f(p * r2) + r);
  return f(p + 1);
}

function powerOfTwo(n: number): number {
  bits[0] = (n + 127) << 23;
  return float[0];
}

/** The integer that `rounded` holds. */
function integerIn(rounded: number): number {
  float[0] = rounded;
  return bits[0] - ROUNDER_BITS;
}

/** `low` for what is below, `high` for what is above, NaN for NaN. */
function clip(x: number, low: number, high: number): number {
  const y = x < low ? low : x;
  return high < y ? high : y;
}

/** Over all float32: denormal results, 0 and infinity included. */
export function exp(value: number): number {
  const x = clip(value, -104, 89);
  const rounded = f(f(x * LOG2_E) + ROUNDER);
  // 2^n in two factors: n reaches from -150 (denormals) to 128 (infinity), further than one exponent does.
  const n = integerIn(rounded);
  const half = n >> 1;
  return f(f(expCore(x, rounded) * powerOfTwo(half)) * powerOfTwo(n - half));
}

/** 1 / (1 + e^-x). From |x| = 87 on it stays as it is there: never 0 (1.6e-38), never a slow denormal. */
export function sigmoid(value: number): number {
  const x = clip(-value, -87, 87);
  const rounded = f(f(x * LOG2_E) + ROUNDER);
  return f(1 / f(1 + f(expCore(x, rounded) * powerOfTwo(integerIn(rounded)))));
}

const TANH_LIMIT = f(7.90531111);
const P13 = f(-2.76076847742355e-16);
const P11 = f(2.00018790482477e-13);
const P9 = f(-8.60467152213735e-11);
const P7 = f(5.12229709037114e-8);
const P5 = f(1.48572235717979e-5);
const P3 = f(6.37261928875436e-4);
const P1 = f(4.89352455891786e-3);
const Q6 = f(1.19825839466702e-6);
const Q4 = f(1.18534705686654e-4);
const Q2 = f(2.268434632439e-3);
const Q0 = f(4.89352518554385e-3);
const TANH_TINY = f(0.0004);

/** The rational approximation of Eigen (degrees 13 and 6); where x^3 / 3 is beyond float32's digits, x itself. */
export function tanh(value: number): number {
  const x = clip(value, -TANH_LIMIT, TANH_LIMIT);
  const s = f(x * x);
  const s2 = f(s * s);
  let p = f(P13 * s2);
  p = f(p + f(f(P11 * s) + P9));
  p = f(f(p * s2) + f(f(P7 * s) + P5));
  p = f(f(p * s2) + f(f(P3 * s) + P1));
  let q = f(f(Q6 * s) + Q4);
  q = f(f(q * s2) + f(f(Q2 * s) + Q0));
  return (value < 0 ? -value : value) < TANH_TINY ? value : f(f(x * p) / q);
}

/** e^x - 1 for x <= 0, without cancellation near 0: 2 t / (1 - t), t = tanh(x / 2). */
function expm1(x: number): number {
  const t = tanh(f(x * 0.5));
  return f(f(t + t) / f(1 - t));
}

const L15 = f(2 / 15);
const L13 = f(2 / 13);
const L11 = f(2 / 11);
const L9 = f(2 / 9);
const L7 = f(2 / 7);
const L5 = f(2 / 5);
const L3 = f(2 / 3);

/** log(1 + u) for u in 0..1: 2 artanh(u / (2 + u)) as a series. */
export function log1p(u: number): number {
  const s = f(u / f(2 + u));
  const w = f(s * s);
  let p = f(f(L15 * w) + L13);
  p = f(f(p * w) + L11);
  p = f(f(p * w) + L9);
  p = f(f(p * w) + L7);
  p = f(f(p * w) + L5);
  p = f(f(p * w) + L3);
  p = f(f(p * w) * s);
  return f(f(s + s) + p);
}

function softplus(x: number): number {
  const u = exp(x < 0 ? x : -x);
  return f((x < 0 ? 0 : x) + log1p(u));
}

function elu(x: number): number {
  return x > 0 ? x : expm1(0 < x ? 0 : x);
}

const HARD_SLOPE = f(0.2);
const SELU_SCALE = f(1.05070098);
const SELU_SCALE_ALPHA = f(1.75809934);

const FUNCTIONS: Record<Activation, (x: number) => number> = {
  linear: (x) => x,
  tanh,
  sigmoid,
  relu: (x) => (x < 0 ? 0 : x),
  relu6: (x) => clip(x, 0, 6),
  hard_sigmoid: (x) => f(clip(f(x + 3), 0, 6) / 6),
  hard_sigmoid_keras2: (x) => clip(f(f(x * HARD_SLOPE) + 0.5), 0, 1),
  softsign: (x) => f(x / f(1 + (x < 0 ? -x : x))),
  elu,
  selu: (x) => f((x > 0 ? SELU_SCALE : SELU_SCALE_ALPHA) * elu(x)),
  exponential: exp,
  softplus,
  silu: (x) => f(x * sigmoid(x)),
};

/** Applies an activation to floats from..to in place. */
export function activate(activation: Activation, values: Float32Array, from: number, to: number): void {
  // The two of nearly every network get loops of their own: a call through a variable is not inlined.
  if (activation === 'tanh') for (let k = from; k < to; k++) values[k] = tanh(values[k]);
  else if (activation === 'sigmoid') for (let k = from; k < to; k++) values[k] = sigmoid(values[k]);
  else if (activation !== 'linear') {
    const apply = FUNCTIONS[activation];
    for (let k = from; k < to; k++) values[k] = apply(values[k]);
  }
}

/** One order: maximum, exponentials, sum, quotients, each ascending. */
export function softmax(values: Float32Array, size: number): void {
  let max = values[0];
  for (let k = 1; k < size; k++) max = max < values[k] ? values[k] : max;
  let sum = 0;
  for (let k = 0; k < size; k++) values[k] = exp(f(values[k] - max));
  for (let k = 0; k < size; k++) sum = f(sum + values[k]);
  for (let k = 0; k < size; k++) values[k] = f(values[k] / sum);
}

/** The kernel's numbers for the activations. */
export function activationId(activation: Activation | 'softmax'): number {
  return activation === 'softmax' ? -1 : ACTIVATIONS.indexOf(activation);
}
