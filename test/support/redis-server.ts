/** The Redis that tests run on. */
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'vitest';
import { connectRedis, type ConnectOptions, type RedisClient } from '#adapters/redis/redis-client';

export const NO_REDIS = 'no Redis: set REDIS_URL';

/** Where a Redis is, or undefined if there is none. */
export function redisUrl(): Promise<string | undefined> {
  return Promise.resolve(process.env.REDIS_URL);
}

/** Skips the test, and says why, if `missing` is what it lacks; REQUIRE_SERVERS=1 makes that a failure. */
export function skipWithout(context: TestContext, missing: string | undefined): void {
  if (missing === undefined) return;
  if (process.env.REQUIRE_SERVERS === '1') throw new Error(missing);
  context.skip(missing);
}

/** A prefix of keys that no other test has: the server may be shared. */
export const ownApp = (): string => `test-${randomBytes(6).toString('hex')}`;

export async function connectToRedis(options: ConnectOptions = {}): Promise<RedisClient> {
  return connectRedis({ url: await redisUrl(), ...options });
}

/** Removes the app's keys and closes the client. */
export async function forget(client: RedisClient, app: string): Promise<void> {
  let cursor = '0';
  do {
    const [next, keys] = (await client.call('SCAN', [cursor, 'MATCH', `{${app}:*`, 'COUNT', '1000'])) as [
      Buffer,
      Buffer[],
    ];
    cursor = next.toString();
    if (keys.length > 0) await client.call('UNLINK', keys);
  } while (cursor !== '0');
  await client.close();
}
