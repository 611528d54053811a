/** Natural logarithm and exponential of float64s out of + - x / alone: what an engine's own return differs in the last bits between versions and machines, and
 *  streams keep what was made of it. Right to some 1e-15 of the result. */

const LN2_HIGH = 6.9314718036912381649e-1;
const LN2_LOW = 1.90821492927058770002e-10;
/** Terms after which nothing changes any more: |s| <= 0.172 below, |r| <= 0.347. */
const LOG_TERMS = 10;
const EXP_TERMS = 14;
/** e to more than this is not asked for: far within a float64 either way. */
const MOST = 512;

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);
/** Where a float64 has its sign and exponent. */
const HIGH = new Uint8Array(Uint32Array.of(1).buffer)[0];
const SUBNORMAL = 2 ** 54;

const powerOfTwo = (n: number): number => {
  words[1 - HIGH] = 0;
  words[HIGH] = (n + 1023) << 20;
  return float[0];
};

/** x above 0. Of a ratio that has run out of float64s, 0 or infinite, what the last one has. */
export function ln(x: number): number {
  const tiny = x < 2 ** -1022;
  float[0] = tiny ? x * SUBNORMAL : x;
  let n = (words[HIGH] >>> 20) - 1023 - (tiny ? 54 : 0);
  words[HIGH] = (words[HIGH] & 0xfffff) | (1023 << 20);
  let m = float[0];
  if (m > Math.SQRT2) {
    m /= 2;
    n += 1;
  }
  const s = (m - 1) / (m + 1);
  const squared = s * s;
  let sum = 0;
  for (let k = 2 * LOG_TERMS - 1; k >= 1; k -= 2) sum = sum * squared + 1 / k;
  return n * LN2_HIGH + (2 * s * sum + n * LN2_LOW);
}

/** x is taken within +-MOST; NaN stays NaN. */
export function exp(x: number): number {
  const within = Math.min(Math.max(x, -MOST), MOST);
  if (within !== within) return NaN;
  const n = Math.round(within * Math.LOG2E);
  const r = within - n * LN2_HIGH - n * LN2_LOW;
  let sum = 1;
  for (let k = EXP_TERMS; k >= 1; k--) sum = 1 + (r / k) * sum;
  return sum * powerOfTwo(n);
}
