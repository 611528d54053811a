/** Window segments as few bytes, lossless to the bit. Column by column, after `u16 width`:
 *  - values that are decimals of at most 9 places (20.51, and every whole number): `u8 places`, then the values times 10^places as zigzag varints: the
 *    first column (ts) as differences of differences, the others as differences;
 *  - any other column (NaN and its payload, -0, infinities, long fractions): `u8 255`, then float64, little-endian. */
import { SEGMENT_ROWS } from '#domain/ports';

const RAW = 255;
const MOST_PLACES = 9;
/** Differences of differences of such whole numbers, zigzagged, are still exact in a float64. */
const WHOLE_LIMIT = 2 ** 50;
const POWERS = Array.from({ length: MOST_PLACES + 1 }, (_, k) => 10 ** k);

/** At most so many bytes. */
export const segmentBytes = (width: number): number => 2 + width * (1 + 8 * SEGMENT_ROWS);

/** Writes segments out of `rows`, one segment after the other of SEGMENT_ROWS x width each. */
export class SegmentEncoder {
  private readonly words: Uint32Array;
  private readonly whole = new Float64Array(SEGMENT_ROWS);

  constructor(
    private readonly rows: Float64Array,
    private readonly width: number,
  ) {
    this.words = new Uint32Array(rows.buffer, rows.byteOffset, 2 * rows.length);
  }

  /** Writes the k-th segment; returns where it ends. */
  write(k: number, target: Buffer, at: number): number {
    const { width } = this;
    at = target.writeUInt16LE(width, at);
    for (let column = 0; column < width; column++) {
      const from = k * SEGMENT_ROWS * width + column;
      const places = this.scale(from);
      target[at++] = places;
      if (places === RAW) at = this.writeRaw(from, target, at);
      else at = this.writeDecimals(column === 0, target, at);
    }
    return at;
  }

  /** Decimal places the column has; its whole numbers are then in `whole`. */
  private scale(from: number): number {
    const { rows, width, whole } = this;
    let places = 0;
    for (let r = 0; r < SEGMENT_ROWS; r++) {
      const value = rows[from + r * width];
      while (places <= MOST_PLACES && !isWhole(value, places)) places++;
      if (places > MOST_PLACES) return RAW;
    }
    for (let r = 0; r < SEGMENT_ROWS; r++) {
      const value = rows[from + r * width];
      if (!isWhole(value, places)) return RAW;
      whole[r] = Math.round(value * POWERS[places]);
    }
    return places;
  }

  private writeDecimals(twice: boolean, target: Buffer, at: number): number {
    let last = 0;
    let step = 0;
    for (let r = 0; r < SEGMENT_ROWS; r++) {
      const difference = this.whole[r] - last;
      at = writeVarint(twice && r > 1 ? difference - step : difference, target, at);
      last = this.whole[r];
      step = difference;
    }
    return at;
  }

  // Word by word: a NaN that passes through a number may lose its payload.
  private writeRaw(from: number, target: Buffer, at: number): number {
    for (let r = 0; r < SEGMENT_ROWS; r++) {
      const word = 2 * (from + r * this.width);
      at = target.writeUInt32LE(this.words[word], at);
      at = target.writeUInt32LE(this.words[word + 1], at);
    }
    return at;
  }
}

/** The width of the rows of the segment that begins at `at`. */
export const segmentWidth = (bytes: Buffer, at: number): number => bytes.readUInt16LE(at);

/** Reads the segment that begins at `at` into `rows` from `to` on. */
export function readSegment(bytes: Buffer, at: number, rows: Float64Array, to: number): void {
  const width = segmentWidth(bytes, at);
  const words = new Uint32Array(rows.buffer, rows.byteOffset, 2 * rows.length);
  const reader = { at: at + 2 };
  for (let column = 0; column < width; column++) {
    const places = bytes[reader.at++];
    if (places === RAW) {
      for (let r = 0; r < SEGMENT_ROWS; r++, reader.at += 8) {
        const word = 2 * (to + r * width + column);
        words[word] = bytes.readUInt32LE(reader.at);
        words[word + 1] = bytes.readUInt32LE(reader.at + 4);
      }
      continue;
    }
    let last = 0;
    let step = 0;
    for (let r = 0; r < SEGMENT_ROWS; r++) {
      const read = readVarint(bytes, reader);
      step = column === 0 && r > 1 ? step + read : read;
      last += step;
      rows[to + r * width + column] = last / POWERS[places];
    }
  }
}

function isWhole(value: number, places: number): boolean {
  const whole = Math.round(value * POWERS[places]);
  return Math.abs(whole) < WHOLE_LIMIT && whole / POWERS[places] === value && !Object.is(value, -0);
}

// Beyond 32 bits, hence arithmetic instead of shifts.
function writeVarint(value: number, target: Buffer, at: number): number {
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  while (rest >= 128) {
    target[at++] = (rest % 128) + 128;
    rest = Math.floor(rest / 128);
  }
  target[at++] = rest;
  return at;
}

function readVarint(bytes: Buffer, reader: { at: number }): number {
  let value = 0;
  for (let unit = 1; ; unit *= 128) {
    const byte = bytes[reader.at++];
    value += (byte & 127) * unit;
    if (byte < 128) break;
  }
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
}
