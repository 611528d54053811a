import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stored } from '../../testing/stored-compression.js';
import { decompressRecords } from './compression.js';
import { MalformedRecords } from './varint-reader.js';

interface Stream {
  readonly codec: number;
  readonly how: string;
  readonly plain: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly data: string;
}
const file = new URL('../../../../../test/fixtures/kafka/streams.json', import.meta.url);
const streams = JSON.parse(readFileSync(file, 'utf8')) as Stream[];
const inputOf = ({ data }: Stream): Buffer => Buffer.from(data, 'base64');
const names = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const LIMIT = 1 << 20;

describe('decompressRecords', () => {
  it.each(streams.map((stream) => [names[stream.codec], stream.how, stream.plain, stream] as const))(
    'reads %s (%s) of %s',
    (_codec, _how, _plain, stream) => {
      const output = decompressRecords(stream.codec, inputOf(stream))!;
      expect(output.length).toBe(stream.bytes);
      expect(createHash('sha256').update(output).digest('hex').slice(0, 16)).toBe(stream.sha256);
      // Exactly as much as may come out, and not one byte more; zstd of unknown size is judged by its window.
      const limit = stream.how.includes('unknown') ? LIMIT * 4 : Math.max(1, stream.bytes);
      expect(decompressRecords(stream.codec, inputOf(stream), limit)!.length).toBe(stream.bytes);
      if (stream.bytes > 1) {
        expect(() => decompressRecords(stream.codec, inputOf(stream), stream.bytes - 1)).toThrow(MalformedRecords);
      }
    },
  );

  it('does not know codecs 5 to 7', () => {
    for (const codec of [5, 6, 7]) expect(decompressRecords(codec, Buffer.alloc(9))).toBeUndefined();
  });

  it('reads what is stored uncompressed', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(stored).filter(({ id }) => id > 0)),
        fc.uint8Array({ maxLength: 1000 }),
        ({ id, compress }, bytes) => {
          const plain = Buffer.from(bytes);
          expect(decompressRecords(id, compress(plain))!.equals(plain)).toBe(true);
        },
      ),
    );
  });

  const hostile: [string, number, string, RegExp][] = [
    ['snappy, nothing', 2, '', /without a length/],
    ['snappy, a length of six bytes', 2, '808080808001', /without a length/],
    ['snappy, a literal past the input', 2, '050861', /literal/],
    ['snappy, a literal past the output', 2, '01086161 61', /literal/],
    ['snappy, a literal of 2^32 bytes', 2, '05fcffffffff61', /literal/],
    ['snappy, a literal without its length', 2, '05f4ff', /literal cut off/],
    ['snappy, a copy of nothing before it', 2, '0801 01', /copy/],
    ['snappy, a copy at distance 0', 2, '05006101 00', /copy/],
    ['snappy, a copy from before the start', 2, '05006101 02', /copy/],
    ['snappy, a copy past the output', 2, '04006101 01', /copy/],
    ['snappy, a copy cut off', 2, '05006103 0100', /copy cut off/],
    ['snappy, shorter than it says', 2, '020061', /shorter/],
    ['xerial, a block cut off', 2, '82534e41505059000000000100000001 00000005 010061', /cut off/],
    ['xerial, a block of negative length', 2, '82534e41505059000000000100000001 ffffffff 010061', /cut off/],
    ['lz4, no frame', 3, '00000000000000', /no lz4 frame/],
    ['lz4, version 0', 3, '04224d18204082 00000000', /unknown version/],
    ['lz4, a dictionary', 3, '04224d18614082 00000000', /dictionary/],
    ['lz4, no end mark', 3, '04224d18604082 01000080 61', /cut off/],
    ['lz4, a block past the input', 3, '04224d18604082 09000080 61 00000000', /block/],
    ['lz4, a block larger than its kind', 3, `04224d18604082 01000180 ${'61'.repeat(65_537)} 00000000`, /block/],
    ['lz4, a literal past the block', 3, '04224d18604082 02000000 2061 00000000', /literal/],
    ['lz4, a match at distance 0', 3, '04224d18604082 05000000 1061000000 00000000', /match/],
    ['lz4, a match from before the start', 3, '04224d18604082 05000000 1061020000 00000000', /match/],
    ['lz4, a match cut off', 3, '04224d18604082 03000000 106101 00000000', /match cut off/],
    ['lz4, a length cut off', 3, '04224d18604082 02000000 f0ff 00000000', /length cut off/],
    [
      'lz4, blocks larger than their kind once out',
      3,
      `04224d18604082 0a010000 1f610100${'ff'.repeat(261)}00 00000000`,
      /match/,
    ],
    ['zstd, no frame', 4, '000000000000', /no zstd frame/],
    ['zstd, a dictionary', 4, '28b52ffd01000000', /dictionary/],
    ['zstd, a block cut off', 4, '28b52ffd2001 090000', /cut off/],
  ];
  it.each(hostile)('refuses %s', (_, codec, input, message) => {
    const attempt = (): unknown => decompressRecords(codec, Buffer.from(input.replaceAll(' ', ''), 'hex'));
    expect(attempt).toThrow(MalformedRecords);
    expect(attempt).toThrow(message);
  });

  it('ends on damaged, cut and random input, within the limit', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.constantFrom(...streams), damage, fc.option(fc.nat()), (stream, bytes, cut) => {
        const input = inputOf(stream);
        for (const [at, byte] of bytes) input[at % input.length] = byte;
        endsWell(stream.codec, cut === null ? input : input.subarray(0, cut % input.length));
      }),
      { numRuns: 3000 },
    );
    fc.assert(
      fc.property(fc.constantFrom(1, 2, 3, 4), fc.uint8Array({ maxLength: 200 }), (codec, noise) => {
        endsWell(codec, Buffer.from(noise));
      }),
      { numRuns: 3000 },
    );
  });

  it('refuses bombs before they unfold', () => {
    const bombs: [number, string][] = [
      // 2^32 - 1 bytes by its preamble.
      [2, 'ffffffff0f'],
      // A window of 3.75 TiB, and a content of 2^62 bytes.
      [4, '28b52ffd00ff010000'],
      [4, '28b52ffde00000000000000040010000'],
      // A content of none, a window of a GiB.
      [4, '28b52ffd80a000000000010000'],
      // Blocks of a megabyte each, a byte repeated.
      [4, `28b52ffd0058${'02008041'.repeat(1000)}01000000`],
    ];
    for (const [codec, bomb] of bombs) {
      const before = process.memoryUsage().arrayBuffers;
      expect(() => decompressRecords(codec, Buffer.from(bomb, 'hex'))).toThrow(/bytes of (snappy|zstd)/);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 26);
    }
  });
});

function endsWell(codec: number, input: Buffer): void {
  try {
    expect(decompressRecords(codec, input, LIMIT)!.length).toBeLessThanOrEqual(LIMIT);
  } catch (error) {
    if (!(error instanceof MalformedRecords)) throw error;
  }
}
