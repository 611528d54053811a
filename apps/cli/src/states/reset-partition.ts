/** `state reset --partition`: the way out where log and states do not belong together any more. The partition starts anew at an offset, without states. */
import type { GroupAdmin } from '#adapters/kafka/group-admin';
import type { TopicReader } from '#adapters/kafka/topic-reader';
import { countStreams, dropPartition } from '#adapters/redis/partition-admin';
import type { RedisClient } from '#adapters/redis/redis-client';
import type { Config } from '#config/config';
import { RiverrunError } from '#domain/errors';
import { UsageError } from '../exit-codes.js';

export interface PartitionReset {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  /** What had an outcome before; null: nothing was committed. */
  readonly committed: number | null;
  readonly streams: number;
}

/** In this order: whatever is cut off in between is refused by the service, and mended by the same command. UsageError, saying what would be lost, without `yes`. */
export async function resetPartition(
  { config, kafka, admin, redis }: { config: Config; kafka: TopicReader; admin: GroupAdmin; redis: RedisClient },
  { topic, partition, from, yes }: { topic: string; partition: number; from: number; yes: boolean },
): Promise<PartitionReset> {
  const count = await kafka.partitions(topic);
  if (partition >= count) throw new UsageError(`topic ${topic} has partitions 0 to ${count - 1}`);
  await admin.mustBeEmpty(config.app);
  const part = { topic, partition };
  const { start, end } = await kafka.edges(part);
  if (from < start || from > end)
    throw new RiverrunError('OFFSET', `the log of ${topic}/${partition} has offsets ${start} to ${end}, not ${from}`);
  const { committed, metadata } = (await kafka.committed(config.app, topic, count))[partition];
  const name = { app: config.app, ...part };
  const streams = await countStreams(redis, name);
  const reset = { ...part, from, committed: committed ?? null, streams };
  if (!yes) throw new UsageError(`${whatIsLost(reset)}; --yes does it`);
  if (metadata !== undefined) await admin.fence(metadata.t);
  await dropPartition(redis, name);
  await admin.forgetCheckpoints(config.checkpointTopic, part);
  const t = metadata?.t ?? `${config.app}-command`;
  await admin.setOffsets(config.app, [{ ...part, offset: from, metadata: { t, b: from, n: count } }]);
  return reset;
}

export function whatIsLost({ topic, partition, from, committed, streams }: PartitionReset): string {
  const states = `the states of ${streams} streams of ${topic}/${partition} go, and it starts anew at offset ${from}`;
  if (committed === null || committed === from) return states;
  return from > committed
    ? `${states}; records ${committed} to ${from - 1} get no outcome`
    : `${states}; records ${from} to ${committed - 1} get a second outcome`;
}
