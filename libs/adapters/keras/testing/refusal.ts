import { expect } from 'vitest';
import { readModel } from '../src/read-model.js';

/** Every refusal is one line with a stable code. */
export async function expectRefusal(
  path: string,
  code: 'MODEL_INVALID' | 'MODEL_UNSUPPORTED',
  message: RegExp,
): Promise<void> {
  const error = await readModel(path).then(
    () => new Error('imported'),
    (reason: unknown) => reason as Error,
  );
  expect(error).toMatchObject({ name: 'RiverrunError', code });
  expect(error.message).toMatch(message);
  expect(error.message).toMatch(/^[\p{L}\p{N}\p{P}\p{S} ]+$/u);
}
