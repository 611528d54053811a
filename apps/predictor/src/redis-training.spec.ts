import { afterEach, beforeEach, expect, it } from 'vitest';
import { MemoryTickLog } from '#adapters/memory/memory-tick-log';
import { connectRedis, type RedisClient } from '#adapters/redis/redis-client';
import { RedisModelRegistry } from '#adapters/redis/redis-model-registry';
import { RedisStateStore } from '#adapters/redis/redis-state-store';
import { DEFAULT_PIPELINE, type PipelineSpec } from '#domain/pipeline-spec';
import { Pipeline } from '#pipeline/pipeline';
import { recordsOf } from '../../../test/support/pipelines.js';
import { forget } from '../../../test/support/redis-server.js';
import { describeWithServers, redisUrl, uniqueName } from '../../../test/support/servers/use.js';
import { RedisTrainingSource } from './redis-training.js';

const spec: PipelineSpec = { ...DEFAULT_PIPELINE, topics: ['day', 'night'], window: 64 };
const never = new AbortController().signal;

await describeWithServers(['redis'], 'windows to train on out of Redis', () => {
  let app: string;
  let client: RedisClient;
  beforeEach(async () => {
    app = uniqueName('training');
    client = await connectRedis({ url: await redisUrl() });
  });
  afterEach(() => forget(client, app));

  const sourceOf = (changes: Partial<PipelineSpec> = {}): RedisTrainingSource =>
    new RedisTrainingSource(
      { ...spec, ...changes },
      app,
      () => client,
      new RedisModelRegistry(client, { app }),
      () => Promise.resolve(undefined),
    );
  /** `streams` streams of `rows` rows each, whose values name the partition, as a predictor leaves them. */
  const leave = async (topic: string, partition: number, streams: number, rows: number): Promise<void> => {
    const states = new RedisStateStore(client, { app, topic, partition, windowSegments: 4 });
    const log = new MemoryTickLog();
    const pipeline = await Pipeline.open(
      spec,
      { log, states, windows: states },
      () => Promise.reject(new Error('no model')),
      { hotStreams: 1024 },
    );
    if (streams === 0) return;
    const ticks = Array.from({ length: rows }, (_, k) =>
      Array.from({ length: streams }, (_, s) => ({ stream: `${partition}-${s}`, ts: 1e12 + k, value: partition })),
    ).flat();
    await log.append(recordsOf(ticks));
    for (let taken = 0; taken < ticks.length;) taken += (await pipeline.next())!.outcomes.records.count;
    await pipeline.flush();
  };
  const partitionsOf = (windows: readonly Float64Array[]): number[] =>
    [...new Set(windows.map((window) => window[1]))].sort((a, b) => a - b);

  it('come from all partitions of all topics, whichever of them there are', async () => {
    await leave('day', 0, 3, 60);
    await leave('day', 1, 0, 0);
    await leave('day', 5, 2, 60);
    await leave('day', 70, 2, 100);
    await leave('night', 3, 1, 60);
    const windows = await sourceOf().windows({ streams: 100, minRows: 48 }, never);
    expect(windows).toHaveLength(8);
    expect(partitionsOf(windows)).toEqual([0, 3, 5, 70]);
    // Four segments, and what is younger.
    expect(windows.filter((window) => window[1] === 70).map((window) => window.length / 2)).toEqual([68, 68]);
    expect(await sourceOf({ topics: ['dusk'] }).windows({ streams: 100, minRows: 48 }, never)).toEqual([]);
  });

  it('are of the streams that have enough rows, and no more than are wanted, of each partition its share', async () => {
    await leave('day', 0, 60, 50);
    await leave('day', 1, 60, 50);
    await leave('day', 2, 60, 20);
    const windows = await sourceOf().windows({ streams: 40, minRows: 48 }, never);
    expect(windows).toHaveLength(40);
    expect(partitionsOf(windows)).toEqual([0, 1]);
    expect(await sourceOf().windows({ streams: 1000, minRows: 48 }, never)).toHaveLength(120);
    expect(await sourceOf().windows({ streams: 40, minRows: 48 }, AbortSignal.abort())).toEqual([]);
  });

  it('are refused under another layout', async () => {
    await leave('day', 0, 1, 60);
    const windows = sourceOf({ inputs: ['load'] }).windows({ streams: 10, minRows: 48 }, never);
    await expect(windows).rejects.toMatchObject({ code: 'STATE_LAYOUT' });
  });
});
