/** Pages through the streams of a partition by its buckets. No scan of the keyspace: the counts say which buckets have any. */
import { RiverrunError } from '#domain/errors';
import type { PartitionKeys } from './keys.js';
import type { RedisClient } from './redis-client.js';
import { idOf } from './stream-fields.js';

interface Place {
  readonly bucket: number;
  readonly field: Buffer;
}

export async function listStreams(
  client: RedisClient,
  keys: PartitionKeys,
  cursor: string | undefined,
  limit: number,
): Promise<{ ids: string[]; cursor: string | undefined }> {
  const after = cursor === undefined ? undefined : parseCursor(cursor);
  const counts = await bucketCounts(client, keys);
  const buckets = [...counts.keys()].filter((b) => b >= (after?.bucket ?? 0)).sort((a, b) => a - b);
  const found: Place[] = [];
  // One more than asked for tells whether there is a next page.
  for (let next = 0; next < buckets.length && found.length <= limit;) {
    const some: number[] = [];
    for (let sum = found.length; next < buckets.length && sum <= limit; next++) {
      some.push(buckets[next]);
      sum += counts.get(buckets[next])!;
    }
    const replies = await Promise.all(some.map((bucket) => client.call('HKEYS', [keys.states(bucket)])));
    replies.forEach((reply, k) => {
      const bucket = some[k];
      const fields = (reply as Buffer[]).sort((a, b) => a.compare(b));
      for (const field of fields)
        if (bucket !== after?.bucket || field.compare(after.field) > 0) found.push({ bucket, field });
    });
  }
  const page = found.slice(0, limit);
  const last = page.at(-1) ?? after;
  return {
    ids: page.map(({ field }) => idOf(field)),
    cursor: found.length > limit && last !== undefined ? cursorOf(last) : undefined,
  };
}

/** Buckets with streams, and how many. */
export async function bucketCounts(client: RedisClient, keys: PartitionKeys): Promise<Map<number, number>> {
  const reply = (await client.call('HGETALL', [keys.counts])) as Buffer[];
  const counts = new Map<number, number>();
  for (let i = 0; i < reply.length; i += 2) {
    const match = /^s(\d+)$/.exec(reply[i].toString());
    const count = Number(reply[i + 1].toString());
    if (match !== null && count > 0) counts.set(Number(match[1]), count);
  }
  return counts;
}

const cursorOf = ({ bucket, field }: Place): string => `${bucket}.${field.toString('base64url')}`;

function parseCursor(cursor: string): Place {
  const match = /^(\d{1,5})\.([\w-]*)$/.exec(cursor);
  if (match === null) throw new RiverrunError('CURSOR', `${cursor} is no cursor of this list`);
  return { bucket: Number(match[1]), field: Buffer.from(match[2], 'base64url') };
}
