import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ModelKeys, PartitionKeys } from './keys.js';

// What ioredis itself computes slots with; it has no types.
const slotOf = createRequire(createRequire(import.meta.url).resolve('ioredis'))('cluster-key-slot') as (
  key: string,
) => number;

const name = fc.oneof(fc.string(), fc.constantFrom('{', '}', '}{', '{}', 'a:b', 'a}', ':'));

function keysOf(app: string, topic: string, partition: number): string[] {
  const keys = new PartitionKeys(app, topic, partition);
  const buckets = Array.from({ length: 256 }, (_, b) => b);
  return [keys.watermark, keys.counts, ...buckets.flatMap((b) => [keys.states(b), keys.segments(b)])];
}

describe('keys', () => {
  it('of one partition share one slot of a cluster, whatever the names', () => {
    fc.assert(
      fc.property(name, name, fc.nat(999), (app, topic, partition) => {
        const keys = keysOf(app, topic, partition);
        expect(new Set(keys.map(slotOf)).size).toBe(1);
        expect(new Set(keys).size).toBe(keys.length);
      }),
    );
  });

  it('of different partitions are different', () => {
    const partitions: [string, string, number][] = [
      ['a', 'b', 1],
      ['a', 'b', 11],
      ['a:b', 'c', 1],
      ['a', 'b:c', 1],
      ['a}', 'b', 1],
    ];
    const keys = partitions.flatMap((p) => keysOf(...p));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('of the models share one slot', () => {
    fc.assert(
      fc.property(name, (app) => {
        const keys = new ModelKeys(app);
        const all = [keys.manifests, keys.versions, keys.digests, keys.aliases, keys.weights('tide@7')];
        expect(new Set(all.map(slotOf)).size).toBe(1);
      }),
    );
  });
});
