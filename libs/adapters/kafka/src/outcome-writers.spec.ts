import { expect, it } from 'vitest';
import { OutcomeKind, type OutcomeBatch } from '#domain/outcome';
import { RecordBatchBuilder } from '#domain/record-batch';
import type { BatchWriter, KafkaCodec } from './codec/codec.js';
import { WriterPool, writeOutcomes } from './outcome-writers.js';

it('writes dead letters in the order of the log, whichever step found them', () => {
  const offsets: string[] = [];
  const writer: BatchWriter = {
    count: 0,
    byteLength: 0,
    add: (...args) =>
      offsets.push(...(args[6] ?? []).filter(([name]) => name === 'source-offset').map(([, v]) => String(v))),
    clear: () => undefined,
    finish: () => Promise.resolve(Buffer.alloc(0)),
  };
  const codec = { createWriter: () => writer } as unknown as KafkaCodec;
  const builder = new RecordBatchBuilder();
  for (let i = 0; i < 3; i++) builder.add(null, new Uint8Array([i]), 0);
  const outcomes = {
    records: builder.build('ticks', 0, 7),
    kinds: new Uint8Array(3).fill(OutcomeKind.deadLetter),
    // As they come: unreadable ones first, then those that only the stream's state can tell.
    deadLetters: new Map([
      [1, { code: 'MALFORMED', message: '' }],
      [0, { code: 'LATE', message: '' }],
      [2, { code: 'LATE', message: '' }],
    ]),
  } as unknown as OutcomeBatch;
  writeOutcomes(outcomes, new WriterPool(codec), {
    predictions: 'p',
    deadLetters: 'd',
    checkpoints: 'c',
    deadLetterMaxBytes: 1 << 20,
  });
  expect(offsets).toEqual(['7', '8', '9']);
});
