import { expect, it } from 'vitest';
import { RiverrunError } from '#domain/errors';
import { fastCodec } from './codec/codec.js';
import type { CommitRequest } from './committer.js';
import { KafkaTickLog, type KafkaTickLogParts } from './kafka-tick-log.js';

const source = { topic: 'ticks', partition: 0 };

/** A log whose commits wait; `committed` is what the next takeover finds. */
function waitingLog(): { log: KafkaTickLog; waiting: CommitRequest[]; found: { committed: number } } {
  const waiting: CommitRequest[] = [];
  const found = { committed: 5 };
  const parts = {
    codec: fastCodec,
    outputs: { predictions: 'p', deadLetters: 'd', checkpoints: 'c', deadLetterMaxBytes: 1 << 20 },
    assignment: () => ({ partitions: [source], generation: 1, memberId: 'm' }),
    settled: () => Promise.resolve(),
    sink: {
      transactionalId: 't',
      ready: () => Promise.resolve(),
      commit: (request: CommitRequest) => new Promise(() => waiting.push(request)),
    },
    takeover: {
      take: () =>
        Promise.resolve({
          start: 0,
          end: 9,
          base: 0,
          partitions: 1,
          model: null,
          swaps: [],
          committed: found.committed,
        }),
    },
  };
  return { log: new KafkaTickLog(source, parts as unknown as KafkaTickLogParts), waiting, found };
}

it('does not commit what a checkpoint asked for before a takeover: its offset may be behind by now', async () => {
  const { log, waiting, found } = waitingLog();
  await log.open();
  void log.checkpoints.write([{ key: 'w', value: new Uint8Array(1) }]);
  expect(waiting.map(({ offset, isValid }) => [offset.offset, isValid()])).toEqual([[5, true]]);
  log.invalidate(new RiverrunError('REASSIGNED', 'the group went on without this instance'));
  expect(waiting[0].isValid()).toBe(false);
  found.committed = 7;
  await log.open();
  void log.checkpoints.write([{ key: 'w', value: new Uint8Array(1) }]);
  expect(waiting.map(({ offset, isValid }) => [offset.offset, isValid()])).toEqual([
    [5, false],
    [7, true],
  ]);
});
