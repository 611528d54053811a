/** Keys of Redis as they were at a moment, put back later: what a replica that lags, or an old snapshot, looks like. Each in one script: no writer comes between. */
import type { Redis } from 'ioredis';

const DUMP = `
local found = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  found[#found + 1] = key
  found[#found + 1] = redis.call('DUMP', key)
end
return found`;

const RESTORE = `
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('UNLINK', key) end
for i = 2, #ARGV, 2 do redis.call('RESTORE', ARGV[i], 0, ARGV[i + 1]) end`;

export async function dump(client: Redis, pattern: string): Promise<Map<string, Buffer>> {
  const flat = (await client.callBuffer('EVAL', DUMP, '0', pattern)) as Buffer[];
  return new Map(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i].toString(), flat[2 * i + 1]]));
}

export async function restore(client: Redis, pattern: string, dumps: ReadonlyMap<string, Buffer>): Promise<void> {
  await client.call('EVAL', RESTORE, '0', pattern, ...[...dumps].flat());
}
