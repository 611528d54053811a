import { describe, expect, it } from 'vitest';
import { bitsOf } from '../testing/streams.js';
import { REFERENCE_ACTIVATIONS } from '../testing/reference.js';
import { createMemory, instantiateKernel, RESERVED_BYTES } from './kernel.js';
import { activate, activationId, exp, log1p, softmax, tanh } from './scalar-math.js';
import { ACTIVATIONS, type Activation } from './spec.js';

/** Distance to the exact value in units of the last place of float32 (2^-149 apart at the least: denormals). */
function ulps(value: number, exact: number): number {
  if (Object.is(value, Math.fround(exact))) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(exact)));
  return Math.abs(value - exact) / 2 ** (Math.max(exponent, -126) - 23);
}

function worst(values: Float32Array, f: (x: number) => number, exact: (x: number) => number): number {
  return values.reduce((largest, x) => Math.max(largest, ulps(f(x), exact(x))), 0);
}

/** Every `stride`-th bit pattern there is: all signs, exponents, infinities, NaN payloads. */
function everyFloat(stride: number): Float32Array {
  const words = new Int32Array(Math.floor(2 ** 32 / stride)).map((_, i) => i * stride);
  return new Float32Array(words.buffer);
}

const special = Float32Array.from(
  [
    ...[0, 1e-45, 1.17549435e-38, 3.4028235e38, Infinity, NaN, 1, 6, 3, 0.0004, 7.90531111, 2.5, 87, 88, 88.72283],
    ...[88.72284, 89, 103.97, 103.98, 104, 105, 87.33654, 3.9999998e-4, 0.5, 0.34657359],
  ].flatMap((x) => [x, -x]),
);
const grid = (low: number, high: number, size = 200_000): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => low + ((high - low) * i) / (size - 1));
const all = everyFloat(9973);
const finite = all.filter(Number.isFinite);

describe('exp', () => {
  it('is within 1.1 ulp where the result is normal', () => {
    expect(worst(grid(-87.3, 88.7), exp, Math.exp)).toBeLessThan(1.1);
    expect(worst(grid(-1e-3, 1e-3), exp, Math.exp)).toBeLessThan(1.1);
  });

  it('is within 1.5 ulp down through the denormals', () => {
    expect(worst(grid(-103.97, -87.3), exp, Math.exp)).toBeLessThan(1.5);
  });

  it('meets the ends', () => {
    expect([-Infinity, -1e38, -104, 0, -0, 1e-45, 88.73, 1e38, Infinity].map(exp)).toEqual([
      ...[0, 0, 0, 1, 1, 1, Infinity, Infinity, Infinity],
    ]);
    expect(exp(NaN)).toBeNaN();
    expect(exp(Math.fround(88.72283))).toBeLessThan(Infinity);
  });
});

describe('tanh', () => {
  it('is within 5.5 ulp, near 0 too', () => {
    expect(worst(grid(-9, 9), tanh, Math.tanh)).toBeLessThan(5.5);
    expect(worst(grid(-1e-3, 1e-3), tanh, Math.tanh)).toBeLessThan(5.5);
    expect(worst(finite, tanh, Math.tanh)).toBeLessThan(5.5);
  });

  it('never leaves -1..1, keeps signs of zero and denormals', () => {
    expect(finite.every((x) => Math.abs(tanh(x)) <= 1)).toBe(true);
    expect(grid(7, 10).every((x) => Math.abs(tanh(x)) <= 1)).toBe(true);
    const kept = [0, -0, 1e-45, -1e-45, 1e-40].map(Math.fround);
    kept.forEach((x) => expect(Object.is(tanh(x), x)).toBe(true));
    expect(tanh(Infinity)).toBeCloseTo(1, 6);
    expect(tanh(NaN)).toBeNaN();
  });
});

describe('log1p', () => {
  it('is within 3 ulp on 0..1', () => {
    expect(worst(grid(0, 1), log1p, Math.log1p)).toBeLessThan(3);
    expect(worst(grid(1e-30, 1e-3), log1p, Math.log1p)).toBeLessThan(3);
  });
});

/** Relative to max(1, |exact|). */
const BOUNDS: Record<Activation, number> = {
  ...{ linear: 0, relu: 0, relu6: 0, tanh: 3e-7, sigmoid: 2e-7, hard_sigmoid: 2e-7, hard_sigmoid_keras2: 2e-7 },
  ...{ softsign: 2e-7, elu: 3e-7, selu: 5e-7, exponential: 2e-7, softplus: 3e-7, silu: 3e-7 },
};

describe.each(ACTIVATIONS)('%s', (activation) => {
  it('is close to the exact function', () => {
    const x = grid(-88, 88);
    const y = x.slice();
    activate(activation, y, 0, y.length);
    let largest = 0;
    x.forEach((v, i) => {
      const exact = REFERENCE_ACTIVATIONS[activation](v);
      largest = Math.max(largest, Math.abs(y[i] - exact) / Math.max(1, Math.abs(exact)));
    });
    expect(largest).toBeLessThanOrEqual(BOUNDS[activation]);
  });

  it('gives the same bits in the SIMD kernel, for floats of every kind', () => {
    const values = Float32Array.from([...special, ...all, ...grid(-20, 20, 20_002)]);
    const size = values.length & ~3;
    const memory = createMemory(RESERVED_BYTES + size * 4);
    const simd = new Float32Array(memory.buffer, RESERVED_BYTES, size);
    simd.set(values.subarray(0, size));
    const scalar = simd.slice();
    instantiateKernel(memory).activate(activationId(activation), RESERVED_BYTES, RESERVED_BYTES + size * 4);
    activate(activation, scalar, 0, size);
    // NaN is made canonical where results leave a layer; here only that it is NaN counts.
    const [a, b] = [simd, scalar].map((v) => bitsOf(v.map((x) => (Number.isNaN(x) ? NaN : x))));
    const different = a.findIndex((word, i) => word !== b[i]);
    expect(different < 0 ? '' : `f(${values[different]}): ${simd[different]} and ${scalar[different]}`).toBe('');
  });
});

describe('softmax', () => {
  it('sums to 1 and survives large logits', () => {
    const logits = Float32Array.of(1000, 999, -1000, 998.5);
    softmax(logits, 4);
    expect(logits.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
    expect(logits[2]).toBe(0);
  });
});
