import { endianness } from 'node:os';

/** CRC-32C (Castagnoli), the checksum of a record batch, sixteen bytes a turn (slicing-by-16). */
const POLYNOMIAL = 0x82f63b78;
const SLICES = 16;

/** tables[k][b]: what byte b does to the checksum of the k bytes after it. */
const tables = Array.from({ length: SLICES }, () => new Int32Array(256));
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  tables[0][byte] = crc;
}
for (let k = 1; k < SLICES; k++) {
  for (let byte = 0; byte < 256; byte++) {
    const before = tables[k - 1][byte];
    tables[k][byte] = tables[0][before & 255] ^ (before >>> 8);
  }
}
const [t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15] = tables;

/** Below this a view costs more than it saves; on a big-endian machine the words would be the wrong way round. */
const WORDS_FROM = endianness() === 'LE' ? 64 : Infinity;

/** Checksum of bytes [start, end), unsigned. `seed` is the checksum of what came before, for data in pieces. */
export function crc32c(bytes: Uint8Array, start: number, end: number, seed = 0): number {
  if (end - start < WORDS_FROM) return ~byBytes(bytes, start, end, ~seed) >>> 0;
  // Words are read where they are aligned: half the time of putting them together from bytes.
  const from = start + (-(bytes.byteOffset + start) & 3);
  const turns = (end - from) >>> 4;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + from, 4 * turns);
  const crc = byWords(words, byBytes(bytes, start, from, ~seed));
  return ~byBytes(bytes, from + 16 * turns, end, crc) >>> 0;
}

function byBytes(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let crc = seed;
  for (let i = start; i < end; i++) crc = t0[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return crc;
}

function byWords(words: Int32Array, seed: number): number {
  let crc = seed;
  for (let i = 0; i < words.length; i += 4) {
    const a = words[i] ^ crc;
    const b = words[i + 1];
    const c = words[i + 2];
    const d = words[i + 3];
    crc =
      t15[a & 255] ^
      t14[(a >>> 8) & 255] ^
      t13[(a >>> 16) & 255] ^
      t12[a >>> 24] ^
      t11[b & 255] ^
      t10[(b >>> 8) & 255] ^
      t9[(b >>> 16) & 255] ^
      t8[b >>> 24] ^
      t7[c & 255] ^
      t6[(c >>> 8) & 255] ^
      t5[(c >>> 16) & 255] ^
      t4[c >>> 24] ^
      t3[d & 255] ^
      t2[(d >>> 8) & 255] ^
      t1[(d >>> 16) & 255] ^
      t0[d >>> 24];
  }
  return crc;
}
