/** The thread that trains: one request in, progress and one result out, then it ends and its memory with it. */
import { constants, setPriority } from 'node:os';
import { parentPort, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { errorMessage, RiverrunError } from '#domain/errors';
import type { FromTrainer, ToTrainer } from '#training/messages';
import { train } from '#training/train';
import type { TrainRequest } from '#training/train.types';

if (parentPort === null) throw new Error('apps/trainer/src/worker.js is started as a worker thread, not on its own');
const port = parentPort;
let cancelled = false;
const receive = (message: ToTrainer): void => {
  if (message.type === 'cancel') cancelled = true;
  else void run(port, message.request).finally(() => port.close());
};
port.on('message', receive);
// Ticks come first. On Linux a thread has a priority of its own; elsewhere this would be the whole process'.
if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_LOW);

async function run(port: MessagePort, request: TrainRequest): Promise<void> {
  const post = (message: FromTrainer, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
  try {
    const result = await train(request, {
      progress: (progress) => post({ type: 'progress', progress }),
      shouldStop: () => {
        // Between batches training never returns to this thread's event loop, so its mail is fetched by hand.
        const mail = receiveMessageOnPort(port) as { message: ToTrainer } | undefined;
        if (mail !== undefined) receive(mail.message);
        return cancelled;
      },
    });
    post({ type: 'result', result }, [result.weights.buffer as ArrayBuffer]);
  } catch (error) {
    const code = error instanceof RiverrunError ? error.code : 'TRAINING_FAILED';
    post({ type: 'error', code, message: errorMessage(error) });
  }
}
