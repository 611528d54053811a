import { decompress } from 'fzstd';
import { MalformedRecords } from './varint-reader.js';

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const LARGEST_BLOCK = 1 << 17;
const BLOCK = { raw: 0, runLength: 1, compressed: 2 };

/** Zstandard frames to at most `limit` bytes. */
export function unzstd(input: Buffer, limit: number): Buffer {
  // fzstd allocates what a frame's header says, however little follows: so the headers are added up beforehand.
  let total = 0;
  for (let position = 0; position < input.length;) {
    const frame = measureFrame(input, position);
    total += frame.memory;
    if (total > limit) throw new MalformedRecords(`more than ${limit} bytes of zstd`);
    position = frame.end;
  }
  const output = decompress(input);
  return Buffer.from(output.buffer, output.byteOffset, output.length);
}

/** What decompressing the frame at byte `start` takes at most, found without decompressing it. */
function measureFrame(input: Buffer, start: number): { end: number; memory: number } {
  const need = (position: number, bytes: number): number => {
    if (position + bytes > input.length) throw new MalformedRecords('a zstd frame cut off');
    return position + bytes;
  };
  need(start, 6);
  const magic = input.readUInt32LE(start);
  if ((magic & 0xffff_fff0) === SKIPPABLE_MAGIC) {
    need(start, 8);
    return { end: need(start + 8, input.readUInt32LE(start + 4)), memory: 0 };
  }
  if (magic !== MAGIC) throw new MalformedRecords('no zstd frame');

  const descriptor = input[start + 4];
  const single = (descriptor >>> 5) & 1;
  if (descriptor & 3) throw new MalformedRecords('zstd with a dictionary');
  let position = start + 5;
  const windowByte = input[position];
  const base = 2 ** (10 + (windowByte >>> 3));
  const window = single ? 0 : base + (base / 8) * (windowByte & 7);
  position += 1 - single;
  const sizeBytes = [single, 2, 4, 8][descriptor >>> 6];
  const afterSize = need(position, sizeBytes);
  const content = sizeBytes === 0 ? undefined : contentSize(input, position, sizeBytes);
  position = afterSize;

  const largestBlock = Math.min(LARGEST_BLOCK, content || window);
  let blocks = 0;
  for (let last = 0; last === 0;) {
    const bodyStart = need(position, 3);
    const header = input.readUIntLE(position, 3);
    last = header & 1;
    const type = (header >>> 1) & 3;
    const size = header >>> 3;
    blocks += type === BLOCK.compressed ? largestBlock : size;
    position = need(bodyStart, type === BLOCK.runLength ? 1 : size);
  }
  if (descriptor & 4) position = need(position, 4); // checksum
  // fzstd takes a content of 0 for an unknown one.
  return { end: position, memory: content || window + blocks };
}

function contentSize(input: Buffer, position: number, bytes: number): number {
  if (bytes === 8) return input.readUInt32LE(position) + input.readUInt32LE(position + 4) * 0x1_0000_0000;
  return input.readUIntLE(position, bytes) + (bytes === 2 ? 256 : 0);
}
