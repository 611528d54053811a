/** Runs one training attempt in a thread of its own, from the side that must not wait for it. */
import { SHARE_ENV, Worker } from 'node:worker_threads';
import { RiverrunError } from '#domain/errors';
import type { FromTrainer, ToTrainer } from './messages.js';
import { DEFAULT_BUDGET_SECONDS, type TrainProgress, type TrainRequest, type TrainResult } from './train.types.js';

export interface TrainInWorkerOptions {
  readonly onProgress?: ((progress: TrainProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Enough for 256 streams of 4,096 rows; a small young generation keeps the process small while it trains. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 8 };
/** How long a worker may take to act on a cancel before it is ended from outside. */
const CANCEL_MS = 1_000;
/** Beyond twice its budget, for loading TensorFlow.js on a busy machine. */
const OVERDUE_MS = 30_000;

/** Moves the windows' memory to the worker where it can: they are empty afterwards. Settles once the thread has ended, so that none is ever left
 *  behind. RiverrunError TRAINING_FAILED if it fails, is aborted, or does not come back. */
export async function trainInWorker(
  workerUrl: URL,
  request: TrainRequest,
  { onProgress, signal }: TrainInWorkerOptions = {},
): Promise<TrainResult> {
  if (signal?.aborted === true) throw failed('Training was cancelled before it began');
  // Without the host's flags: the worker is built JavaScript, whatever conditions or loaders this thread was started with.
  // Its environment is the process' own: TensorFlow's library reads there, not in a thread's copy, how much it may print.
  const worker = new Worker(workerUrl, {
    resourceLimits: RESOURCE_LIMITS,
    execArgv: [],
    env: SHARE_ENV,
    name: 'riverrun-trainer',
  });
  let result: TrainResult | undefined;
  let failure: RiverrunError | undefined;
  const kill = (): void => void worker.terminate();
  const timers: NodeJS.Timeout[] = [];
  const killAfter = (ms: number, why: string): void => {
    const timer = setTimeout(() => {
      failure ??= failed(why);
      kill();
    }, ms);
    timers.push(timer);
  };
  const cancel = (): void => {
    failure ??= failed('Training was cancelled');
    worker.postMessage({ type: 'cancel' } satisfies ToTrainer);
    killAfter(CANCEL_MS, 'Training was cancelled');
  };

  const ended = new Promise<number>((resolve) => worker.once('exit', resolve));
  worker.on('message', (message: FromTrainer) => {
    if (message.type === 'progress') onProgress?.(message.progress);
    else if (message.type === 'result') result = message.result;
    else failure ??= new RiverrunError(message.code, message.message);
  });
  worker.once('error', (error: unknown) => {
    failure ??= failed(`The training thread crashed: ${error instanceof Error ? error.message : String(error)}`, error);
  });
  worker.once('messageerror', (error) => {
    failure ??= failed('A message of the training thread could not be read', error);
    kill();
  });
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const { windows, budgetSeconds = DEFAULT_BUDGET_SECONDS } = request;
    killAfter(2_000 * budgetSeconds + OVERDUE_MS, 'The training thread did not come back in time and was ended');
    worker.postMessage({ type: 'train', request } satisfies ToTrainer, wholeBuffers(windows));
    const code = await ended;
    if (failure !== undefined) throw failure;
    if (result === undefined) throw failed(`The training thread ended with code ${code} and without a result`);
    return result;
  } catch (error) {
    kill();
    await ended;
    throw error;
  } finally {
    signal?.removeEventListener('abort', cancel);
    timers.forEach(clearTimeout);
  }
}

/** Only buffers that hold one window and nothing else: moving a larger one would take other arrays' contents away. */
function wholeBuffers(windows: readonly Float64Array[]): ArrayBuffer[] {
  const whole = windows.filter(({ buffer, byteLength }) => byteLength > 0 && byteLength === buffer.byteLength);
  return [...new Set(whole.map(({ buffer }) => buffer))].filter((buffer) => buffer instanceof ArrayBuffer);
}

const failed = (message: string, cause?: unknown): RiverrunError =>
  new RiverrunError('TRAINING_FAILED', message, { cause });
