import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryStateStore } from '#adapters/memory/memory-state-store';
import type { CheckpointEntry, CheckpointLog, StateChanges, StateStore } from '#domain/ports';
import { gruSpec, modelOf, seeded } from '../../../test/support/models.js';
import { rememberOutcomes, runInSpiteOf } from '../../../test/support/crashes.js';
import { TestPipeline, type Outcome, type TickJson } from '../../../test/support/pipelines.js';

const TTL = 10_000;
const RAW = modelOf(gruSpec(8), 1);
const SCALED = modelOf(gruSpec(8), 7, {
  scaler: 'standard',
  target: 'difference',
  warmUp: 16,
  origin: 'trained',
  pinned: false,
});
/** The records' own timestamp, and the first ts that is too far ahead of it. */
const WRITTEN = 1_700_000_000_000;
const TOO_FAR = WRITTEN + 24 * 3_600_000 + 1;

/** Streams that come and go: some minutes of a few, then of others. Some ticks late, double, missing, broken, or far in the future. */
function comingAndGoing(seed: number, count: number): (TickJson | string)[] {
  const random = seeded(seed);
  let now = 1_000_000;
  let last: TickJson = { stream: 's0', ts: now, value: 0 };
  return Array.from({ length: count }, (_, i) => {
    now += Math.floor(400 * random());
    const phase = Math.floor(i / 60);
    const stream = `s${(2 * phase + Math.floor(2.2 * random())) % 6}`;
    const kind = random();
    if (kind > 0.98) return '{broken';
    if (kind > 0.97) return { stream, control: 'reset' };
    if (kind > 0.96) return { stream, ts: TOO_FAR, value: 1 };
    if (kind > 0.94) return last;
    // A clock that is ahead, but not too far: for a while all the others expire at each tick.
    if (kind < 0.004) return { stream, ts: now + 2 * TTL, value: 1 };
    const ts = kind > 0.9 ? now - Math.floor(15_000 * random()) : now;
    last = { stream, ts, value: kind > 0.87 ? null : Math.round(100 * (Math.sin(ts / 7000) + random())) / 100 };
    return last;
  });
}

/** The same outcomes by other means: without a TTL, each life of a stream under a name of its own. */
async function expectedOf(ticks: readonly (TickJson | string)[], model: typeof RAW): Promise<Outcome[]> {
  const pipeline = await new TestPipeline(undefined, { maxBatch: 1 }).open();
  await pipeline.swap(model);
  const lives = new Map<string, { life: number; last: number }>();
  let time = -Infinity;
  const outcomes: Outcome[] = [];
  for (const tick of ticks) {
    if (typeof tick === 'string') {
      outcomes.push(...(await pipeline.feed(tick)));
      continue;
    }
    const { stream, ts } = tick;
    if (ts === TOO_FAR) {
      await pipeline.feed('{broken');
      outcomes.push({ code: 'TIMESTAMP' });
      continue;
    }
    const known = lives.get(stream) ?? { life: 0, last: NaN };
    lives.set(stream, known);
    if (ts !== undefined && known.last + TTL < time) {
      known.life += 1;
      known.last = NaN;
    }
    const [outcome] = await pipeline.feed({ ...tick, stream: `${stream}/${known.life}` });
    if (ts === undefined) known.last = NaN;
    else {
      time = Math.max(time, ts);
      if (outcome.code === undefined && !(ts <= known.last)) known.last = ts;
    }
    outcomes.push(outcome.json === undefined ? outcome : { json: { ...outcome.json, stream } });
  }
  return outcomes;
}

async function finalStates(pipeline: TestPipeline): Promise<unknown> {
  await pipeline.pipeline.flush();
  const { streams } = await pipeline.pipeline.list(undefined, 100);
  const traces = await Promise.all(streams.map(({ id }) => pipeline.pipeline.trace(id, 1)));
  return streams.map((view, k) => [view, traces[k]]);
}

describe('a stream that has been quiet for longer than the TTL', () => {
  it('is as on its first day, however ticks are cut into batches and whatever is hot, stored or removed', async () => {
    let startedOver = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.integer({ min: 1, max: 60 }),
        fc.constantFrom(4, 64),
        fc.constantFrom(1, 20, 1e9),
        fc.boolean(),
        async (seed, size, hotStreams, saveAfterRecords, scaled) => {
          const ticks = comingAndGoing(seed, 300);
          const random = seeded(seed);
          const model = scaled ? SCALED : RAW;
          const pipeline = await new TestPipeline(undefined, {
            stateTtlMs: TTL,
            hotStreams,
            maxBatch: Math.min(size, hotStreams),
            saveAfterRecords,
            saveAfterMs: 1e9,
          }).open();
          await pipeline.swap(model);
          const outcomes: Outcome[] = [];
          for (let at = 0; at < ticks.length;) {
            const some = ticks.slice(at, at + 1 + Math.floor(random() * size));
            outcomes.push(...(await pipeline.feed(...some)));
            at += some.length;
            if (random() < 0.2) await pipeline.pipeline.expireStored();
          }
          const expected = await expectedOf(ticks, model);
          expect(outcomes).toEqual(expected);
          startedOver += new Set(expected.flatMap(({ json }) => (json?.targetTs === undefined ? [json?.stream] : [])))
            .size;
        },
      ),
      { numRuns: 60 },
    );
    expect(startedOver).toBeGreaterThan(60);
  });

  it('is so after a crash at any write, also one that had written a part', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(fc.nat(90), { maxLength: 8 }),
        fc.boolean(),
        fc.constantFrom(4, 64),
        fc.constantFrom(8, 100),
        async (seed, crashes, scaled, hotStreams, saveAfterRecords) => {
          const ticks = comingAndGoing(seed, 300);
          const random = seeded(seed);
          const model = scaled ? SCALED : RAW;
          const options = { stateTtlMs: TTL, saveAfterMs: 1e9 };
          const calm = await new TestPipeline(undefined, { ...options, saveAfterRecords: 1e9 }).open();
          await calm.swap(model);
          const expected = await calm.feed(...ticks);
          const pipeline = await new TestPipeline(undefined, {
            ...options,
            hotStreams,
            maxBatch: Math.min(16, hotStreams),
            saveAfterRecords,
          }).open();
          await pipeline.swap(model);
          const commit = pipeline.states.commit.bind(pipeline.states);
          let writes = 0;
          const dying = async (write: () => Promise<void>, part?: () => Promise<void>): Promise<void> => {
            writes += 1;
            if (crashes.includes(3 * writes)) throw new Error('killed');
            const torn = crashes.includes(3 * writes + 1) && part !== undefined;
            await (torn ? part() : write());
            if (torn || crashes.includes(3 * writes + 2)) throw new Error('killed');
          };
          const seen = rememberOutcomes(pipeline, dying);
          pipeline.states.commit = (changes) =>
            dying(
              () => commit(changes),
              () => (changes.expected === undefined ? Promise.resolve() : commit(someOf(changes, random))),
            );
          await runInSpiteOf(pipeline, ticks, seen, async () => {
            if (random() < 0.3) await pipeline.pipeline.expireStored();
          });
          writes = Infinity;
          expect(ticks.map((_, offset) => seen.get(offset))).toEqual(expected);
          expect(await finalStates(pipeline)).toEqual(await finalStates(calm));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('is told by ticks that a replay passes over, too', async () => {
    const pipeline = await new TestPipeline(undefined, {
      stateTtlMs: TTL,
      saveAfterRecords: 1e9,
      saveAfterMs: 1e9,
    }).open();
    await pipeline.feed({ stream: 'a', ts: 1, value: 1 }, { stream: 'b', ts: 1, value: 1 });
    await pipeline.pipeline.flush();
    await pipeline.feed({ stream: 'a', ts: TTL + 10, value: 1 });
    const commit = pipeline.states.commit.bind(pipeline.states);
    pipeline.states.commit = async (changes) => {
      await commit(someOf(changes, () => 0));
      throw new Error('killed');
    };
    await expect(pipeline.pipeline.flush()).rejects.toThrow('killed');
    pipeline.states.commit = commit;
    await pipeline.open();
    const [outcome] = await pipeline.feed({ stream: 'b', ts: TTL + 5, value: 2 });
    expect(outcome.json).not.toHaveProperty('targetTs');
    expect(await pipeline.pipeline.view('b')).toMatchObject({ ticks: 1 });
  });

  it('is removed from memory and from the store, hot or cold', async () => {
    const pipeline = await new TestPipeline(undefined, { stateTtlMs: TTL, hotStreams: 8, saveAfterRecords: 1 }).open();
    for (let t = 0; t < 20; t++) await pipeline.feed({ stream: `old${t}`, ts: t, value: t });
    const stored = async (): Promise<string[]> => (await pipeline.states.list(undefined, 100)).ids;
    expect(await stored()).toHaveLength(20);
    await pipeline.feed({ stream: 'new', ts: TTL + 10, value: 1 });
    await pipeline.feed({ stream: 'new', ts: TTL + 11, value: 1 });
    // old0 to old10: those of them that are hot have gone by now, the others go with the store's pages.
    await pipeline.pipeline.expireStored();
    expect((await stored()).sort()).toEqual(['new', ...Array.from({ length: 9 }, (_, k) => `old${k + 11}`).sort()]);
    expect(await pipeline.pipeline.view('old3')).toBeUndefined();
    await pipeline.feed({ stream: 'new', ts: 3 * TTL, value: 1 });
    await pipeline.feed({ stream: 'new', ts: 3 * TTL + 1, value: 1 });
    expect(pipeline.pipeline.hotStreams).toBe(1);
    await pipeline.pipeline.expireStored();
    expect(await stored()).toEqual(['new']);
    // And a crash brings nothing back.
    await pipeline.open();
    expect(await pipeline.feed({ stream: 'old19', ts: 19, value: 1 })).toMatchObject([{ json: { prediction: 1 } }]);
  });
});

describe('checkpoints', () => {
  it('leave removed streams out, and restore a lost store to the same outcomes', async () => {
    let [written, left] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(fc.nat(290), { maxLength: 3 }), async (seed, losses) => {
        const ticks = comingAndGoing(seed, 300);
        const random = seeded(seed);
        const calm = await new TestPipeline(undefined, { stateTtlMs: TTL }).open();
        const expected = await calm.feed(...ticks);
        const pipeline = new TestPipeline(undefined, { stateTtlMs: TTL, saveAfterRecords: 10, saveAfterMs: 1e9 });
        const copies = new Map<string, Uint8Array | null>();
        const keys = new Set<string>();
        const open = pipeline.log.open.bind(pipeline.log);
        pipeline.log.open = async () => ({ ...(await open()), base: 0 });
        Object.assign(pipeline.log, {
          checkpoints: {
            write: (entries: readonly CheckpointEntry[]) => {
              for (const { key, value } of entries) {
                copies.set(key, value?.slice() ?? null);
                if (value !== null) keys.add(key);
              }
              return Promise.resolve();
            },
            read: (visit: (key: string, value: Uint8Array | null) => void) => {
              for (const [key, value] of copies) visit(key, value);
              return Promise.resolve();
            },
          } satisfies CheckpointLog,
        });
        const emptyStore = (): void => {
          const states: StateStore & MemoryStateStore = new MemoryStateStore();
          states.clear = () => Promise.resolve();
          states.changedSince = async (_, cursor) => {
            const { ids, cursor: next } = await states.list(cursor, 4);
            return { ids, states: (await states.load(ids)).states.map((state) => state!), cursor: next };
          };
          pipeline.states = states;
        };
        emptyStore();
        await pipeline.open();
        const outcomes: Outcome[] = [];
        for (const [i, tick] of ticks.entries()) {
          if (losses.includes(i)) {
            emptyStore();
            await pipeline.open();
          }
          outcomes.push(...(await pipeline.feed(tick)));
          if (random() < 0.1) await pipeline.pipeline.expireStored();
          if (random() < 0.1) await pipeline.pipeline.checkpoint();
        }
        expect(outcomes).toEqual(expected);
        written += keys.size;
        left += [...copies.values()].filter((copy) => copy !== null).length;
      }),
      { numRuns: 40 },
    );
    expect(left).toBeLessThan(0.9 * written);
  });
});

/** What a crash in the middle of a large commit may leave: some streams written or removed, the watermark as it was. */
function someOf(changes: StateChanges, random: () => number): StateChanges {
  const chosen = changes.ids.map((_, i) => i).filter(() => random() < 0.5);
  const place = new Map(chosen.map((i, k) => [i, k]));
  const { segments, handles, start, end } = changes;
  const kept = Array.from(segments.owner, (_, k) => k).filter((k) => place.has(segments.owner[k]));
  const length = 16 * segments.width;
  const rows = new Float64Array(kept.length * length);
  kept.forEach((k, at) => rows.set(segments.rows.subarray(k * length, (k + 1) * length), at * length));
  return {
    ...changes,
    next: changes.expected!,
    ids: chosen.map((i) => changes.ids[i]),
    handles: Int32Array.from(chosen, (i) => handles[i]),
    start: Int32Array.from(chosen, (i) => start[i]),
    end: Int32Array.from(chosen, (i) => end[i]),
    segments: {
      count: kept.length,
      width: segments.width,
      owner: Int32Array.from(kept, (k) => place.get(segments.owner[k])!),
      sequence: Float64Array.from(kept, (k) => segments.sequence[k]),
      rows,
    },
  };
}
