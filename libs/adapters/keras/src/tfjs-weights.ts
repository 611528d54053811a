/** The weights of a model.json: which files, where in them, how they are packed. */
import { open, realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { errorMessage } from '#domain/errors';
import { decodeFloats } from './floats.js';
import { arrayAt, isObject, own, stringAt, type Json } from './json.js';
import { MAX_WEIGHT_BYTES } from './limits.js';
import { invalid, quote, unsupported } from './refusals.js';
import { roleOf, type Tensor } from './saved-model.js';

const MAX_ENTRIES = 4096;

interface Entry {
  readonly name: string;
  readonly shape: number[];
  readonly count: number;
  readonly bytes: number;
  readonly decode: (bytes: Uint8Array) => Float32Array;
}

export async function readManifest(json: Json, path: string): Promise<Tensor[]> {
  const groups = arrayAt(json, 'weightsManifest', 'model.json');
  if (groups.length > MAX_ENTRIES) throw invalid(`weightsManifest has ${groups.length} groups`);
  const parsed = groups.map((group) => {
    if (!isObject(group)) throw invalid('weightsManifest must hold objects');
    const paths = arrayAt(group, 'paths', 'weightsManifest').map(checkedPath);
    const entries = arrayAt(group, 'weights', 'weightsManifest').map(entryOf);
    return { paths, entries, bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0) };
  });
  // All of it is known to be small enough before the first file is opened.
  const total = parsed.reduce((sum, { bytes }) => sum + bytes, 0);
  const files = parsed.reduce((sum, { paths }) => sum + paths.length, 0);
  if (total > MAX_WEIGHT_BYTES || files > MAX_ENTRIES)
    throw invalid(`weightsManifest asks for ${total} bytes in ${files} files`);
  const tensors: Tensor[] = [];
  for (const { paths, entries, bytes } of parsed) {
    const data = await readShards(dirname(path), paths, bytes);
    let offset = 0;
    for (const { name, shape, bytes: length, decode } of entries) {
      const part = data.subarray(offset, offset + length);
      offset += length;
      tensors.push({ role: roleOf(name), name, shape, read: () => decode(part) });
    }
  }
  return tensors;
}

/** A file name, perhaps in folders below: nothing that could lead out of the model's own. */
function checkedPath(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw invalid('weightsManifest: paths must be file names');
  if (/^[/\\]|^[A-Za-z][A-Za-z0-9+.-]*:|\\|\0/.test(value) || value.split('/').includes('..'))
    throw invalid(`weightsManifest: ${quote(value)} points outside the model's folder`);
  return value;
}

function entryOf(json: unknown): Entry {
  if (!isObject(json)) throw invalid('weightsManifest: weights must be objects');
  const name = stringAt(json, 'name', 'weightsManifest');
  const shape = arrayAt(json, 'shape', `weight ${quote(name)}`) as number[];
  if (shape.length > 4 || !shape.every((d) => Number.isInteger(d) && d >= 0 && d <= 0x7fffffff))
    throw invalid(`weight ${quote(name)}: its shape cannot be read`);
  const count = shape.reduce((a, b) => a * b, 1);
  const dtype = stringAt(json, 'dtype', `weight ${quote(name)}`);
  const quantisation = own(json, 'quantization');
  if (dtype !== 'float32')
    throw unsupported(`weight ${quote(name)}`, `it is of type ${quote(dtype)}; weights are float32`);
  const [size, decode] = isObject(quantisation)
    ? dequantiser(quantisation, name)
    : [4, (bytes: Uint8Array) => decodeFloats(bytes, 'float32')];
  return { name, shape, count, bytes: count * size, decode };
}

function dequantiser(json: Json, name: string): [number, (bytes: Uint8Array) => Float32Array] {
  const dtype = stringAt(json, 'dtype', `weight ${quote(name)}`);
  if (dtype === 'float16') return [2, (bytes) => decodeFloats(bytes, 'float16')];
  const scale = own(json, 'scale');
  const min = own(json, 'min');
  if (typeof scale !== 'number' || typeof min !== 'number')
    throw invalid(`weight ${quote(name)}: its quantization has no scale and min`);
  if (dtype === 'uint8') return [1, (bytes) => Float32Array.from(bytes, (q) => q * scale + min)];
  if (dtype === 'uint16')
    return [
      2,
      (bytes) => {
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        return Float32Array.from({ length: bytes.length / 2 }, (_, i) => view.getUint16(2 * i, true) * scale + min);
      },
    ];
  throw unsupported(`weight ${quote(name)}`, `it is quantised as ${quote(dtype)}; uint8, uint16 and float16 are read`);
}

async function readShards(folder: string, paths: readonly string[], bytes: number): Promise<Buffer> {
  const data = Buffer.alloc(bytes);
  let length = 0;
  for (const path of paths) {
    const shard = await readInside(folder, path, bytes - length);
    length += shard.copy(data, length);
  }
  if (length < bytes) throw invalid(`the files of weights hold ${length} bytes, model.json says ${bytes}`);
  return data;
}

async function readInside(folder: string, path: string, most: number): Promise<Buffer> {
  let file;
  try {
    const root = await realpath(folder);
    const target = await realpath(join(folder, path));
    if (!target.startsWith(root.endsWith(sep) ? root : root + sep))
      throw invalid(`weightsManifest: ${quote(path)} is a link out of the model's folder`);
    file = await open(target, 'r');
    const { size } = await file.stat();
    if (size > most) throw invalid(`the files of weights hold more bytes than model.json says (${quote(path)})`);
    return await file.readFile();
  } catch (error) {
    if (isRefusal(error)) throw error;
    throw invalid(`the file of weights ${quote(path)} cannot be read: ${quote(errorMessage(error))}`, error);
  } finally {
    await file?.close();
  }
}

const isRefusal = (error: unknown): boolean => error instanceof Error && error.name === 'RiverrunError';
