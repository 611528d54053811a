/** Picks the TensorFlow.js backend by what it computes, not by what it says: `getBackend()` also names one that does not work. */
import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
// For its side effect: in Node, tfjs-core's own build knows no gradients; loading tfjs-layers registers them.
import '@tensorflow/tfjs-layers';

export type Backend = 'wasm' | 'cpu';

let picked: Promise<Backend> | undefined;

/** Once a thread; later calls give the same backend. */
export function pickBackend(): Promise<Backend> {
  return (picked ??= withoutProcessListeners(pick));
}

async function pick(): Promise<Backend> {
  // Its greeting and its advice to install the native binding are no news to whoever reads our log.
  tf.enableProdMode();
  if ((await startWasm()) && probe()) return 'wasm';
  // Loaded only here: beside a working wasm backend it would be dead weight in memory.
  await import('@tensorflow/tfjs-backend-cpu');
  if ((await tf.setBackend('cpu')) && probe()) return 'cpu';
  throw new Error('Neither the wasm nor the cpu backend of TensorFlow.js multiplies two matrices correctly');
}

async function startWasm(): Promise<boolean> {
  try {
    const wasm = await import('@tensorflow/tfjs-backend-wasm');
    const manifest = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm/package.json');
    wasm.setWasmPaths(`${dirname(manifest)}${sep}dist${sep}`);
    wasm.setThreadsCount(1);
    return await tf.setBackend('wasm');
  } catch {
    return false;
  }
}

/** An op of the kind training lives on, forward and backward, against values worked out by hand. */
function probe(): boolean {
  try {
    return tf.tidy(() => {
      const a = tf.tensor2d([1, 2, 3, 4], [2, 2]);
      const b = tf.tensor2d([5, 6, 7, 8], [2, 2]);
      const product = tf.matMul(a, b).dataSync();
      const gradient = tf
        .grad((x) => tf.sum(tf.matMul(x, b)))(a)
        .dataSync();
      return [19, 22, 43, 50].every((v, i) => product[i] === v) && [11, 15, 11, 15].every((v, i) => gradient[i] === v);
    });
  } catch {
    return false;
  }
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
