/** Keys of Redis as they were at a moment, put back later: what a replica that lags, or an old snapshot, looks like. */
import type { Redis } from 'ioredis';

export async function dump(client: Redis, pattern: string): Promise<Map<string, Buffer>> {
  const keys = await client.keys(pattern);
  // One moment for all of them.
  const replies = await keys.reduce((multi, key) => multi.dumpBuffer(key), client.multi()).exec();
  return new Map(keys.map((key, i) => [key, replies![i][1] as Buffer]));
}

export async function restore(client: Redis, pattern: string, dumps: ReadonlyMap<string, Buffer>): Promise<void> {
  const multi = client.multi().unlink(await client.keys(pattern));
  for (const [key, bytes] of dumps) multi.restore(key, 0, bytes, 'REPLACE');
  for (const [error] of (await multi.exec())!) if (error !== null) throw error;
}
