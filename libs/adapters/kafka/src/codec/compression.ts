import { gunzipSync } from 'node:zlib';
import { unlz4 } from './lz4.js';
import { unsnappy } from './snappy.js';
import { MalformedRecords } from './varint-reader.js';
import { unzstd } from './zstd.js';

/** More than any broker lets into one batch; less than would take the process down. */
export const DECOMPRESSED_LIMIT = 256 * 1024 * 1024;

type Decompress = (input: Buffer, limit: number) => Buffer;

/** By the id in a record batch's attributes. */
const codecs: Readonly<Record<number, Decompress | undefined>> = {
  1: (input, limit) => gunzipSync(input, { maxOutputLength: limit }),
  2: unsnappy,
  3: unlz4,
  4: unzstd,
};

/** The records of a compressed batch; undefined for an unknown codec. MalformedRecords for input that is none, or too large. */
export function decompressRecords(codec: number, input: Buffer, limit = DECOMPRESSED_LIMIT): Buffer | undefined {
  const decompress = codecs[codec];
  if (decompress === undefined) return undefined;
  try {
    return decompress(input, limit);
  } catch (error) {
    if (error instanceof MalformedRecords) throw error;
    throw new MalformedRecords(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
