/** Reads a model that Keras or TensorFlow.js saved, in this thread. The content decides what it is, whatever the file is called; nothing in it is ever run. */
import { open, stat, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errorMessage, RiverrunError } from '#domain/errors';
import type { ImportedModel } from './convert.js';
import { parseJson } from './json.js';
import { importKerasArchive } from './keras-archive.js';
import { importLegacyH5 } from './legacy-h5.js';
import { MAX_FILE_BYTES, MAX_JSON_BYTES } from './limits.js';
import { invalid, quote, unsupported } from './refusals.js';
import { importTfjsModel } from './tfjs-model.js';

const ZIP = Buffer.from('PK\x03\x04', 'latin1');
const HDF5 = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');

/** RiverrunError MODEL_UNSUPPORTED for a model that cannot be streamed (it names the layer and says why), MODEL_INVALID for a file that is broken
 *  or hostile. */
export async function readModel(path: string): Promise<ImportedModel> {
  try {
    return await importChecked(path);
  } catch (error) {
    if (error instanceof RiverrunError) throw error;
    throw invalid(`${quote(basename(path))} cannot be read: ${quote(errorMessage(error))}`, error);
  }
}

async function importChecked(path: string): Promise<ImportedModel> {
  const what = quote(basename(path));
  if ((await stat(path)).isDirectory()) return importChecked(await modelInside(path, what));
  const file = await open(path, 'r');
  let bytes: Buffer;
  try {
    const { size } = await file.stat();
    if (size > MAX_FILE_BYTES) throw invalid(`${what} is ${size} bytes; models of up to ${MAX_FILE_BYTES} are read`);
    const head = await readHead(file);
    if (head.subarray(0, 4).equals(ZIP)) return await importKerasArchive(path, what);
    const h5 = head.equals(HDF5);
    const json = /^(\uFEFF)?\s*\{/.test(head.toString('utf8'));
    if (!h5 && !json) throw notAModel(what, head);
    if (json && size > MAX_JSON_BYTES) throw invalid(`${what} is ${size} bytes, more than any model's description`);
    bytes = await file.readFile();
    if (h5) return await importLegacyH5(bytes, what);
  } finally {
    await file.close();
  }
  return importTfjsModel(parseJson(bytes, what), path, what);
}

/** The first bytes; reading them leaves the file at its beginning. */
async function readHead(file: FileHandle): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, 0);
  return buffer.subarray(0, bytesRead);
}

async function modelInside(folder: string, what: string): Promise<string> {
  const has = (name: string): Promise<boolean> =>
    stat(join(folder, name)).then(
      (found) => found.isFile(),
      () => false,
    );
  if (await has('model.json')) return join(folder, 'model.json');
  if (await has('saved_model.pb'))
    throw unsupported(what, 'a TensorFlow SavedModel has lost its layers; load it in Keras and save it as .keras');
  throw invalid(`${what} is a folder without a model.json`);
}

function notAModel(what: string, head: Buffer): RiverrunError {
  if (head.length === 0) return invalid(`${what} is empty`);
  return invalid(`${what} is no model that riverrun reads: .keras, .h5 or a TensorFlow.js model.json`);
}
