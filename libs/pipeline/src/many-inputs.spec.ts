import { describe, expect, it } from 'vitest';
import { DEFAULT_PIPELINE } from '#domain/pipeline-spec';
import { TestPipeline } from '../../../test/support/pipelines.js';
import { fieldCount, missingIndex, StreamTable } from './stream-table.js';

const pipelineOf = (inputs: number): TestPipeline =>
  new TestPipeline(
    { ...DEFAULT_PIPELINE, inputs: Array.from({ length: inputs }, (_, k) => `x${k}`) },
    { hotStreams: 2, maxBatch: 2, saveAfterMs: 1e9 },
  );
/** 1 for each input, null where `missing`. */
const values = (inputs: number, missing: readonly number[]): (number | null)[] =>
  Array.from({ length: inputs }, (_, k) => (missing.includes(k) ? null : 1));

describe('many inputs', () => {
  it('leave the fields of up to 32 where they were', () => {
    for (const inputs of [1, 2, 31, 32]) {
      expect(fieldCount(inputs)).toBe(13 + 5 * inputs);
      expect(missingIndex(inputs, inputs - 1)).toBe(12);
    }
    expect([33, 64, 65, 255].map(fieldCount)).toEqual([
      13 + 5 * 33 + 1,
      13 + 5 * 64 + 1,
      13 + 5 * 65 + 2,
      13 + 5 * 255 + 7,
    ]);
    expect(missingIndex(255, 254)).toBe(fieldCount(255) - 1);
  });

  it('have fields of their own in a table of several streams', () => {
    const table = new StreamTable(3, 70);
    const slots = ['a', 'b', 'c'].map((id) => table.insert(id, 0));
    const before = table.meta.slice();
    const { fields } = table;
    table.meta.fill(7, slots[1] * fields, (slots[1] + 1) * fields);
    table.clear(slots[1]);
    expect(table.meta).toEqual(before);
  });

  it.each([2, 31, 32, 33, 64, 65, 255])(
    'of which %i: a tick is a duplicate only where the same ones are missing',
    async (n) => {
      const pipeline = await pipelineOf(n).open();
      const sets = [[], [0], [n - 1], [n >> 1], [n - 1, 0], Array.from({ length: n }, (_, k) => k)];
      for (const [i, missing] of sets.entries()) {
        const at = (other: readonly number[]) => ({ stream: 'a', ts: 1000 * i, values: values(n, other) });
        // Other streams push this one out to the store and back.
        const away = ['b', 'c', 'd'].map((stream) => ({ stream, ts: i, values: values(n, []) }));
        await pipeline.feed(at(missing), ...away);
        await pipeline.pipeline.flush();
        expect((await pipeline.feed(at(missing)))[0].code).toBe('DUPLICATE');
      }
      for (const [i, missing] of sets.entries())
        for (const other of sets.slice(0, i)) {
          if (new Set(missing).size === other.length && missing.every((k) => other.includes(k))) continue;
          const fresh = await pipelineOf(n).open();
          const [first, second] = await fresh
            .feed(
              { stream: 'a', ts: 1, values: values(n, []) },
              { stream: 'a', ts: 2, values: values(n, other) },
              { stream: 'a', ts: 2, values: values(n, missing) },
            )
            .then((outcomes) => outcomes.slice(1));
          expect([first.code, second.code]).toEqual([undefined, undefined]);
        }
    },
  );
});
