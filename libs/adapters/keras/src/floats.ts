/** Stored numbers as float32. All little-endian. */

export type FloatFormat = 'float32' | 'float64' | 'float16' | 'bfloat16';

export const FLOAT_BYTES: Record<FloatFormat, number> = { float32: 4, float64: 8, float16: 2, bfloat16: 2 };

export function decodeFloats(bytes: Uint8Array, format: FloatFormat): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(bytes.byteLength / FLOAT_BYTES[format]);
  switch (format) {
    case 'float32':
      for (let i = 0; i < values.length; i++) values[i] = view.getFloat32(4 * i, true);
      break;
    case 'float64':
      for (let i = 0; i < values.length; i++) values[i] = view.getFloat64(8 * i, true);
      break;
    case 'float16':
      for (let i = 0; i < values.length; i++) values[i] = halfToFloat(view.getUint16(2 * i, true));
      break;
    case 'bfloat16': {
      const bits = new Uint32Array(values.buffer);
      for (let i = 0; i < values.length; i++) bits[i] = view.getUint16(2 * i, true) << 16;
    }
  }
  return values;
}

export function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
