/** What commands do to a whole partition in Redis, while no instance runs. */
import { PartitionKeys } from './keys.js';
import type { RedisClient } from './redis-client.js';

export interface PartitionName {
  readonly app: string;
  readonly topic: string;
  readonly partition: number;
}

/** Field beside the watermark: from which offset on the states are of the log. */
const BROUGHT = 'brought';
const AT_A_TIME = 64;

/** Forgets the partition: watermark, states, windows. The watermark goes first, so that a part of it is never taken for the whole. */
export async function dropPartition(client: RedisClient, { app, topic, partition }: PartitionName): Promise<void> {
  const keys = new PartitionKeys(app, topic, partition);
  const buckets = (await client.call('HGET', [keys.watermark, 'buckets'])) as Buffer | null;
  const counts = (await client.call('HKEYS', [keys.counts])) as Buffer[];
  const numbers = new Set(counts.flatMap((name) => /^[sx](\d+)$/.exec(name.toString())?.[1] ?? []).map(Number));
  for (let bucket = 0; bucket < Number(buckets ?? 0); bucket++) numbers.add(bucket);
  await client.call('UNLINK', [keys.watermark]);
  const all = [...numbers].flatMap((bucket) => [keys.states(bucket), keys.segments(bucket)]);
  for (let at = 0; at < all.length; at += AT_A_TIME) await client.call('UNLINK', all.slice(at, at + AT_A_TIME));
  await client.call('UNLINK', [keys.counts]);
}

/** Streams that are stored there. */
export async function countStreams(client: RedisClient, { app, topic, partition }: PartitionName): Promise<number> {
  const keys = new PartitionKeys(app, topic, partition);
  return Number((await client.call('HGET', [keys.counts, 'streams'])) ?? 0);
}

/** Notes that the states at `offset` came from elsewhere: the log from there on cannot make them anew. */
export async function markBrought(client: RedisClient, name: PartitionName, offset: number): Promise<void> {
  await client.call('HSET', [
    new PartitionKeys(name.app, name.topic, name.partition).watermark,
    BROUGHT,
    String(offset),
  ]);
}

/** The offset that `markBrought` noted. */
export async function broughtAt(client: RedisClient, name: PartitionName): Promise<number | undefined> {
  const key = new PartitionKeys(name.app, name.topic, name.partition).watermark;
  const offset = (await client.call('HGET', [key, BROUGHT])) as Buffer | null;
  return offset === null ? undefined : Number(offset);
}
