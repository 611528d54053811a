/** What dead letters are compared by: the code, and that key and value are the record's own bytes. */
import { crc32 } from 'node:zlib';

export function deadLetterText(code: string, key: Uint8Array | null, value: Uint8Array | null): Uint8Array {
  const checksum = (bytes: Uint8Array | null): string => (bytes === null ? 'none' : crc32(bytes).toString(16));
  return Buffer.from(`dead letter ${code}, key ${checksum(key)}, value ${checksum(value)}`);
}

/** One whose bytes did not fit. */
export const truncatedText = (code: string): Uint8Array => Buffer.from(`dead letter ${code}, truncated`);
