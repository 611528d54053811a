import * as tf from '@tensorflow/tfjs-core';
import { expect, it, vi } from 'vitest';
import { describeOnEachBackend } from '../../../test/support/backends.js';
import { BACKENDS, useBackend, type Backend } from './backend.js';
import { train } from './train.js';

const PLAN = { horizon: 1, season: 0, timeZone: 'UTC', level: 0.9 } as const;
const windows = [Float64Array.from({ length: 300 }, (_, i) => (i % 2 === 0 ? i : Math.sin(i / 4)))];

/** Runs it while those backends, as far as they are loaded, multiply matrices the wrong way round. */
async function whileWrong(backends: readonly Backend[], run: () => Promise<void>): Promise<void> {
  const swapIn = (kernel: tf.KernelConfig): void => {
    tf.unregisterKernel(kernel.kernelName, kernel.backendName);
    tf.registerKernel(kernel);
  };
  const right = backends.flatMap((backend) => tf.getKernel('BatchMatMul', backend) ?? []);
  for (const kernel of right)
    swapIn({
      ...kernel,
      kernelFunc: ({ inputs: { a, b }, ...rest }) => kernel.kernelFunc({ inputs: { a: b, b: a }, ...rest }),
    });
  try {
    await run();
  } finally {
    right.forEach(swapIn);
  }
}

await describeOnEachBackend('a backend', (backend) => {
  it('is chosen, and trains', async () => {
    expect(await useBackend([backend])).toBe(backend);
    const result = await train({ windows, inputs: 1, ...PLAN, cell: 'simple-rnn', hidden: 4, seed: 1, epochs: 3 });
    expect(result.backend).toBe(backend);
    expect(result.record.validation.mae).toBeLessThan(result.record.validation.persistenceMae);
  });

  it('is passed over while it computes something wrong, whatever it says of itself', async () => {
    await whileWrong([backend], async () => {
      await expect(useBackend([backend])).rejects.toThrow(`${backend}: it multiplies two matrices to 23,34,31,46`);
      const rest = BACKENDS.filter((other) => other !== backend);
      expect(rest).toContain(await useBackend([backend, ...rest]));
    });
    expect(await useBackend([backend])).toBe(backend);
  });

  it('is picked unasked where those before it do not work', async () => {
    vi.resetModules();
    const { pickBackend } = await import('./backend.js');
    await whileWrong(BACKENDS.slice(0, BACKENDS.indexOf(backend)), async () => {
      expect(await pickBackend()).toBe(backend);
      expect(await pickBackend()).toBe(backend);
    });
  });
});

it('passes over a backend that cannot be loaded, and says why where there is no other', async () => {
  vi.resetModules();
  vi.doMock('@tensorflow/tfjs-backend-wasm', () => {
    throw new Error('no wasm here');
  });
  const fresh = await import('./backend.js');
  expect(await fresh.useBackend(['wasm', 'cpu'])).toBe('cpu');
  await expect(fresh.useBackend(['wasm'])).rejects.toThrow(/No backend of TensorFlow.js works here; wasm: /);
});
