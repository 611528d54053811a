import { expect, it } from 'vitest';
import { OutcomeKind, type OutcomeBatch } from '#domain/outcome';
import { recordsOf } from '../../../test/support/pipelines.js';
import { Submissions } from './submissions.js';

const outcomes = (first: number, count: number): OutcomeBatch => {
  const records = recordsOf(Array.from({ length: count }, () => ({ stream: 'a' })));
  records.offsets.forEach((_, i) => (records.offsets[i] = first + i));
  const bytes = new TextEncoder().encode('{}');
  return {
    records,
    kinds: new Uint8Array(count).fill(OutcomeKind.prediction),
    bytes,
    start: new Int32Array(count),
    end: new Int32Array(count).fill(2),
    deadLetters: new Map(),
  } as never;
};

it('an answer is complete though another append was waiting for room while its outcomes came', async () => {
  let room = (): void => undefined;
  let end = 0;
  const log = {
    append: async (records: { count: number }): Promise<number> => {
      if (end > 0) await new Promise<void>((resolve) => (room = resolve));
      const first = end;
      end += records.count;
      return first;
    },
    sourcePosition: () => Promise.resolve(undefined),
  };
  const submissions = new Submissions(log);
  const a = submissions.submit(recordsOf(Array.from({ length: 4 }, () => ({ stream: 'a' }))), 500);
  await new Promise((resolve) => setImmediate(resolve));
  const b = submissions.submit(recordsOf([{ stream: 'a' }]), 500);
  await new Promise((resolve) => setImmediate(resolve));
  submissions.committed(outcomes(0, 2));
  room();
  await new Promise((resolve) => setImmediate(resolve));
  submissions.committed(outcomes(2, 3));
  expect(Array.from(await a, (x) => x)).not.toContain(undefined);
  expect(await b).toHaveLength(1);
});

it('an answer is what was said, though its append told its offset after the bytes had become those of another batch', async () => {
  let told = (): void => undefined;
  const log = {
    append: async (): Promise<number> => {
      await new Promise<void>((resolve) => (told = resolve));
      return 0;
    },
    sourcePosition: () => Promise.resolve(undefined),
  };
  const submissions = new Submissions(log);
  const answers = submissions.submit(recordsOf([{ stream: 'a' }]), 500);
  const batch = outcomes(0, 1);
  submissions.committed(batch);
  batch.bytes.fill(0);
  told();
  expect(await answers).toEqual([{ json: '{}' }]);
});
