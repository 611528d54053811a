/** The process that trains: one request in, progress and one result out, then it ends and its memory with it. */
import { errorMessage, RiverrunError } from '#domain/errors';
import type { FromTrainer, ToTrainer } from '#training/messages';
import { giveWay } from './give-way.js';

if (process.send === undefined) throw new Error('apps/trainer/src/main.js is started by the service, not on its own');
const parent = process.ppid;
process.title = 'riverrun-trainer';
giveWay(process.argv[2] === 'idle');
process.once('disconnect', () => process.exit());
// Ctrl-C and service managers signal all processes of a service: the one that serves says when this one ends.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
process.once('uncaughtException', fail);
process.once('message', (message: ToTrainer) => void attempt(message).catch(fail));

async function attempt({ lengths, ...others }: ToTrainer): Promise<void> {
  // Loading it takes most of the start: it has the low priority too.
  const { train } = await import('#training/train');
  const result = await train(
    { ...others, windows: await readWindows(lengths) },
    {
      progress: (progress) => process.send?.({ type: 'progress', progress } satisfies FromTrainer),
      // Between batches training never returns to the event loop, where the end of the parent would be noticed.
      shouldStop: () => process.ppid !== parent,
    },
  );
  last({ type: 'result', result });
}

/** Views of one buffer. */
async function readWindows(lengths: readonly number[]): Promise<Float64Array[]> {
  const values = new Float64Array(lengths.reduce((sum, length) => sum + length, 0));
  const bytes = new Uint8Array(values.buffer);
  let read = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes.set(chunk, read);
    read += chunk.length;
  }
  if (read < bytes.length) throw new Error(`${read} of the windows' ${bytes.length} bytes have arrived`);
  let start = 0;
  return lengths.map((length) => values.subarray(start, (start += length)));
}

function fail(error: unknown): void {
  const code = error instanceof RiverrunError ? error.code : 'TRAINING_FAILED';
  last({ type: 'error', code, message: errorMessage(error) });
}

/** With its answer under way nothing keeps this process. */
function last(message: FromTrainer): void {
  process.send?.(message, () => process.exit());
}
