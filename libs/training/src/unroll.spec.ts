import { expect, it, vi } from 'vitest';

const PLAN = { horizon: 1, season: 0, timeZone: 'UTC', level: 0.9 } as const;

vi.mock('#rnn/training-kernel', () => ({
  TrainingKernel: class {
    constructor() {
      throw new Error('invalid opcode');
    }
  },
}));

it('says what training lacks where the engine has no SIMD', async () => {
  const { train } = await import('./train.js');
  const windows = [Float64Array.from({ length: 300 }, (_, i) => (i % 2 === 0 ? i : Math.sin(i / 4)))];
  const attempt = train({ windows, inputs: 1, ...PLAN, cell: 'simple-rnn', hidden: 4, seed: 1, epochs: 3 });
  await expect(attempt).rejects.toMatchObject({
    code: 'TRAINING_FAILED',
    message: expect.stringContaining('SIMD') as string,
  });
});
