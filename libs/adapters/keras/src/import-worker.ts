/** The thread that import-model.ts starts: reads one model and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { errorMessage, RiverrunError } from '#domain/errors';
import type { FromImporter } from './import-model.js';
import { readModel } from './read-model.js';

const answer = await readModel(workerData as string).then(
  (model): FromImporter => ({ model }),
  (error: unknown): FromImporter => ({
    code: error instanceof RiverrunError ? error.code : 'MODEL_INVALID',
    message: errorMessage(error),
  }),
);
parentPort?.postMessage(answer, 'model' in answer ? [answer.model.weights.buffer as ArrayBuffer] : []);
