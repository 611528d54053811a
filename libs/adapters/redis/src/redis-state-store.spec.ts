/** What only a store on a server can get wrong: lost keys, old snapshots, other writers, lost replies. */
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Watermark } from '#domain/ports';
import { plainChanges, type PlainChange } from '../../../../test/support/changes.js';
import {
  NO_REDIS,
  connectToRedis,
  forget,
  ownApp,
  redisUrl,
  skipWithout,
} from '../../../../test/support/redis-server.js';
import { LossyProxy } from '../../../../test/support/lossy-proxy.js';
import { PartitionKeys } from './keys.js';
import { connectRedis, type RedisClient } from './redis-client.js';
import { RedisStateStore, type RedisStateStoreOptions } from './redis-state-store.js';

const url = await redisUrl();
const mark = (offset: number): Watermark => ({ offset, model: 'digest', layout: 'v1' });
const state = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const text = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString();
const set = (id: string, value: string): PlainChange => ({ id, state: state(value) });
const many = (count: number, value: string): PlainChange[] =>
  Array.from({ length: count }, (_, i) => set(`stream-${i}`, `${value}-${i}`));

describe('states in redis', () => {
  let app: string;
  let client: RedisClient;
  let keys: PartitionKeys;
  beforeEach(async (context) => {
    skipWithout(context, url === undefined ? NO_REDIS : undefined);
    app = ownApp();
    client = await connectToRedis();
    keys = new PartitionKeys(app, 'ticks', 3);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    if (url !== undefined) await forget(client, app);
  });

  const storeOn = (on: RedisClient, options: Partial<RedisStateStoreOptions> = {}): RedisStateStore =>
    new RedisStateStore(on, { app, topic: 'ticks', partition: 3, windowSegments: 3, ...options });
  const opened = async (on = client, options: Partial<RedisStateStoreOptions> = {}): Promise<RedisStateStore> => {
    const store = storeOn(on, options);
    await store.open();
    return store;
  };
  const all = async (store: RedisStateStore): Promise<string[]> => (await store.list(undefined, 100_000)).ids;
  const hashes = async (pattern: string): Promise<string[]> => {
    const found = (await client.call('KEYS', [`{${app}:*${pattern}`])) as Buffer[];
    return found.map(String);
  };

  describe('copies for a checkpoint', () => {
    /** A state of 40 bytes whose offset is where it belongs. */
    const at = (id: string, offset: number): PlainChange => {
      const bytes = new Uint8Array(40);
      new DataView(bytes.buffer).setFloat64(16, offset, true);
      return { id, state: bytes };
    };
    const copied = async (store: RedisStateStore, since = -1): Promise<string[]> => {
      const ids: string[] = [];
      for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
        const page = await store.changedSince(since, cursor);
        ids.push(...page.ids);
        cursor = page.cursor;
      }
      return ids.sort();
    };
    const filled = async (options: Partial<RedisStateStoreOptions> = {}): Promise<RedisStateStore> => {
      const store = await opened(client, options);
      const changes = Array.from({ length: 50 }, (_, i) => at(`s${10 + i}`, i));
      await store.commit(plainChanges(undefined, mark(50), changes));
      return store;
    };

    it('are those of its own state, also while it commits', async () => {
      const store = await filled({ streamsPerScript: 5 });
      expect(await copied(store, 45)).toEqual(['s55', 's56', 's57', 's58', 's59']);
      const changes = Array.from({ length: 50 }, (_, i) => at(`s${10 + i}`, 50 + i));
      const committing = store.commit(plainChanges(mark(50), mark(100), changes));
      const rounds = await Promise.all(Array.from({ length: 5 }, () => copied(store)));
      await committing;
      for (const ids of [...rounds, await copied(store, 50)]) expect(ids).toHaveLength(50);
      expect(await copied(await opened())).toHaveLength(50);
    });

    it('are refused where a bucket, the counts, or everything is gone', async () => {
      const store = await filled();
      const [bucket] = await hashes(':s:*');
      const kept = (await client.call('DUMP', [bucket])) as Buffer;
      await client.call('UNLINK', [bucket]);
      await expect(copied(store)).rejects.toMatchObject({ code: 'STATE_LOST' });
      await client.call('RESTORE', [bucket, '0', kept]);
      expect(await copied(store)).toHaveLength(50);
      await client.call('UNLINK', [keys.counts]);
      await expect(copied(store)).rejects.toMatchObject({ code: 'STATE_LOST' });
      await client.call('UNLINK', [keys.watermark]);
      await expect(copied(store)).rejects.toMatchObject({ code: 'WATERMARK_MISMATCH' });
    });

    it('are refused where everything is gone before a store that was just opened has written', async () => {
      await filled();
      const store = await opened();
      expect(await copied(store)).toHaveLength(50);
      await client.call('UNLINK', await hashes(''));
      await expect(copied(store)).rejects.toMatchObject({ code: 'WATERMARK_MISMATCH' });
    });

    it('are refused where an older copy was put back, or another has written', async () => {
      const store = await filled();
      const all = await hashes('');
      const dumps = await Promise.all(all.map((key) => client.call('DUMP', [key])));
      await store.commit(plainChanges(mark(50), mark(60), [at('s10', 55)]));
      await client.call('UNLINK', await hashes(''));
      for (const [i, key] of all.entries()) await client.call('RESTORE', [key, '0', dumps[i] as Buffer]);
      await expect(copied(store)).rejects.toMatchObject({ code: 'WATERMARK_MISMATCH' });
      const other = await opened();
      expect(await copied(other)).toHaveLength(50);
      await other.commit(plainChanges(mark(50), mark(61), [at('s10', 55)]));
      await expect(copied(store)).rejects.toMatchObject({ code: 'WATERMARK_MISMATCH' });
    });
  });

  it('sees that a bucket is lost, wherever its streams are asked for', async () => {
    const store = await opened();
    await store.commit(plainChanges(undefined, mark(1), many(50, 'a')));
    const [lost] = await hashes(':s:*');
    const gone = ((await client.call('HKEYS', [lost])) as Buffer[]).map((field) => field.subarray(1).toString());
    await client.call('UNLINK', [lost]);
    await expect(store.load(gone)).rejects.toMatchObject({ code: 'STATE_LOST' });
    const kept = (await all(await opened())).find((id) => !gone.includes(id))!;
    expect(text((await store.load([kept])).states[0])).toMatch(/^a-/);
    // Writing into the hole does not hide it, nor does removing what was in it.
    await store.commit(plainChanges(mark(1), mark(2), [set(gone[0], 'b')]));
    await expect(store.load([gone[0]])).rejects.toMatchObject({ code: 'STATE_LOST' });
    await store.commit(plainChanges(mark(2), mark(3), [{ id: gone[0], state: null }]));
    await expect((await opened()).load([gone[0]])).rejects.toMatchObject({ code: 'STATE_LOST' });
  });

  it('sees that the counts, all states, or the segments of a bucket are lost', async () => {
    const store = await opened();
    const segments = [{ sequence: 0, fill: 1 }];
    await store.commit(plainChanges(undefined, mark(1), [{ id: 'a', state: state('1'), segments }]));
    await client.call('UNLINK', await hashes(':x:*'));
    await expect(store.read(['a'])).rejects.toMatchObject({ code: 'STATE_LOST' });
    await client.call('UNLINK', [keys.counts]);
    await expect(store.load(['a'])).rejects.toMatchObject({ code: 'STATE_LOST' });
    await client.call('UNLINK', await hashes(':s:*'));
    await expect(store.load(['a'])).rejects.toMatchObject({ code: 'STATE_LOST' });
  });

  it('does not take states without a watermark for a fresh store', async () => {
    const store = await opened();
    await store.commit(plainChanges(undefined, mark(1), [set('a', '1')]));
    await client.call('UNLINK', [keys.watermark]);
    const again = await opened();
    await expect(again.load(['a'])).rejects.toMatchObject({ code: 'STATE_LOST' });
    await expect(again.commit(plainChanges(undefined, mark(1), []))).rejects.toMatchObject({ code: 'STATE_LOST' });
  });

  it('refuses to load and write once an older snapshot is put back', async () => {
    const store = await opened();
    await store.commit(plainChanges(undefined, mark(1), [set('a', '1')]));
    const dumps = new Map<string, Buffer>();
    for (const key of await hashes('')) dumps.set(key, (await client.call('DUMP', [key])) as Buffer);
    await store.commit(plainChanges(mark(1), mark(2), [set('a', '2')]));
    for (const [key, dump] of dumps) await client.call('RESTORE', [key, '0', dump, 'REPLACE']);
    await expect(store.load(['a'])).rejects.toMatchObject({ code: 'WATERMARK_MISMATCH' });
    await expect(store.read(['a'])).rejects.toMatchObject({ code: 'WATERMARK_MISMATCH' });
    await expect(store.commit(plainChanges(mark(2), mark(3), []))).rejects.toMatchObject({
      code: 'WATERMARK_MISMATCH',
    });
    expect(await store.open()).toEqual(mark(1));
    expect(text((await store.load(['a'])).states[0])).toBe('1');
  });

  it('refuses a zombie, even one that would set the very same watermark', async () => {
    const zombie = await opened();
    const owner = await opened();
    await owner.commit(plainChanges(undefined, mark(1), [set('a', 'owner')]));
    for (const changes of [
      plainChanges(undefined, mark(1), [set('a', 'zombie')]),
      plainChanges(undefined, mark(9), []),
    ])
      await expect(zombie.commit(changes)).rejects.toMatchObject({ code: 'WATERMARK_MISMATCH' });
    await expect(zombie.load(['a'])).rejects.toMatchObject({ code: 'WATERMARK_MISMATCH' });
    // The watermark is as the zombie believes, but not by its own commit.
    await zombie.open();
    await owner.commit(plainChanges(mark(1), mark(1), [set('a', 'owner again')]));
    await expect(zombie.commit(plainChanges(mark(1), mark(2), []))).rejects.toMatchObject({
      code: 'WATERMARK_MISMATCH',
    });
    expect(text((await owner.load(['a'])).states[0])).toBe('owner again');
  });

  it('goes on when Redis forgets the scripts', async () => {
    const store = await opened();
    await store.commit(plainChanges(undefined, mark(1), [set('a', '1')]));
    await client.call('SCRIPT', ['FLUSH']);
    await store.commit(plainChanges(mark(1), mark(2), [set('a', '2')]));
    await client.call('SCRIPT', ['FLUSH']);
    expect(text((await store.load(['a'])).states[0])).toBe('2');
  });

  it('takes its own commit for done when the reply is lost', async () => {
    const { hostname, port } = new URL(url!);
    const proxy = await LossyProxy.start({ host: hostname, port: Number(port) });
    const shaky = await connectRedis({ url: `redis://127.0.0.1:${proxy.port}` });
    try {
      const store = await opened(shaky, { streamsPerScript: 2 });
      await store.commit(plainChanges(undefined, mark(1), many(5, 'a')));
      // Each chunk in turn loses its reply; none is written twice, and W moves once.
      for (let round = 0; round < 3; round++) {
        let chunk = 0;
        const lost = proxy.loseReply((request) => request.includes('EVAL') && chunk++ === round);
        const segments = [{ sequence: round, fill: round }];
        const changes = [...many(4, `b${round}`), { id: `new-${round}`, state: state('x'), segments }];
        await store.commit(plainChanges(mark(round + 1), mark(round + 2), changes));
        await lost;
        expect(await storeOn(client).open()).toEqual(mark(round + 2));
        expect(text((await store.load(['stream-3'])).states[0])).toBe(`b${round}-3`);
      }
      expect((await all(store)).length).toBe(8);
      expect((await store.read(['new-2']))[0]).toEqual(new Float64Array(16).fill(2));
    } finally {
      await shaky.close();
      await proxy.refuse();
    }
  });

  it('leaves W where it was when it is killed between the chunks of a commit', async () => {
    const options = { streamsPerScript: 10 };
    const dying = await opened(client, options);
    await dying.commit(plainChanges(undefined, mark(1), many(30, 'old')));
    const run = client.run.bind(client);
    let scripts = 0;
    vi.spyOn(client, 'run').mockImplementation((...call) =>
      ++scripts > 2 ? Promise.reject(new Error('killed')) : run(...call),
    );
    await expect(dying.commit(plainChanges(mark(1), mark(2), many(30, 'new')))).rejects.toThrow('killed');
    vi.restoreAllMocks();
    const heir = storeOn(client, options);
    expect(await heir.open()).toEqual(mark(1));
    const { states } = await heir.load(many(30, '').map(({ id }) => id));
    expect(states.filter((bytes) => text(bytes)!.startsWith('new'))).toHaveLength(20);
    expect(states.filter((bytes) => text(bytes)!.startsWith('old'))).toHaveLength(10);
    // The heir claims the partition with its first chunk: what the dead one left does not stop it, and is stopped itself.
    await heir.commit(plainChanges(mark(1), mark(2), many(30, 'heir')));
    await expect(dying.commit(plainChanges(mark(1), mark(2), many(30, 'new')))).rejects.toMatchObject({
      code: 'WATERMARK_MISMATCH',
    });
    expect((await heir.load(['stream-7', 'stream-29'])).states.map(text)).toEqual(['heir-7', 'heir-29']);
    expect((await all(heir)).length).toBe(30);
  });

  it('keeps other writers out from the first chunk to the last', async () => {
    const owner = await opened(client, { streamsPerScript: 10 });
    const zombie = await opened(client, { streamsPerScript: 10 });
    const run = client.run.bind(client);
    let busy = false;
    const refused: unknown[] = [];
    vi.spyOn(client, 'run').mockImplementation(async (...call) => {
      const reply = await run(...call);
      if (busy) return reply;
      busy = true;
      refused.push(await zombie.commit(plainChanges(undefined, mark(1), many(30, 'zombie'))).catch((e: unknown) => e));
      refused.push(await zombie.load(['stream-0']).catch((e: unknown) => e));
      busy = false;
      return reply;
    });
    await owner.commit(plainChanges(undefined, mark(1), many(30, 'owner')));
    vi.restoreAllMocks();
    expect(refused).toHaveLength(6);
    for (const error of refused) expect(error).toMatchObject({ code: 'WATERMARK_MISMATCH' });
    const { states } = await owner.load(many(30, '').map(({ id }) => id));
    expect(states.every((bytes) => text(bytes)!.startsWith('owner'))).toBe(true);
  });

  it('writes, loads and lists 5,000 states', async () => {
    const store = await opened();
    const changes = many(5_000, 'x'.repeat(500));
    await store.commit(plainChanges(undefined, mark(1), changes));
    const ids = changes.map(({ id }) => id).concat('unknown');
    const { states } = await store.load(ids);
    expect(states.map(text)).toEqual([...changes.map(({ state }) => text(state!)), undefined]);
    expect((await all(store)).sort()).toEqual(changes.map(({ id }) => id).sort());
    await store.commit(
      plainChanges(
        mark(1),
        mark(2),
        changes.map(({ id }) => ({ id, state: null })),
      ),
    );
    expect(await all(store)).toEqual([]);
    expect((await store.load(ids)).states.every((bytes) => bytes === undefined)).toBe(true);
    // Empty hashes are gone; nothing but watermark and counts is left.
    expect((await hashes('')).sort()).toEqual([keys.counts, keys.watermark].sort());
  });

  it('keeps ids apart that look like each other, or like its own fields', async () => {
    const ids = [
      'a',
      'a\0',
      'a\x000',
      'a\x001',
      '\0',
      '',
      'ua',
      'ü',
      'u\u0308',
      '\ud800',
      '\ufffd',
      'x'.repeat(70_000),
    ];
    const store = await opened();
    const changes = ids.map((id, i) => ({ id, state: state(`${i}`), segments: [{ sequence: 0, fill: i }] }));
    await store.commit(plainChanges(undefined, mark(1), changes));
    await store.commit(plainChanges(mark(1), mark(2), [{ id: 'a', state: null }]));
    expect((await store.load(ids)).states.map(text)).toEqual(ids.map((_, i) => (i === 0 ? undefined : `${i}`)));
    expect((await store.read(ids)).map((rows) => rows[0])).toEqual(ids.map((_, i) => (i === 0 ? undefined : i)));
  });

  it('follows windowSegments in both directions and leaves nothing behind', async () => {
    let at = 0;
    const write = async (windowSegments: number, ...sequences: number[]): Promise<number[]> => {
      const store = await opened(client, { windowSegments });
      const segments = sequences.map((sequence) => ({ sequence, fill: sequence }));
      const expected = await store.open();
      await store.commit(plainChanges(expected, mark(++at), [{ id: 'a', state: state('1'), segments }]));
      const [rows] = await store.read(['a']);
      return Array.from({ length: rows.length / 16 }, (_, k) => rows[16 * k]);
    };
    const fields = async (): Promise<number> => (await client.call('HLEN', await hashes(':x:*'))) as number;
    expect(await write(4, 0, 1, 2, 3)).toEqual([0, 1, 2, 3]);
    // Smaller: at once for the reader, with the stream's next segment in the store.
    expect(await write(2)).toEqual([2, 3]);
    expect(await write(2, 4)).toEqual([3, 4]);
    expect(await fields()).toBe(3);
    expect(await write(5, 5, 6)).toEqual([3, 4, 5, 6]);
    expect(await write(5, 7, 8)).toEqual([4, 5, 6, 7, 8]);
    expect(await fields()).toBe(6);
    // A part of the log gone through again, and a gap: the window ends with what was written last, and has no holes.
    expect(await write(5, 7)).toEqual([4, 5, 6, 7]);
    expect(await write(5, 12, 13)).toEqual([12, 13]);
    expect(await fields()).toBe(3);
    expect(await write(0, 14)).toEqual([]);
    expect(await fields()).toBe(1);
  });

  it('lists pages in a stable order whatever the limit', async () => {
    const store = await opened();
    await store.commit(plainChanges(undefined, mark(1), many(700, 'a')));
    const whole = await all(store);
    for (const limit of [1, 7, 350, 700]) {
      const ids: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.list(cursor, limit);
        ids.push(...page.ids);
        cursor = page.cursor;
      } while (cursor !== undefined && ids.length < 60);
      expect(ids).toEqual(whole.slice(0, ids.length));
    }
    await expect(store.list('nonsense', 1)).rejects.toMatchObject({ code: 'CURSOR' });
  });

  it('lets a reader that never opened it read windows while a writer writes', async () => {
    const writer = await opened();
    const segments = [{ sequence: 0, fill: 4 }];
    await writer.commit(plainChanges(undefined, mark(1), [{ id: 'a', state: state('1'), segments }]));
    const reader = storeOn(client);
    await writer.commit(plainChanges(mark(1), mark(2), []));
    expect((await reader.read(['a', 'b'])).map((rows) => rows.length)).toEqual([16, 0]);
    await expect(reader.load(['a'])).rejects.toMatchObject({ code: 'STATE_CLOSED' });
  });

  it('touches no key that it has not declared', async () => {
    const monitor = await new Redis(url!).monitor();
    const declared = new Set<string>();
    const touched = new Set<string>();
    let marker = false;
    monitor.on('monitor', (_time: string, args: string[], source: string) => {
      if (args[0] === 'ECHO' && args[1] === app) marker = true;
      if (/^EVAL/i.test(args[0])) for (const key of args.slice(3, 3 + Number(args[2]))) declared.add(key);
      if (source === 'lua' && args[1]?.startsWith(`{${app}:`)) touched.add(args[1]);
    });
    const store = await opened();
    const segments = [{ sequence: 0, fill: 1 }];
    const changes = many(20, 'a').map((change) => ({ ...change, segments }));
    await store.commit(plainChanges(undefined, mark(1), changes));
    await store.commit(plainChanges(mark(1), mark(2), [{ id: 'stream-1', state: null }]));
    await store.load(['stream-0', 'stream-1']);
    await store.read(['stream-0', 'stream-1']);
    await client.call('ECHO', [app]);
    await vi.waitFor(() => expect(marker).toBe(true));
    monitor.disconnect();
    expect(touched.size).toBeGreaterThan(10);
    expect([...touched].filter((key) => !declared.has(key))).toEqual([]);
  });
});
