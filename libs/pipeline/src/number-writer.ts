/** Writes JSON numbers as ASCII through a view of a byte array: the outcome encoder's innermost loop. Exact IEEE arithmetic only, so every machine writes the same bytes.
 *  What is written may run over the end of a number, by less than MAX_NUMBER_BYTES from its start: the next piece lies over that. */

const POWERS_OF_TEN = Array.from({ length: 23 }, (_, k) => Number(`1e${k}`));
const ZERO = 48;
const MINUS = 45;
const POINT = 46;
/** "0.00" and "0000", and the four digits of 0 to 9999, as the int32s that lie there. */
const NOUGHT_POINT = int32Of('0.00');
const NOUGHTS = int32Of('0000');
const FOUR_DIGITS = Int32Array.from({ length: 10_000 }, (_, k) => int32Of(String(k).padStart(4, '0')));
/** Bytes one number takes at most: -d.dddddddddddddddde-308 has 24. */
export const MAX_NUMBER_BYTES = 32;

function int32Of(text: string): number {
  return new DataView(new TextEncoder().encode(text).buffer).getInt32(0, true);
}

/** Writes a safe integer; returns the position behind it. */
export function writeInteger(target: DataView, at: number, value: number): number {
  if (value < 0) {
    target.setUint8(at++, MINUS);
    value = -value;
  }
  if (value < 10_000_000) return writeDigits(target, at, value | 0, digitCount(value));
  const high = Math.floor(value / 10_000_000);
  at = writeInteger(target, at, high);
  return writeDigits(target, at, (value - high * 10_000_000) | 0, 7);
}

/** Writes a finite number. Float32 values get 9 significant digits (enough to give the same float32 back), others JavaScript's shortest form. */
export function writeNumber(target: DataView, at: number, value: number): number {
  if (Number.isSafeInteger(value)) return writeInteger(target, at, value);
  const magnitude = Math.abs(value);
  if (magnitude >= 1e-5 && magnitude < 1e9 && Math.fround(value) === value) return writeNineDigits(target, at, value);
  return writeAscii(target, at, String(value));
}

/** The same to 9 significant digits: of a forecast nobody knows more. */
export function writeNine(target: DataView, at: number, value: number): number {
  const magnitude = Math.abs(value);
  if (magnitude >= 1e-5 && magnitude < 999_999_999 && !Number.isSafeInteger(value))
    return writeNineDigits(target, at, value);
  return writeNumber(target, at, value);
}

function writeAscii(target: DataView, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) target.setUint8(at++, text.charCodeAt(i));
  return at;
}

/** 9 significant digits, as many of them as there are. */
function writeNineDigits(target: DataView, at: number, value: number): number {
  if (value < 0) {
    target.setUint8(at++, MINUS);
    value = -value;
  }
  // value = 0.digits * 10^places with 9 digits, the first of them not zero.
  let places = value >= 1 ? digitCount(value) : 0;
  if (value < 1) while (value * POWERS_OF_TEN[1 - places] < 1) places -= 1;
  // As an int32: the rest is integer arithmetic.
  let digits = Math.round(value * POWERS_OF_TEN[9 - places]) | 0;
  if (digits === 1_000_000_000) {
    digits = 100_000_000;
    places += 1;
  }
  // All nine behind the point, or where they would be if it came first; then those before it move up.
  const start = places > 0 ? at + 1 : at + 2 - places;
  if (places <= 0) {
    target.setInt32(at, NOUGHT_POINT, true);
    target.setInt32(at + 4, NOUGHTS, true);
  }
  const five = (digits / 10_000) | 0;
  const one = (five / 10_000) | 0;
  target.setUint8(start, ZERO + one);
  target.setInt32(start + 1, FOUR_DIGITS[five - one * 10_000], true);
  target.setInt32(start + 5, FOUR_DIGITS[digits - five * 10_000], true);
  if (places > 0) {
    for (let k = 0; k < places; k++) target.setUint8(at + k, target.getUint8(start + k));
    target.setUint8(at + places, POINT);
  }
  let end = start + 9;
  while (target.getUint8(end - 1) === ZERO) end -= 1;
  return target.getUint8(end - 1) === POINT ? end - 1 : end;
}

/** Decimal digits of 0 <= value < 1e9, before the point. */
function digitCount(value: number): number {
  let count = 1;
  while (count < 9 && value >= POWERS_OF_TEN[count]) count += 1;
  return count;
}

/** Two digits a division: `rest / 100` becomes a multiplication, and the table gives both. */
function writeDigits(target: DataView, at: number, value: number, count: number): number {
  let i = at + count - 2;
  for (; i >= at; i -= 2) {
    const rest = (value / 100) | 0;
    target.setUint16(i, FOUR_DIGITS[value - rest * 100] >>> 16, true);
    value = rest;
  }
  if (i === at - 1) target.setUint8(at, ZERO + (value % 10));
  return at + count;
}
