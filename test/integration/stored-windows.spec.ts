/** Windows read out of Redis while their owner writes: each is a whole piece of its stream's history, without a gap and without a row twice. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SEGMENT_ROWS } from '#domain/ports';
import { DEFAULT_PIPELINE } from '#domain/pipeline-spec';
import { MemoryTickLog } from '#adapters/memory/memory-tick-log';
import { connectRedis, type RedisClient } from '#adapters/redis/redis-client';
import { RedisStateStore } from '#adapters/redis/redis-state-store';
import { Pipeline } from '#pipeline/pipeline';
import { StoredWindows } from '#pipeline/stored-windows';
import { recordsOf } from '../support/pipelines.js';
import { forget } from '../support/redis-server.js';
import { describeWithServers, redisUrl, uniqueName } from '../support/servers/use.js';

const SEGMENTS = 4;
const STREAMS = Array.from({ length: 40 }, (_, s) => `s${s}`);

await describeWithServers(['redis'], 'stored windows', () => {
  let app: string;
  let client: RedisClient;
  const store = (): RedisStateStore =>
    new RedisStateStore(client, { app, topic: 'ticks', partition: 0, windowSegments: SEGMENTS });
  beforeEach(async () => {
    app = uniqueName('stored');
    client = await connectRedis({ url: await redisUrl() });
  });
  afterEach(() => forget(client, app));

  const peek = async (reader: RedisStateStore, ids: readonly string[]): Promise<Map<string, number[]>> => {
    const windows = new StoredWindows(1);
    const found = new Map<string, number[]>();
    (await reader.peek(ids)).forEach(({ state, rows }, k) => {
      if (state === undefined) return;
      const window = windows.window(ids[k], state, rows);
      found.set(
        ids[k],
        Array.from(window).filter((_, i) => i % 2 === 1),
      );
    });
    return found;
  };

  it('are in step with their states while their owner writes, and leave it alone', async () => {
    const log = new MemoryTickLog({ retain: true });
    const states = store();
    const pipeline = await Pipeline.open(
      DEFAULT_PIPELINE,
      { log, states, windows: states },
      () => Promise.reject(new Error('no model')),
      { saveAfterRecords: 1, hotStreams: 64, maxBatch: 256 },
    );
    const reader = store();
    await reader.open();
    expect((await peek(reader, ['nobody'])).size).toBe(0);
    let rounds = 0;
    let writing = true;
    const write = async (): Promise<void> => {
      // The k-th value of every stream is k; odd counts of them a batch, so that segments fill at different times.
      const next = new Map(STREAMS.map((id) => [id, 0]));
      for (let batch = 0; batch < 150; batch++) {
        const ticks = STREAMS.flatMap((stream, s) =>
          Array.from({ length: 1 + ((batch + s) % 3) }, () => {
            const value = next.get(stream)!;
            next.set(stream, value + 1);
            return { stream, ts: 1_700_000_000_000 + value, value };
          }),
        );
        await log.append(recordsOf(ticks));
        for (let taken = 0; taken < ticks.length;) taken += (await pipeline.next())!.outcomes.records.count;
      }
      writing = false;
    };
    const read = async (): Promise<void> => {
      let newest = new Map<string, number>();
      while (writing) {
        const windows = await peek(reader, STREAMS);
        const seen = new Map<string, number>();
        for (const [id, values] of windows) {
          expect(values).toEqual(values.map((_, i) => values[0] + i));
          const last = values.at(-1)!;
          expect(values.length).toBeGreaterThanOrEqual(Math.min(last + 1, SEGMENTS * SEGMENT_ROWS));
          expect(last).toBeGreaterThanOrEqual(newest.get(id) ?? 0);
          seen.set(id, last);
        }
        newest = seen;
        rounds += 1;
      }
    };
    await Promise.all([write(), read()]);
    expect(rounds).toBeGreaterThan(3);
    // And at rest they are what the owner itself sees.
    await pipeline.flush();
    const windows = await peek(reader, STREAMS);
    for (const id of STREAMS.slice(0, 5)) {
      const own = Array.from(await pipeline.window(id)).filter((_, i) => i % 2 === 1);
      expect(windows.get(id)).toEqual(own);
    }
  });

  it('end where a reset has cut them', async () => {
    const log = new MemoryTickLog({ retain: true });
    const states = store();
    const pipeline = await Pipeline.open(
      DEFAULT_PIPELINE,
      { log, states, windows: states },
      () => Promise.reject(new Error('no model')),
      { hotStreams: 64 },
    );
    const ticks = (from: number, to: number): { stream: string; ts: number; value: number }[] =>
      Array.from({ length: to - from }, (_, i) => ({ stream: 'a', ts: from + i + 1_700_000_000_000, value: from + i }));
    await log.append(recordsOf([...ticks(0, 40), { stream: 'a', control: 'reset' }, ...ticks(100, 121)]));
    for (let taken = 0; taken < 62;) taken += (await pipeline.next())!.outcomes.records.count;
    await pipeline.flush();
    const reader = store();
    await reader.open();
    const values = (await peek(reader, ['a'])).get('a')!;
    expect(values).toEqual(Array.from({ length: 21 }, (_, i) => 100 + i));
  });
});
