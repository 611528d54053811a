import { copyForward } from './snappy.js';
import { MalformedRecords } from './varint-reader.js';

const MAGIC = 0x184d2204;
const FLAG = { blockChecksum: 16, contentSize: 8, contentChecksum: 4, dictionary: 1 };
/** Largest block by the header's code 4 to 7. */
const BLOCK_BYTES = [0, 0, 0, 0, 1 << 16, 1 << 18, 1 << 20, 1 << 22];

/** Output that grows up to `limit` bytes; matches reach back over all of it, so it stays in one piece. */
class Output {
  bytes = Buffer.allocUnsafe(1 << 16);
  length = 0;

  constructor(private readonly limit: number) {}

  reserve(more: number): void {
    const needed = this.length + more;
    if (needed > this.limit) throw new MalformedRecords(`more than ${this.limit} bytes of lz4`);
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.min(this.limit, Math.max(needed, 2 * this.bytes.length)));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }
}

/** LZ4 frames to at most `limit` bytes. Their checksums are skipped: the record batch has one of its own. */
export function unlz4(input: Buffer, limit: number): Buffer {
  const output = new Output(limit);
  let position = 0;
  do position = readFrame(input, position, output);
  while (position < input.length);
  return output.bytes.subarray(0, output.length);
}

/** Returns the position after the frame. */
function readFrame(input: Buffer, start: number, output: Output): number {
  if (start + 7 > input.length || input.readUInt32LE(start) !== MAGIC) throw new MalformedRecords('no lz4 frame');
  const flags = input[start + 4];
  const blockBytes = BLOCK_BYTES[(input[start + 5] >>> 4) & 7];
  if (flags >>> 6 !== 1 || flags & FLAG.dictionary || blockBytes === 0) {
    throw new MalformedRecords('an lz4 frame of an unknown version or with a dictionary');
  }
  let position = start + 7 + (flags & FLAG.contentSize ? 8 : 0);
  for (;;) {
    if (position + 4 > input.length) throw new MalformedRecords('an lz4 frame cut off');
    const word = input.readUInt32LE(position);
    position += 4;
    if (word === 0) break;
    const size = word & 0x7fff_ffff;
    if (size > blockBytes || position + size > input.length)
      throw new MalformedRecords('an lz4 block that does not fit');
    if (word >>> 31) {
      output.reserve(size);
      copyForward(input, position, output.bytes, output.length, size);
      output.length += size;
    } else {
      readBlock(input, position, position + size, output, blockBytes);
    }
    position += size + (flags & FLAG.blockChecksum ? 4 : 0);
  }
  return position + (flags & FLAG.contentChecksum ? 4 : 0);
}

function readBlock(input: Buffer, start: number, end: number, output: Output, blockBytes: number): void {
  const blockEnd = output.length + blockBytes;
  let position = start;
  const extended = (nibble: number): number => {
    let length = nibble;
    if (nibble < 15) return length;
    for (;;) {
      if (position >= end) throw new MalformedRecords('an lz4 length cut off');
      const byte = input[position++];
      length += byte;
      if (byte < 255) return length;
    }
  };
  for (;;) {
    if (position >= end) throw new MalformedRecords('an lz4 block cut off');
    const token = input[position++];
    const literals = extended(token >>> 4);
    if (literals > end - position || output.length + literals > blockEnd) {
      throw new MalformedRecords('an lz4 literal that does not fit');
    }
    output.reserve(literals);
    copyForward(input, position, output.bytes, output.length, literals);
    position += literals;
    output.length += literals;
    // The last sequence of a block has no match.
    if (position === end) return;
    if (position + 2 > end) throw new MalformedRecords('an lz4 match cut off');
    const distance = input[position] | (input[position + 1] << 8);
    position += 2;
    const length = extended(token & 15) + 4;
    if (distance === 0 || distance > output.length || output.length + length > blockEnd) {
      throw new MalformedRecords('an lz4 match that does not fit');
    }
    output.reserve(length);
    copyForward(output.bytes, output.length - distance, output.bytes, output.length, length);
    output.length += length;
  }
}
