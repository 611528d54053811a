/** Runs one training attempt in a process of its own, from the side that must not wait for it. */
import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism, loadavg } from 'node:os';
import { errorMessage, RiverrunError } from '#domain/errors';
import type { FromTrainer, ToTrainer } from './messages.js';
import { DEFAULT_BUDGET_SECONDS, type TrainProgress, type TrainRequest, type TrainResult } from './train.types.js';

export interface TrainInProcessOptions {
  readonly onProgress?: ((progress: TrainProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Of the machine, a core: what wants to run over the last minute. */
  readonly load?: number | undefined;
}

/** MiB. Enough for 256 streams of 4,096 rows; a small young generation keeps the process small while it trains. */
const MEMORY = ['--max-old-space-size=192', '--max-semi-space-size=2'];
/** From this load on the process only gets the lowest niceness: of all that a tick leaves over it would get next to nothing where others take it (ADR 11). */
const CROWDED = 1.25;
/** Beyond twice its budget, for loading TensorFlow.js on a busy machine. */
const OVERDUE_MS = 30_000;

/** Reads the windows while it hands them over: they must stay as they are until it settles. Settles once the process has ended, so that none is ever left behind.
 *  RiverrunError TRAINING_FAILED if it fails, is aborted, or does not come back. */
export async function trainInProcess(
  entry: URL,
  request: TrainRequest,
  { onProgress, signal, load = loadavg()[0] / availableParallelism() }: TrainInProcessOptions = {},
): Promise<TrainResult> {
  if (signal?.aborted === true) throw failed('Training was cancelled before it began');
  const { windows, budgetSeconds = DEFAULT_BUDGET_SECONDS, ...others } = request;
  const child = start(entry, load < CROWDED ? ['idle'] : []);
  let result: TrainResult | undefined;
  let failure: RiverrunError | undefined;
  const kill = (why: string): void => {
    failure ??= failed(why);
    child.kill('SIGKILL');
  };
  const cancel = (): void => kill('Training was cancelled');
  const overdue = setTimeout(
    () => kill('The training process did not come back in time and was ended'),
    2_000 * budgetSeconds + OVERDUE_MS,
  );

  const ended = new Promise<string>((resolve) => {
    // Not at 'exit': its last messages may still be under way then.
    child.once('close', (code, by) => resolve(by === null ? `ended with code ${code}` : `was ended by ${by}`));
    child.on('error', (error) => {
      failure ??= failed(`The training process failed: ${errorMessage(error)}`, error);
      if (child.pid === undefined) resolve('did not start');
    });
  });
  child.on('message', (message: FromTrainer) => {
    if (message.type === 'progress') onProgress?.(message.progress);
    else if (message.type === 'result') result = message.result;
    else failure ??= new RiverrunError(message.code, message.message);
  });
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const lengths = windows.map(({ length }) => length);
    child.send({ ...others, budgetSeconds, lengths } satisfies ToTrainer);
    // As bytes beside the message: a message is copied as a whole before it is sent, and ticks would wait for that.
    const input = child.stdin!;
    // A process that is gone before it has read them says so by its end.
    input.on('error', () => undefined);
    for (const { buffer, byteOffset, byteLength } of windows)
      input.write(new Uint8Array(buffer, byteOffset, byteLength));
    input.end();
    const how = await ended;
    if (failure !== undefined) throw failure;
    if (result === undefined) throw failed(`The training process ${how} and without a result`);
    return result;
  } catch (error) {
    child.kill('SIGKILL');
    await ended;
    throw failure ?? error;
  } finally {
    signal?.removeEventListener('abort', cancel);
    clearTimeout(overdue);
  }
}

function start(entry: URL, args: readonly string[]): ChildProcess {
  try {
    return fork(entry, args, {
      // Without the host's flags: the entry is built JavaScript, whatever conditions, loaders or debuggers this process was started with.
      execArgv: MEMORY,
      // eslint-disable-next-line no-restricted-properties -- passed on, not read.
      env: { ...process.env, NODE_OPTIONS: undefined },
      serialization: 'advanced',
      // What it prints goes to this process' standard error: standard output may be somebody's document.
      stdio: ['pipe', 2, 2, 'ipc'],
    });
  } catch (error) {
    throw failed(`The training process did not start: ${errorMessage(error)}`, error);
  }
}

const failed = (message: string, cause?: unknown): RiverrunError =>
  new RiverrunError('TRAINING_FAILED', message, { cause });
