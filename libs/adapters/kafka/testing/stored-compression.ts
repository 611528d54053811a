/** Valid streams of each compression that compress nothing, for records of any kind; gzip is Node's. */
import { gzipSync } from 'node:zlib';

function snappy(data: Buffer): Buffer {
  const parts: Buffer[] = [];
  let size = data.length;
  const preamble: number[] = [];
  for (; size > 127; size = Math.floor(size / 128)) preamble.push((size % 128) + 128);
  parts.push(Buffer.from([...preamble, size]));
  for (let i = 0; i < data.length; i += 60) {
    const literal = data.subarray(i, i + 60);
    parts.push(Buffer.from([(literal.length - 1) << 2]), literal);
  }
  return Buffer.concat(parts);
}

function xerial(data: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from('82534e41505059000000000100000001', 'hex')];
  for (let i = 0; i < data.length; i += 100) {
    const block = snappy(data.subarray(i, i + 100));
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

function lz4(data: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82])];
  for (let i = 0; i < data.length; i += 1 << 16) {
    const block = data.subarray(i, i + (1 << 16));
    const header = Buffer.alloc(4);
    header.writeUInt32LE(block.length + 0x8000_0000);
    parts.push(header, block);
  }
  return Buffer.concat([...parts, Buffer.alloc(4)]);
}

function zstd(data: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x40])];
  for (let i = 0; i === 0 || i < data.length; i += 1 << 17) {
    const block = data.subarray(i, i + (1 << 17));
    const header = Buffer.alloc(3);
    header.writeUIntLE((block.length << 3) | (i + block.length >= data.length ? 1 : 0), 0, 3);
    parts.push(header, block);
  }
  return Buffer.concat(parts);
}

export const stored: Readonly<Record<string, { readonly id: number; readonly compress: (data: Buffer) => Buffer }>> = {
  none: { id: 0, compress: (data) => data },
  gzip: { id: 1, compress: (data) => gzipSync(data) },
  snappy: { id: 2, compress: snappy },
  xerial: { id: 2, compress: xerial },
  lz4: { id: 3, compress: lz4 },
  zstd: { id: 4, compress: zstd },
};
