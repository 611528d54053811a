/** Writes JSON numbers as ASCII into a byte array: the outcome encoder's innermost loop. Exact IEEE arithmetic only, so every machine writes the same bytes. */

const POWERS_OF_TEN = Array.from({ length: 23 }, (_, k) => Number(`1e${k}`));
const ZERO = 48;
const DIGIT_PAIRS = Uint8Array.from(
  { length: 200 },
  (_, k) => ZERO + (k % 2 === 0 ? Math.floor(k / 20) : (k >> 1) % 10),
);
/** Bytes one number takes at most: -d.dddddddddddddddde-308 has 24. */
export const MAX_NUMBER_BYTES = 32;

/** Writes a safe integer; returns the position behind it. */
export function writeInteger(target: Uint8Array, at: number, value: number): number {
  if (value < 0) {
    target[at++] = 45;
    value = -value;
  }
  if (value < 10_000_000) return writeDigits(target, at, value | 0, digitCount(value));
  const high = Math.floor(value / 10_000_000);
  at = writeInteger(target, at, high);
  return writeDigits(target, at, (value - high * 10_000_000) | 0, 7);
}

/** Writes a finite number. Float32 values get 9 significant digits (enough to give the same float32 back), others JavaScript's shortest form. */
export function writeNumber(target: Uint8Array, at: number, value: number): number {
  if (Number.isSafeInteger(value)) return writeInteger(target, at, value);
  const magnitude = Math.abs(value);
  if (magnitude >= 1e-5 && magnitude < 1e9 && Math.fround(value) === value) return writeNineDigits(target, at, value);
  return writeAscii(target, at, String(value));
}

/** The same to 9 significant digits: of a forecast nobody knows more. */
export function writeNine(target: Uint8Array, at: number, value: number): number {
  const magnitude = Math.abs(value);
  if (magnitude >= 1e-5 && magnitude < 999_999_999 && !Number.isSafeInteger(value))
    return writeNineDigits(target, at, value);
  return writeNumber(target, at, value);
}

export function writeAscii(target: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) target[at++] = text.charCodeAt(i);
  return at;
}

/** 9 significant digits, as many of them as there are. */
function writeNineDigits(target: Uint8Array, at: number, value: number): number {
  if (value < 0) {
    target[at++] = 45;
    value = -value;
  }
  // value = 0.digits * 10^places with 9 digits, the first of them not zero.
  let places = value >= 1 ? digitCount(Math.floor(value)) : 0;
  if (value < 1) while (value * POWERS_OF_TEN[1 - places] < 1) places -= 1;
  let digits = Math.round(value * POWERS_OF_TEN[9 - places]);
  if (digits === 1_000_000_000) {
    digits = 100_000_000;
    places += 1;
  }
  let count = 9;
  while (digits % 10 === 0) {
    digits /= 10;
    count -= 1;
  }
  if (places <= 0) {
    target[at++] = ZERO;
    target[at++] = 46;
    for (let k = places; k < 0; k++) target[at++] = ZERO;
    return writeDigits(target, at, digits, count);
  }
  if (count <= places) {
    at = writeDigits(target, at, digits, count);
    for (let k = count; k < places; k++) target[at++] = ZERO;
    return at;
  }
  const fraction = POWERS_OF_TEN[count - places];
  const whole = Math.floor(digits / fraction);
  at = writeDigits(target, at, whole, places);
  target[at++] = 46;
  return writeDigits(target, at, digits - whole * fraction, count - places);
}

/** Decimal digits of 0 <= value < 1e9. */
function digitCount(value: number): number {
  let count = 1;
  while (count < 9 && value >= POWERS_OF_TEN[count]) count += 1;
  return count;
}

/** Two digits a division: `rest / 100` becomes a multiplication, and the table gives both. */
function writeDigits(target: Uint8Array, at: number, value: number, count: number): number {
  let i = at + count - 2;
  for (; i >= at; i -= 2) {
    const rest = (value / 100) | 0;
    const pair = (value - rest * 100) << 1;
    target[i] = DIGIT_PAIRS[pair];
    target[i + 1] = DIGIT_PAIRS[pair + 1];
    value = rest;
  }
  if (i === at - 1) target[at] = ZERO + (value % 10);
  return at + count;
}
