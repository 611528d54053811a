/** The protocol around the store, cut off anywhere: workers take a partition over from each other, die between the scripts of a commit, lose replies, and
 *  wake up as zombies whose writes come late. The log is a stand-in that lets only the newest worker publish; the store is the real one. */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RiverrunError } from '#domain/errors';
import { plainChanges } from '../../../../test/support/changes.js';
import {
  NO_REDIS,
  connectToRedis,
  forget,
  ownApp,
  redisUrl,
  skipWithout,
} from '../../../../test/support/redis-server.js';
import type { RedisClient } from './redis-client.js';
import { RedisStateStore } from './redis-state-store.js';
import { COMMIT_STATES } from './scripts.js';

const url = await redisUrl();
const SEGMENTS = 4;

/** What a stream remembers: the offset it has absorbed, how many records that were, and a fold over them in which order matters. */
interface Memory {
  readonly offset: number;
  readonly count: number;
  readonly fold: number;
}
const BLANK: Memory = { offset: -1, count: 0, fold: 0 };
const absorb = ({ count, fold }: Memory, offset: number): Memory => ({
  offset,
  count: count + 1,
  fold: (Math.imul(fold, 31) + offset + 1) | 0,
});
const written = ({ offset, count, fold }: Memory): Uint8Array =>
  new Uint8Array(Float64Array.of(offset, count, fold).buffer);
const read = (bytes: Uint8Array): Memory => {
  const [offset, count, fold] = new Float64Array(bytes.slice().buffer);
  return { offset, count, fold };
};

interface Partition {
  readonly app: string;
  readonly topic: string;
  readonly partition: number;
}

class Log {
  committed = 0;
  owner: Worker | undefined;
  constructor(readonly records: readonly string[]) {}

  /** What one uninterrupted pass up to `end` leaves. */
  expected(id: string, end: number): { memory: Memory; folds: number[] } {
    let memory = BLANK;
    const folds: number[] = [];
    for (let offset = 0; offset < end; offset++) {
      if (this.records[offset] !== id) continue;
      memory = absorb(memory, offset);
      folds.push(memory.fold);
    }
    return { memory, folds };
  }
}

/** Steps records, publishes, and saves: one script at a time, as the schedule says. */
class Worker {
  private readonly store: RedisStateStore;
  private position = 0;
  private watermark: Awaited<ReturnType<RedisStateStore['open']>>;
  private memory = new Map<string, Memory>();
  private dirty = new Set<string>();
  private segments = new Map<string, { sequence: number; fill: number }[]>();
  private saving: Promise<void> | undefined;
  private letThrough: (() => void) | undefined;
  private arrived: (() => void) | undefined;
  broken = true;

  constructor(
    private readonly log: Log,
    client: RedisClient,
    partition: Partition,
  ) {
    const gated = Object.create(client) as RedisClient;
    gated.run = async (script, ...rest): Promise<unknown> => {
      if (script === COMMIT_STATES) {
        const passage = new Promise<void>((resolve) => (this.letThrough = resolve));
        this.arrived?.();
        await passage;
      }
      return client.run(script, ...rest);
    };
    this.store = new RedisStateStore(gated, { ...partition, windowSegments: SEGMENTS, streamsPerScript: 2 });
  }

  async recover(): Promise<void> {
    this.memory = new Map();
    this.dirty = new Set();
    this.segments = new Map();
    this.watermark = await this.store.open();
    this.position = this.watermark?.offset ?? 0;
    expect(this.position).toBeLessThanOrEqual(this.log.committed);
    await this.advance(this.log.committed - this.position);
    this.broken = false;
  }

  /** Takes `count` records and publishes their outcomes: only the log's owner can. */
  async step(count: number): Promise<void> {
    await this.advance(Math.min(count, this.log.records.length - this.position));
    if (this.log.owner !== this) throw new RiverrunError('FENCED', 'another worker has the partition');
    this.log.committed = Math.max(this.log.committed, this.position);
  }

  private async advance(count: number): Promise<void> {
    const end = this.position + count;
    const ids = [...new Set(this.log.records.slice(this.position, end))].filter((id) => !this.memory.has(id));
    const { states } = await this.store.load(ids);
    ids.forEach((id, k) => {
      const memory = states[k] === undefined ? BLANK : read(states[k]);
      // I3: whatever is stored is the fold over the log up to its own offset, below c.
      expect(memory.offset).toBeLessThan(Math.max(this.log.committed, 1));
      expect(memory).toEqual(this.log.expected(id, memory.offset + 1).memory);
      this.memory.set(id, memory);
    });
    for (; this.position < end; this.position++) {
      const id = this.log.records[this.position];
      const before = this.memory.get(id)!;
      if (before.offset >= this.position) continue;
      const after = absorb(before, this.position);
      this.memory.set(id, after);
      this.dirty.add(id);
      const owned = this.segments.get(id) ?? [];
      owned.push({ sequence: before.count, fill: after.fold });
      this.segments.set(id, owned);
    }
  }

  get isSaving(): boolean {
    return this.saving !== undefined;
  }

  /** Begins a save; it stands before its first script. */
  async save(): Promise<void> {
    const next = { offset: this.position, model: null, layout: 'v1' };
    const changes = [...this.dirty].map((id) => ({
      id,
      state: written(this.memory.get(id)!),
      segments: this.segments.get(id) ?? [],
    }));
    const standing = new Promise<void>((resolve) => (this.arrived = resolve));
    this.saving = this.store.commit(plainChanges(this.watermark, next, changes)).then(
      () => {
        this.watermark = next;
        this.dirty.clear();
        this.segments.clear();
        this.saving = undefined;
      },
      (error: unknown) => {
        expect(error).toMatchObject({ code: 'WATERMARK_MISMATCH' });
        this.broken = true;
        this.saving = undefined;
      },
    );
    await Promise.race([standing, this.saving]);
  }

  /** Lets one script of the save through. */
  async pass(): Promise<void> {
    const standing = new Promise<void>((resolve) => (this.arrived = resolve));
    this.letThrough?.();
    await Promise.race([standing, this.saving]);
  }
}

describe('the store under crashes and zombies', () => {
  let client: RedisClient;
  const app = ownApp();
  let runs = 0;
  beforeAll(async () => {
    if (url !== undefined) client = await connectToRedis();
  });
  beforeEach((context) => skipWithout(context, url === undefined ? NO_REDIS : undefined));
  afterAll(async () => {
    if (url !== undefined) await forget(client, app);
  });

  const command = fc.oneof(
    { weight: 6, arbitrary: fc.record({ step: fc.integer({ min: 1, max: 6 }), by: fc.nat(2) }) },
    { weight: 4, arbitrary: fc.record({ save: fc.constant(true), by: fc.nat(2) }) },
    { weight: 10, arbitrary: fc.record({ pass: fc.constant(true), by: fc.nat(2) }) },
    { weight: 2, arbitrary: fc.record({ takeOver: fc.constant(true) }) },
  );

  it('every stream ends as after one uninterrupted pass', async () => {
    const schedule = fc.array(command, { minLength: 5, maxLength: 60 });
    const records = fc.array(fc.nat(6).map(String), { minLength: 5, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(records, schedule, async (ids, commands) => {
        const partition = { app, topic: 'ticks', partition: runs++ };
        const log = new Log(ids);
        const workers: Worker[] = [];
        const takeOver = async (): Promise<Worker> => {
          const worker = new Worker(log, client, partition);
          workers.unshift(worker);
          log.owner = worker;
          await worker.recover();
          return worker;
        };
        await takeOver();
        for (const c of commands) {
          if ('takeOver' in c) {
            await takeOver();
            continue;
          }
          // 0 is the owner; the others are zombies, which may still write what they have published.
          const worker = workers[c.by % workers.length];
          if ('pass' in c) {
            if (worker.isSaving) await worker.pass();
          } else if (!worker.isSaving) {
            if (worker.broken) {
              if (worker !== log.owner) continue;
              await worker.recover();
            }
            if ('save' in c) await worker.save();
            else
              await worker.step(c.step).catch((error: unknown) => {
                expect(['FENCED', 'WATERMARK_MISMATCH']).toContain((error as RiverrunError).code);
                worker.broken = true;
              });
          }
        }
        // The last one finishes; zombies' scripts come in between to the end.
        const last = await takeOver();
        await last.step(ids.length).catch(() => last.recover());
        for (let turn = 0; turn < 1000; turn++) {
          if (last.broken) await last.recover();
          if (log.committed < ids.length) await last.step(ids.length);
          await last.save();
          while (last.isSaving) {
            const zombie = workers.slice(1).find((w) => w.isSaving);
            if (zombie !== undefined) await zombie.pass();
            await last.pass();
          }
          if (!last.broken) break;
        }
        expect(log.committed).toBe(ids.length);
        const store = new RedisStateStore(client, { ...partition, windowSegments: SEGMENTS });
        expect((await store.open())?.offset).toBe(ids.length);
        const streams = [...new Set(ids)];
        const { states } = await store.load(streams);
        const windows = await store.read(streams);
        streams.forEach((id, k) => {
          const { memory, folds } = log.expected(id, ids.length);
          expect(states[k] && read(states[k])).toEqual(memory);
          expect(Array.from({ length: windows[k].length / 16 }, (_, s) => windows[k][16 * s])).toEqual(
            folds.slice(-SEGMENTS),
          );
        });
      }),
      { numRuns: 300 },
    );
  });
});
