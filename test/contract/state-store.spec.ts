/** StateStore and WindowStore, the same on every adapter. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SEGMENT_ROWS, type StateChanges, type StateStore, type Watermark, type WindowStore } from '#domain/ports';
import { skipWithout } from '../support/redis-server.js';
import { STORES, type Subject } from './adapters.js';

type Store = StateStore & WindowStore;

const mark = (offset: number, model: string | null = null): Watermark => ({ offset, model, layout: 'v1' });

interface Change {
  readonly id: string;
  /** Length and filling of the new state; null removes the stream. */
  readonly state: { readonly length: number; readonly fill: number } | null;
  readonly handle?: number;
  readonly segments?: readonly number[];
}

const WIDTH = 2;
const stateBytes = ({ length, fill }: { length: number; fill: number }): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => fill + i);
const rowsOf = (id: string, sequence: number): number[] =>
  Array.from({ length: SEGMENT_ROWS * WIDTH }, (_, i) => sequence * 1000 + i + id.length / 100);

function changesOf(expected: Watermark | undefined, next: Watermark, changes: readonly Change[]): StateChanges {
  // A hole in front and between: a store must go by start and end, not by what lies next to each other.
  const parts: number[] = [7];
  const start: number[] = [];
  const end: number[] = [];
  const owner: number[] = [];
  const sequence: number[] = [];
  const rows: number[] = [];
  changes.forEach(({ id, state, segments = [] }, i) => {
    start.push(state === null ? -1 : parts.length);
    if (state !== null) parts.push(...stateBytes(state));
    end.push(state === null ? -1 : parts.length);
    if (i % 3 === 2) parts.push(1, 2, 3);
    for (const k of segments) {
      owner.push(i);
      sequence.push(k);
      rows.push(...rowsOf(id, k));
    }
  });
  return {
    expected,
    next,
    ids: changes.map((c) => c.id),
    handles: Int32Array.from(changes, (c) => c.handle ?? 0),
    bytes: Uint8Array.from(parts),
    start: Int32Array.from(start),
    end: Int32Array.from(end),
    segments: {
      count: owner.length,
      width: WIDTH,
      owner: Int32Array.from(owner),
      sequence: Float64Array.from(sequence),
      rows: Float64Array.from(rows),
    },
  };
}

async function listed(store: Store, limit: number): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list(cursor, limit);
    expect(page.ids.length).toBeLessThanOrEqual(limit);
    ids.push(...page.ids);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return ids;
}

describe.each(STORES)('state store: $name', ({ create, missing }) => {
  beforeEach((context) => skipWithout(context, missing));
  const open: Subject<Store>[] = [];
  const subject = async (windowSegments = 3): Promise<Subject<Store>> => {
    const made = await create({ windowSegments });
    open.push(made);
    return made;
  };
  afterEach(async () => {
    for (const made of open.splice(0)) await made.dispose();
  });

  it('begins without watermark and streams', async () => {
    const store = (await subject()).value;
    expect(await store.open()).toBeUndefined();
    expect((await store.load(['a'])).states).toEqual([undefined]);
    expect(await store.list(undefined, 10)).toEqual({ ids: [], cursor: undefined });
    expect(await store.read(['a'])).toEqual([new Float64Array(0)]);
  });

  it('writes only if the watermark is the expected one, in all its parts', async () => {
    const store = (await subject()).value;
    await store.open();
    const first = { ...mark(5, 'digest'), time: 1_700_000_000_000 };
    const change = { id: 'a', state: { length: 3, fill: 1 } };
    await expect(store.commit(changesOf(mark(0), first, [change]))).rejects.toMatchObject({
      code: 'WATERMARK_MISMATCH',
    });
    await store.commit(changesOf(undefined, first, [change]));
    const other = { id: 'a', state: { length: 3, fill: 9 } };
    for (const wrong of [
      undefined,
      { ...first, offset: 4 },
      { ...first, model: null },
      { ...first, model: 'x' },
      { ...first, layout: 'v2' },
      { ...first, time: 1 },
      mark(5, 'digest'),
    ])
      await expect(store.commit(changesOf(wrong, mark(6), [other]))).rejects.toMatchObject({
        code: 'WATERMARK_MISMATCH',
      });
    expect((await store.load(['a'])).states[0]).toEqual(Uint8Array.of(1, 2, 3));
    expect(await store.open()).toEqual(first);
    await store.commit(changesOf(first, mark(6), [other]));
    expect((await store.load(['a'])).states[0]).toEqual(Uint8Array.of(9, 10, 11));
  });

  it('removes streams under a watermark that stays', async () => {
    const store = (await subject()).value;
    await store.open();
    const state = { length: 1, fill: 5 };
    const both = ['a', 'b'].map((id) => ({ id, state }));
    await store.commit(changesOf(undefined, mark(1), both));
    const { handles } = await store.load(['b']);
    await store.commit(changesOf(mark(1), mark(1), [{ id: 'b', state: null, handle: handles[0] }]));
    expect(await store.open()).toEqual(mark(1));
    expect(await listed(store, 10)).toEqual(['a']);
    await store.commit(changesOf(mark(1), mark(2), [{ id: 'a', state }]));
  });

  it('keeps handles apart and stable', async () => {
    const store = (await subject()).value;
    await store.open();
    const { handles } = await store.load(['a', 'b', 'c', 'a']);
    expect(handles[0]).toBe(handles[3]);
    expect(new Set(handles).size).toBe(3);
    expect(handles.every((h) => h >= 0)).toBe(true);
    await store.commit(changesOf(undefined, mark(1), [{ id: 'b', state: { length: 1, fill: 5 }, handle: handles[1] }]));
    expect(await store.load(['b', 'a'])).toEqual({
      handles: Int32Array.of(handles[1], handles[0]),
      states: [Uint8Array.of(5), undefined],
    });
  });

  it('gives no handle, where only stored streams are asked for, to an id without a state', async () => {
    const store = (await subject()).value;
    await store.open();
    const state = { length: 1, fill: 5 };
    await store.commit(changesOf(undefined, mark(1), [{ id: 'a', state }]));
    const { handles } = await store.load(['a']);
    await store.load(['ghost']);
    for (const ghost of ['ghost', 'another'])
      expect(await store.load([ghost, 'a'], { storedOnly: true })).toEqual({
        handles: Int32Array.of(-1, handles[0]),
        states: [undefined, Uint8Array.of(5)],
      });
    await store.commit(changesOf(mark(1), mark(2), [{ id: 'a', state: null }]));
    expect((await store.load(['a'], { storedOnly: true })).handles).toEqual(Int32Array.of(-1));
    await store.commit(changesOf(mark(2), mark(3), [{ id: 'ghost', state, handle: -1 }]));
    expect((await store.load(['ghost'], { storedOnly: true })).states).toEqual([Uint8Array.of(5)]);
  });

  it('lets the caller use its arrays again after a commit', async () => {
    const store = (await subject()).value;
    await store.open();
    const changes = changesOf(undefined, mark(1), [{ id: 'a', state: { length: 2, fill: 1 }, segments: [0] }]);
    await store.commit(changes);
    changes.bytes.fill(0);
    changes.segments.rows.fill(0);
    expect((await store.load(['a'])).states[0]).toEqual(Uint8Array.of(1, 2));
    expect(Array.from((await store.read(['a']))[0])).toEqual(rowsOf('a', 0));
  });

  it('keeps the youngest segments of a window and drops them with the stream', async () => {
    const store = (await subject(3)).value;
    await store.open();
    const state = { length: 1, fill: 0 };
    await store.commit(changesOf(undefined, mark(1), [{ id: 'a', state, segments: [0, 1] }]));
    await store.commit(changesOf(mark(1), mark(2), [{ id: 'a', state, segments: [2, 3, 4] }]));
    expect(Array.from((await store.read(['a']))[0])).toEqual([2, 3, 4].flatMap((k) => rowsOf('a', k)));
    await store.commit(changesOf(mark(2), mark(3), [{ id: 'a', state: null }]));
    expect((await store.read(['a']))[0]).toHaveLength(0);
    await store.commit(changesOf(mark(3), mark(4), [{ id: 'a', state, segments: [0] }]));
    expect(Array.from((await store.read(['a']))[0])).toEqual(rowsOf('a', 0));
  });

  it('takes any string as an id', async () => {
    const made = await subject();
    await made.value.open();
    const ids = ['', ' ', 'ü', 'ÿĀ', '\u{1f30a}', '\ud800', '__proto__', 'x'.repeat(3000), 'a\0b'];
    await made.value.commit(
      changesOf(
        undefined,
        mark(1),
        ids.map((id, i) => ({ id, state: { length: i, fill: i } })),
      ),
    );
    const store = await made.restart();
    await store.open();
    expect((await store.load(ids)).states).toEqual(ids.map((_, i) => stateBytes({ length: i, fill: i })));
    expect((await listed(store, 2)).sort()).toEqual([...ids].sort());
  });

  it('holds offsets beyond 2^31', async () => {
    const made = await subject();
    await made.value.open();
    await made.value.commit(changesOf(undefined, mark(2 ** 40 + 1), []));
    const store = await made.restart();
    expect(await store.open()).toEqual(mark(2 ** 40 + 1));
  });

  it('behaves like a map, whatever is done to it and whenever it restarts', async () => {
    const id = fc.nat(11).map((k) => `stream-${k}`);
    const change = fc.record({
      id,
      state: fc.option(fc.record({ length: fc.nat(300), fill: fc.nat(255) }), { freq: 5 }),
      segments: fc.nat(2),
      useHandle: fc.boolean(),
    });
    const command = fc.oneof(
      { weight: 6, arbitrary: fc.record({ commit: fc.uniqueArray(change, { selector: (c) => c.id, maxLength: 8 }) }) },
      { weight: 1, arbitrary: fc.record({ stale: fc.array(change, { maxLength: 3 }) }) },
      { weight: 1, arbitrary: fc.record({ restart: fc.constant(true) }) },
    );
    const SEGMENTS = 3;
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 80 }), async (commands) => {
        const made = await create({ windowSegments: SEGMENTS });
        let store = made.value;
        let watermark = await store.open();
        const states = new Map<string, Uint8Array>();
        const windows = new Map<string, number>();
        const handles = new Map<string, number>();
        for (const [step, c] of commands.entries()) {
          if ('commit' in c) {
            const changes = c.commit.map((one): Change => {
              const next = windows.get(one.id) ?? 0;
              const segments = one.state === null ? [] : Array.from({ length: one.segments }, (_, k) => next + k);
              return { ...one, segments, handle: one.useHandle ? (handles.get(one.id) ?? 0) : 0 };
            });
            const next = mark(step + 1, step % 5 === 0 ? null : `m${step % 3}`);
            await store.commit(changesOf(watermark, next, changes));
            watermark = next;
            for (const { id, state, segments } of changes) {
              if (state === null) {
                states.delete(id);
                windows.delete(id);
              } else {
                states.set(id, stateBytes(state));
                windows.set(id, (windows.get(id) ?? 0) + segments!.length);
              }
            }
          } else if ('stale' in c) {
            const changes = c.stale.map((one): Change => ({ id: one.id, state: one.state }));
            await expect(store.commit(changesOf(mark(-1), mark(0), changes))).rejects.toMatchObject({
              code: 'WATERMARK_MISMATCH',
            });
          } else {
            store = await made.restart();
            handles.clear();
            expect(await store.open()).toEqual(watermark);
          }
          const ids = Array.from({ length: 12 }, (_, k) => `stream-${k}`);
          const loaded = await store.load(ids);
          expect(loaded.states).toEqual(ids.map((one) => states.get(one)));
          ids.forEach((one, i) => handles.set(one, loaded.handles[i]));
          expect(new Set(loaded.handles).size).toBe(ids.length);
          expect((await listed(store, 5)).sort()).toEqual([...states.keys()].sort());
          const rows = await store.read(ids);
          ids.forEach((one, i) => {
            const next = windows.get(one) ?? 0;
            const from = Math.max(0, next - SEGMENTS);
            const expected = Array.from({ length: next - from }, (_, k) => rowsOf(one, from + k)).flat();
            expect(Array.from(rows[i])).toEqual(expected);
          });
        }
        await made.dispose();
      }),
      { numRuns: 100 },
    );
  });
});
