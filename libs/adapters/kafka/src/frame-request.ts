/** How kafkajs frames a request, done in one copy instead of two, and in none for a body that has left room for the header before it: a Produce request may have
 *  megabytes. Put in place of kafkajs' own module, so this must be evaluated before kafkajs is: import kafkajs through kafkajs.ts only. */
import { createRequire } from 'node:module';

/** Bytes that a body may leave free before it. */
export const HEADROOM = 512;

export interface RequestBody {
  /** Both the same: kafkajs looks at either. */
  readonly buf: Buffer;
  readonly buffer: Buffer;
  /** Bytes of the same memory before the body that are free to be written. */
  readonly headroom?: number;
}

interface Framed {
  readonly buffer: Buffer;
}

async function frameRequest(o: {
  readonly correlationId: number;
  readonly clientId: string;
  readonly request: { apiKey: number; apiVersion: number; encode(): Promise<RequestBody> };
}): Promise<Framed> {
  const { correlationId, clientId, request } = o;
  const { buffer: body, headroom = 0 } = await request.encode();
  const clientBytes = Buffer.byteLength(clientId);
  const header = 4 + 2 + 2 + 4 + 2 + clientBytes;
  const length = header + body.length;
  const framed =
    headroom >= header
      ? Buffer.from(body.buffer, body.byteOffset - header, length)
      : Buffer.concat([Buffer.alloc(header), body], length);
  framed.writeInt32BE(length - 4, 0);
  framed.writeInt16BE(request.apiKey, 4);
  framed.writeInt16BE(request.apiVersion, 6);
  framed.writeInt32BE(correlationId, 8);
  framed.writeInt16BE(clientBytes, 12);
  framed.write(clientId, 14);
  return { buffer: framed };
}

const require = createRequire(import.meta.url);
const path = require.resolve('kafkajs/src/protocol/request.js');
require(path);
require.cache[path]!.exports = frameRequest;
