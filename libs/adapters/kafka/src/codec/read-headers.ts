import { MalformedRecords, VarintReader } from './varint-reader.js';

/** The headers of the record whose headers begin at bytes[at]: names and values as UTF-8, the last of a name counts. Throws MalformedRecords. */
export function readHeaders(bytes: Uint8Array, at: number): Map<string, string> {
  const reader = new VarintReader(bytes, at, bytes.length);
  const text = (): string => {
    const length = reader.int();
    const from = reader.position;
    if (from + length > bytes.length) throw new MalformedRecords(`a header of ${length} bytes, past the end`);
    reader.position += Math.max(0, length);
    return Buffer.from(bytes.buffer, bytes.byteOffset + from, Math.max(0, length)).toString();
  };
  const headers = new Map<string, string>();
  for (let left = reader.int(); left > 0; left--) {
    const name = text();
    headers.set(name, text());
  }
  return headers;
}
