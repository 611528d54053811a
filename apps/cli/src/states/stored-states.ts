/** States as they lie in Redis, partition after partition. Nothing is claimed: the service may go on beside it. */
import type { TopicReader } from '#adapters/kafka/topic-reader';
import type { RedisClient } from '#adapters/redis/redis-client';
import { RedisStateStore } from '#adapters/redis/redis-state-store';
import type { Config, PipelineConfig } from '#config/config';
import { RiverrunError } from '#domain/errors';
import { SEGMENT_ROWS, type Watermark } from '#domain/ports';

export interface StatePartition {
  readonly pipeline: PipelineConfig;
  readonly topic: string;
  readonly partition: number;
  /** Partitions of the topic. */
  readonly count: number;
  readonly store: RedisStateStore;
}

export interface StoredStream {
  readonly id: string;
  readonly state: Uint8Array;
}

/** So often a page is read again because the service has saved meanwhile. */
const TRIES = 50;

export async function statePartitions(
  config: Config,
  kafka: TopicReader,
  redis: RedisClient,
  pipelineName?: string,
): Promise<StatePartition[]> {
  const found: StatePartition[] = [];
  for (const pipeline of config.pipelines)
    for (const topic of pipeline.topics) {
      if (pipelineName !== undefined && pipeline.name !== pipelineName) continue;
      const count = await kafka.partitions(topic);
      for (let partition = 0; partition < count; partition++)
        found.push({ pipeline, topic, partition, count, store: openStore(config, redis, pipeline, topic, partition) });
    }
  return found;
}

export const openStore = (
  config: Config,
  redis: RedisClient,
  pipeline: PipelineConfig,
  topic: string,
  partition: number,
): RedisStateStore =>
  new RedisStateStore(redis, {
    app: config.app,
    topic,
    partition,
    windowSegments: Math.ceil(pipeline.window / SEGMENT_ROWS),
  });

/** What `read` makes of the store as of one watermark: again, if that moves meanwhile. */
export async function asOfOneWatermark<T>(
  store: RedisStateStore,
  read: (watermark: Watermark | undefined) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++)
    try {
      return await read(await store.open());
    } catch (error) {
      if (!(error instanceof RiverrunError && error.code === 'WATERMARK_MISMATCH') || tries >= TRIES) throw error;
    }
}

/** The next streams of a partition; cursor undefined: the first, or no more. */
export function pageOf(
  store: RedisStateStore,
  cursor: string | undefined,
  limit: number,
): Promise<{ streams: StoredStream[]; cursor: string | undefined }> {
  return asOfOneWatermark(store, async () => {
    const page = await store.list(cursor, limit);
    const { states } = await store.load(page.ids, { storedOnly: true });
    const streams = page.ids.flatMap((id, i) => {
      const state = states[i];
      return state === undefined ? [] : [{ id, state }];
    });
    return { streams, cursor: page.cursor };
  });
}

/** The first partition that holds the stream. RiverrunError STREAM_NOT_FOUND. */
export async function findStream(
  partitions: readonly StatePartition[],
  stream: string,
): Promise<{ place: StatePartition; state: Uint8Array }> {
  for (const place of partitions) {
    const [state] = await asOfOneWatermark(place.store, async () => {
      const { states } = await place.store.load([stream], { storedOnly: true });
      return states;
    });
    if (state !== undefined) return { place, state };
  }
  throw new RiverrunError('STREAM_NOT_FOUND', `there is no stream ${JSON.stringify(stream)}`);
}
