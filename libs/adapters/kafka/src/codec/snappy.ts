import { MalformedRecords } from './varint-reader.js';

/** Java clients frame snappy blocks: magic, version and lowest compatible version (16 bytes), then length and block. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER = 16;

/** Raw snappy or xerial's framing of it, to at most `limit` bytes. */
export function unsnappy(input: Buffer, limit: number): Buffer {
  if (!input.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return unsnappyBlock(input, limit);
  const blocks: Buffer[] = [];
  let total = 0;
  for (let position = XERIAL_HEADER; position < input.length;) {
    if (position + 4 > input.length) throw new MalformedRecords('a snappy block cut off');
    const length = input.readInt32BE(position);
    position += 4;
    if (length < 0 || position + length > input.length) throw new MalformedRecords('a snappy block cut off');
    const block = unsnappyBlock(input.subarray(position, position + length), limit - total);
    blocks.push(block);
    total += block.length;
    position += length;
  }
  return blocks.length === 1 ? blocks[0] : Buffer.concat(blocks, total);
}

function unsnappyBlock(input: Buffer, limit: number): Buffer {
  let position = 0;
  let size = 0;
  for (let scale = 1; ; scale *= 128) {
    if (position >= input.length || position >= 5) throw new MalformedRecords('snappy without a length');
    const byte = input[position++];
    size += (byte & 127) * scale;
    if (byte < 128) break;
  }
  if (size > limit) throw new MalformedRecords(`${size} bytes of snappy, more than ${limit}`);
  const output = Buffer.allocUnsafe(size);
  let written = 0;
  while (position < input.length) {
    const tag = input[position++];
    const kind = tag & 3;
    if (kind === 0) {
      let length = (tag >>> 2) + 1;
      if (length > 60) {
        const width = length - 60;
        if (position + width > input.length) throw new MalformedRecords('a snappy literal cut off');
        length = input.readUIntLE(position, width) + 1;
        position += width;
      }
      if (length > input.length - position || length > size - written) {
        throw new MalformedRecords('a snappy literal that does not fit');
      }
      copyForward(input, position, output, written, length);
      position += length;
      written += length;
      continue;
    }
    const width = kind === 3 ? 4 : kind;
    if (position + width > input.length) throw new MalformedRecords('a snappy copy cut off');
    const length = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const distance = kind === 1 ? ((tag >>> 5) << 8) | input[position] : input.readUIntLE(position, width);
    position += width;
    if (distance === 0 || distance > written || length > size - written) {
      throw new MalformedRecords('a snappy copy that does not fit');
    }
    copyForward(output, written - distance, output, written, length);
    written += length;
  }
  if (written !== size) throw new MalformedRecords('snappy shorter than it says');
  return output;
}

/** Byte by byte upward, so that a copy may read what it has just written; short runs are the rule. */
export function copyForward(from: Uint8Array, start: number, to: Uint8Array, at: number, length: number): void {
  if (length > 64 && (from !== to || start + length <= at)) {
    to.set(from.subarray(start, start + length), at);
    return;
  }
  for (let i = 0; i < length; i++) to[at + i] = from[start + i];
}
