/** Picks the TensorFlow.js backend by what it computes, not by what it says: `getBackend()` also names one that does not work. */
import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
// For its side effect: in Node, tfjs-core's own build knows no gradients; loading tfjs-layers registers them.
import '@tensorflow/tfjs-layers';

/** By TensorFlow.js' own names, the preferred one first. `tensorflow` is tfjs-node, where `npm run tfjs-node:build` has built it. */
export const BACKENDS = ['tensorflow', 'wasm', 'cpu'] as const;
export type Backend = (typeof BACKENDS)[number];

let picked: Promise<Backend> | undefined;

/** Once a thread; later calls give the same backend. Error where none works. */
export function pickBackend(): Promise<Backend> {
  return picked ?? useBackend(BACKENDS);
}

/** The first of `order` that works is what this thread computes on from now on. Error where none does. */
export function useBackend(order: readonly Backend[]): Promise<Backend> {
  return (picked = withoutProcessListeners(() => firstThatWorks(order)));
}

async function firstThatWorks(order: readonly Backend[]): Promise<Backend> {
  // Its greeting and its advice to install the native binding are no news to whoever reads our log.
  tf.enableProdMode();
  const complaints: string[] = [];
  for (const backend of order) {
    try {
      await start(backend);
      probe();
      return backend;
    } catch (error) {
      complaints.push(`${backend}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(`No backend of TensorFlow.js works here; ${complaints.join('; ')}`);
}

async function start(backend: Backend): Promise<void> {
  // Loaded only when their turn comes: beside a working backend the others would be dead weight in memory.
  if (backend === 'tensorflow') loadNative();
  else if (backend === 'wasm') await loadWasm();
  else await import('@tensorflow/tfjs-backend-cpu');
  if (!(await tf.setBackend(backend))) throw new Error('it did not start');
}

/** tfjs-node brings its own copy of tfjs-core; both use the one engine, with its backends and gradients, that the first has left in `globalThis`. */
function loadNative(): void {
  // eslint-disable-next-line no-restricted-properties -- written, not read: where the library looks for how much it may print.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  const require = createRequire(import.meta.url);
  // tfjs-node calls them; Node 23 has dropped them.
  const util = require('node:util') as Record<string, unknown>;
  util.isNullOrUndefined ??= (value: unknown) => value === undefined || value === null;
  util.isArray ??= Array.isArray;
  createRequire(require.resolve('#tfjs-node/package.json'))('@tensorflow/tfjs-node');
}

async function loadWasm(): Promise<void> {
  const wasm = await import('@tensorflow/tfjs-backend-wasm');
  const manifest = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json');
  wasm.setWasmPaths(`${dirname(manifest)}${sep}dist${sep}`);
  wasm.setThreadsCount(1);
}

/** An op of the kind training lives on, forward and backward, against values worked out by hand. */
function probe(): void {
  const [product, gradient] = tf.tidy(() => {
    const a = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const b = tf.tensor2d([5, 6, 7, 8], [2, 2]);
    const gradientOf = tf.grad((x) => tf.sum(tf.matMul(x, b)));
    return [tf.matMul(a, b).dataSync(), gradientOf(a).dataSync()];
  });
  if (product.join() !== '19,22,43,50' || gradient.join() !== '11,15,11,15')
    throw new Error(`it multiplies two matrices to ${product.join()} and their gradient to ${gradient.join()}`);
}

/** Emscripten's start-up code hangs handlers on uncaughtException and unhandledRejection that rethrow: they would change how the host dies. */
async function withoutProcessListeners<T>(run: () => Promise<T>): Promise<T> {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => new Set(process.listeners(event as 'uncaughtException')));
  try {
    return await run();
  } finally {
    events.forEach((event, i) => {
      for (const listener of process.listeners(event as 'uncaughtException'))
        if (!before[i].has(listener)) process.removeListener(event, listener);
    });
  }
}
