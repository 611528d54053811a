/** Models that Keras or TensorFlow.js saved, read in a thread of its own: a damaged HDF5 file can keep the HDF5 library busy for ever, which only
 *  ending its thread can stop. */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Worker } from 'node:worker_threads';
import { RiverrunError } from '#domain/errors';
import type { ImportedModel } from './convert.js';
import { invalid, quote } from './refusals.js';

export type { ImportedModel } from './convert.js';

export interface ImportOptions {
  /** Longest time the reading may take. Default: half a minute, and more for large files. */
  readonly timeoutMs?: number;
}

/** What the thread answers. */
export type FromImporter = { readonly model: ImportedModel } | { readonly code: string; readonly message: string };

// Run from the sources, as tests do, the built thread stands in: Node cannot start one from TypeScript.
const WORKER = import.meta.url.endsWith('.ts')
  ? new URL('../../../../dist/libs/adapters/keras/src/import-worker.js', import.meta.url)
  : new URL('./import-worker.js', import.meta.url);

/** RiverrunError MODEL_UNSUPPORTED for a model that cannot be streamed (it names the layer and says why), MODEL_INVALID for a file that is broken
 *  or hostile. */
export async function importModel(path: string, options: ImportOptions = {}): Promise<ImportedModel> {
  const timeoutMs = options.timeoutMs ?? (await defaultTimeout(path));
  const worker = new Worker(WORKER, { workerData: path, execArgv: [], name: 'riverrun-importer' });
  let timer: NodeJS.Timeout | undefined;
  try {
    const answer = await new Promise<FromImporter>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', (error) =>
        reject(invalid(`${quote(basename(path))} broke the reading of it: ${quote(String(error))}`, error)),
      );
      worker.once('exit', () => reject(invalid(`reading ${quote(basename(path))} ended without a result`)));
      timer = setTimeout(
        () => reject(invalid(`${quote(basename(path))} is damaged: reading it does not come to an end`)),
        timeoutMs,
      );
    });
    if ('model' in answer) return answer.model;
    throw new RiverrunError(answer.code, answer.message);
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

/** Weights beside a model.json do not show in its size, and are not HDF5. */
async function defaultTimeout(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.isDirectory() || path.endsWith('.json')) return 600_000;
  return 30_000 + found.size / 4_000;
}
