/** Streams as fields of hashes, and the bucket each is in. A field is `u` and the id in UTF-8; an id that is no valid text (half a surrogate pair) is `w`
 *  and its UTF-16 code units, so that no two ids ever share a field. */

const UTF8 = 0x75;
const UTF16 = 0x77;
const LONE_SURROGATE = /\p{Surrogate}/u;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** At most so many bytes. */
export const fieldBytes = (id: string): number => 1 + 3 * id.length;

/** Writes the id's field; returns where it ends. */
export function writeField(target: Buffer, at: number, id: string): number {
  target[at] = UTF8;
  for (let i = 0; i < id.length; i++) {
    const unit = id.charCodeAt(i);
    if (unit > 0x7f) return writeText(target, at, id);
    target[at + 1 + i] = unit;
  }
  return at + 1 + id.length;
}

function writeText(target: Buffer, at: number, id: string): number {
  const valid = !LONE_SURROGATE.test(id);
  target[at] = valid ? UTF8 : UTF16;
  return at + 1 + target.write(id, at + 1, valid ? 'utf8' : 'utf16le');
}

export function idOf(field: Uint8Array): string {
  const text = Buffer.from(field.buffer, field.byteOffset + 1, field.byteLength - 1);
  return text.toString(field[0] === UTF16 ? 'utf16le' : 'utf8');
}

/** FNV-1a (32 bits) of the field's bytes behind the first. Part of the stored format. */
export function hashOf(id: string): number {
  let hash = FNV_OFFSET;
  for (let i = 0; i < id.length; i++) {
    const unit = id.charCodeAt(i);
    if (unit > 0x7f) return hashOfText(id);
    hash = Math.imul(hash ^ unit, FNV_PRIME);
  }
  return hash >>> 0;
}

function hashOfText(id: string): number {
  const field = Buffer.allocUnsafe(fieldBytes(id));
  const end = writeField(field, 0, id);
  let hash = FNV_OFFSET;
  for (let i = 1; i < end; i++) hash = Math.imul(hash ^ field[i], FNV_PRIME);
  return hash >>> 0;
}

export interface Grouping {
  /** By entry: the id's hash. */
  readonly hashes: Uint32Array;
  /** By entry: the bucket the id is in. */
  readonly bucket: Uint16Array;
  /** Entries bucket by bucket, in their order within each. */
  readonly order: Int32Array;
}

/** Sorts ids by bucket. */
export function groupByBucket(ids: readonly string[], buckets: number): Grouping {
  const count = ids.length;
  const hashes = new Uint32Array(count);
  const bucket = new Uint16Array(count);
  const ends = new Int32Array(buckets + 1);
  for (let i = 0; i < count; i++) {
    const hash = hashOf(ids[i]);
    hashes[i] = hash;
    // The low bits of FNV alone are not good: the high ones are folded in.
    bucket[i] = ((hash ^ (hash >>> 16)) >>> 0) % buckets;
    ends[bucket[i] + 1]++;
  }
  for (let b = 0; b < buckets; b++) ends[b + 1] += ends[b];
  const order = new Int32Array(count);
  for (let i = 0; i < count; i++) order[ends[bucket[i]]++] = i;
  return { hashes, bucket, order };
}
