import type { GroupAdmin } from '#adapters/kafka/group-admin';
import type { TopicReader } from '#adapters/kafka/topic-reader';
import type { RedisClient } from '#adapters/redis/redis-client';
import type { Config } from '#config/config';
import { findStream, statePartitions } from './stored-states.js';

export interface PublishedReset {
  readonly stream: string;
  readonly control: 'reset';
  readonly topic: string;
  readonly partition: number;
}

/** Publishes the control record where the stream's state is: which partition a key goes to is its producers' business, and only the state tells. */
export async function resetStream(
  { config, kafka, admin, redis }: { config: Config; kafka: TopicReader; admin: GroupAdmin; redis: RedisClient },
  stream: string,
): Promise<PublishedReset> {
  const { place } = await findStream(await statePartitions(config, kafka, redis), stream);
  const { topic, partition, pipeline } = place;
  const record = at(pipeline.fields.stream ?? '/stream', stream, { control: 'reset' });
  await admin.publish({ topic, partition }, [{ key: Buffer.from(stream), value: Buffer.from(JSON.stringify(record)) }]);
  return { stream, control: 'reset', topic, partition };
}

/** `rest` with `value` where the JSON Pointer says. */
function at(pointer: string, value: string, rest: Record<string, unknown>): Record<string, unknown> {
  const names = pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  const nested = names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
  return { ...(nested as Record<string, unknown>), ...rest };
}
