/** States as a file that any instance, cluster and mode can read: NDJSON. The first line says what it is, then a line a stream (state and window in base64,
 *  CRC-32), the last line counts them: a file that was cut off is not taken for a whole one. */
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { RiverrunError } from '#domain/errors';
import type { Watermark } from '#domain/ports';

export interface FilePartition {
  readonly topic: string;
  readonly partition: number;
  /** Partitions of the topic. */
  readonly count: number;
  /** The states are at least as of there. */
  readonly watermark: Watermark;
}

export interface StateFileHeader {
  readonly riverrun: 'states';
  readonly version: 1;
  readonly app: string;
  readonly pipeline: string;
  readonly mode: 'embedded' | 'distributed';
  /** The Kafka cluster's id: offsets mean something there only. */
  readonly cluster: string | null;
  readonly layout: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly partitions: readonly FilePartition[];
}

export interface FileStream {
  readonly stream: string;
  readonly topic: string;
  readonly partition: number;
  readonly state: Uint8Array;
  /** Rows of full window segments, oldest first, row-major. */
  readonly window: Float64Array;
}

interface StreamLine {
  readonly stream: string;
  readonly topic: string;
  readonly partition: number;
  readonly state: string;
  readonly window: string;
  readonly crc: string;
}

/** The file appears whole or not at all. Returns how many streams it has. */
export async function writeStateFile(
  path: string,
  header: StateFileHeader,
  streams: AsyncIterable<FileStream>,
): Promise<number> {
  const unfinished = `${path}.unfinished`;
  const file = createWriteStream(unfinished);
  const line = async (value: object): Promise<void> => {
    if (!file.write(`${JSON.stringify(value)}\n`)) await once(file, 'drain');
  };
  let count = 0;
  try {
    await once(file, 'open');
    await line(header);
    for await (const { state, window, ...place } of streams) {
      const windowBytes = new Uint8Array(window.buffer, window.byteOffset, window.byteLength);
      await line({
        ...place,
        state: Buffer.from(state).toString('base64'),
        window: Buffer.from(windowBytes).toString('base64'),
        crc: checksum(place.stream, state, windowBytes),
      });
      count += 1;
    }
    file.end(`${JSON.stringify({ streams: count })}\n`);
    await finished(file);
    await rename(unfinished, path);
    return count;
  } catch (error) {
    file.destroy();
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** All of it, checked. RiverrunError STATE_FILE. */
export async function readStateFile(path: string): Promise<{ header: StateFileHeader; streams: FileStream[] }> {
  const corrupt = (what: string): RiverrunError => new RiverrunError('STATE_FILE', `${path}: ${what}`);
  const input = createReadStream(path);
  await once(input, 'open');
  let header: StateFileHeader | undefined;
  let counted: number | undefined;
  const streams: FileStream[] = [];
  let number = 0;
  for await (const text of createInterface({ input, crlfDelay: Infinity })) {
    number += 1;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw corrupt(`line ${number} is not JSON: the file is cut off or was changed`);
    }
    if (header === undefined) {
      header = value as StateFileHeader;
      if ((value as Partial<StateFileHeader> | null)?.riverrun !== 'states' || header.version !== 1)
        throw corrupt('is no file of states that this version can read');
    } else if (typeof (value as { streams?: unknown }).streams === 'number')
      counted = (value as { streams: number }).streams;
    else {
      const { state, window, crc, ...place } = value as StreamLine;
      const bytes = [state, window].map((part) => new Uint8Array(Buffer.from(part, 'base64')));
      if (checksum(place.stream, bytes[0], bytes[1]) !== crc || bytes[1].length % 8 !== 0)
        throw corrupt(`line ${number} is not what was written: its checksum differs`);
      streams.push({ ...place, state: bytes[0], window: new Float64Array(bytes[1].buffer) });
    }
  }
  if (header === undefined || counted !== streams.length)
    throw corrupt(`is cut off: it has ${streams.length} streams of ${counted ?? 'an unknown number'}`);
  return { header, streams };
}

const checksum = (stream: string, state: Uint8Array, window: Uint8Array): string =>
  crc32(window, crc32(state, crc32(Buffer.from(stream)))).toString(16);
