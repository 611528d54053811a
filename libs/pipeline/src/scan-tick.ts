/** The fast reading of the one shape nearly every tick has: {"stream":"s12","ts":1700000000000,"value":0.1234}, keys in any order.
 *  Whatever is unusual in any way (escapes, other keys, a key twice, long numbers, text beyond ASCII) is left to the plain reading, so that both
 *  give the same outcome for every string of bytes. */

const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const POINT = 46;
const COLON = 58;
const OPEN = 123;
const CLOSE = 125;
const MAX_DIGITS = 15;
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, k) => Number(`1e${k}`));

/** The scanner's findings; `scan` overwrites them. */
export class TickScanner {
  /** Byte range of the stream id; start is -1 where the field is absent. */
  streamStart = -1;
  streamEnd = -1;
  /** NaN where absent. */
  ts = NaN;
  value = NaN;
  private at = 0;
  private number = 0;

  /** True if bytes[start, end) has the known shape, its parts then being in the fields above. */
  scan(bytes: Uint8Array, start: number, end: number): boolean {
    this.streamStart = -1;
    this.ts = NaN;
    this.value = NaN;
    let at = start;
    if (bytes[at++] !== OPEN || bytes[end - 1] !== CLOSE) return false;
    const last = end - 1;
    for (;;) {
      if (bytes[at] !== QUOTE) return false;
      const first = bytes[at + 1];
      if (first === 115 /* s */ && this.streamStart < 0 && isStreamKey(bytes, at)) {
        at += 9;
        if (bytes[at++] !== QUOTE) return false;
        this.streamStart = at;
        while (at < last) {
          const byte = bytes[at];
          if (byte === QUOTE) break;
          if (byte < 32 || byte > 126 || byte === 92) return false;
          at += 1;
        }
        this.streamEnd = at;
        if (bytes[at++] !== QUOTE) return false;
      } else if (first === 118 /* v */ && this.value !== this.value && isValueKey(bytes, at)) {
        if (!this.scanNumber(bytes, at + 8, last)) return false;
        this.value = this.number;
        at = this.at;
      } else if (first === 116 /* t */ && this.ts !== this.ts && isTsKey(bytes, at)) {
        if (!this.scanNumber(bytes, at + 5, last)) return false;
        this.ts = this.number;
        at = this.at;
      } else return false;
      if (at === last) return this.value === this.value;
      if (at > last || bytes[at++] !== COMMA) return false;
    }
  }

  /** A JSON number without exponent and of at most 15 digits: integer / power of ten is then the correctly rounded double, as JSON.parse gives it. */
  private scanNumber(bytes: Uint8Array, at: number, end: number): boolean {
    const negative = bytes[at] === MINUS;
    if (negative) at += 1;
    const firstDigit = at;
    let mantissa = 0;
    let byte = bytes[at];
    while (byte >= 48 && byte <= 57) {
      mantissa = mantissa * 10 + (byte - 48);
      byte = bytes[++at]!;
    }
    const whole = at - firstDigit;
    if (whole === 0 || (whole > 1 && bytes[firstDigit] === 48)) return false;
    let decimals = 0;
    if (byte === POINT) {
      const firstDecimal = ++at;
      byte = bytes[at]!;
      while (byte >= 48 && byte <= 57) {
        mantissa = mantissa * 10 + (byte - 48);
        byte = bytes[++at]!;
      }
      decimals = at - firstDecimal;
      if (decimals === 0) return false;
    }
    if (whole + decimals > MAX_DIGITS || at > end || (byte !== COMMA && byte !== CLOSE)) return false;
    const magnitude = decimals === 0 ? mantissa : mantissa / POWERS_OF_TEN[decimals];
    this.number = negative ? -magnitude : magnitude;
    this.at = at;
    return true;
  }
}

function isStreamKey(b: Uint8Array, at: number): boolean {
  return (
    b[at + 2] === 116 &&
    b[at + 3] === 114 &&
    b[at + 4] === 101 &&
    b[at + 5] === 97 &&
    b[at + 6] === 109 &&
    b[at + 7] === QUOTE &&
    b[at + 8] === COLON
  );
}

function isValueKey(b: Uint8Array, at: number): boolean {
  return (
    b[at + 2] === 97 &&
    b[at + 3] === 108 &&
    b[at + 4] === 117 &&
    b[at + 5] === 101 &&
    b[at + 6] === QUOTE &&
    b[at + 7] === COLON
  );
}

function isTsKey(b: Uint8Array, at: number): boolean {
  return b[at + 2] === 115 && b[at + 3] === QUOTE && b[at + 4] === COLON;
}
