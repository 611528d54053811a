import { expect, it, vi } from 'vitest';

const PLAN = { horizon: 1, season: 0, timeZone: 'UTC', level: 0.9 } as const;

vi.mock('@tensorflow/tfjs-backend-wasm', () => {
  throw new Error('no wasm here');
});

it('trains on the cpu backend where wasm does not work, and says so', async () => {
  const { train } = await import('./train.js');
  const windows = [Float64Array.from({ length: 300 }, (_, i) => (i % 2 === 0 ? i : Math.sin(i / 4)))];
  const result = await train({ windows, inputs: 1, ...PLAN, cell: 'simple-rnn', hidden: 4, seed: 1, epochs: 3 });
  expect(result.backend).toBe('cpu');
  expect(result.record.validation.mae).toBeLessThan(result.record.validation.persistenceMae);
});
