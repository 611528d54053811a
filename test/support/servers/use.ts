/** Servers for a spec: `await describeWithServers(['kafka', 'redis'], 'the adapter', () => { … await kafkaBrokers() … })`. */
import { get } from 'node:http';
import { describe, inject } from 'vitest';
import { missingForKafka } from './kafka-install.js';
import type { Found, SharedKind } from './keeper.js';
import { missingForRedis } from './redis.js';

export { uniqueName } from './unique-name.js';

/** The shared servers, and the programs for servers of a spec's own (`startKafka`, `startRedis`). */
export type ServerKind = SharedKind | 'own-kafka' | 'own-redis';

/** `host:port` of the shared Kafka's brokers; started at the first call of a run, which may take a minute. Error with the reason where there is none. */
export const kafkaBrokers = async (): Promise<string[]> => (await addressOf('kafka')).split(',');

/** The shared Redis; as `kafkaBrokers`. Others use it too: prefix your keys, never flush. */
export const redisUrl = (): Promise<string> => addressOf('redis');

/**
 * `describe` for specs that need real servers; await it at the top level. Where one cannot be had the tests are skipped, and the reason is
 * printed and part of the suite's name; with REQUIRE_SERVERS=1 the file fails with the reason.
 */
export async function describeWithServers(
  kinds: readonly ServerKind[],
  name: string,
  tests: () => void,
): Promise<void> {
  const reasons = (await Promise.all(kinds.map(reasonAgainst))).filter((reason) => reason !== undefined);
  if (reasons.length === 0) {
    describe(name, tests);
    return;
  }
  const reason = reasons.join('; ');
  if (process.env.REQUIRE_SERVERS === '1') throw new Error(`${name}: ${reason}`);
  console.warn(`${name}: skipped, ${reason}`);
  describe.skip(`${name} (skipped: ${reason})`, tests);
}

async function reasonAgainst(kind: ServerKind): Promise<string | undefined> {
  if (kind === 'own-kafka') return missingForKafka();
  if (kind === 'own-redis') return missingForRedis();
  return (await ask(kind)).reason;
}

async function addressOf(kind: SharedKind): Promise<string> {
  const found = await ask(kind);
  if (found.reason !== undefined) throw new Error(`no ${kind}: ${found.reason}`);
  return found.address;
}

/** Not `fetch`: it gives up after some minutes, and a first download may take longer. */
const ask = (kind: SharedKind): Promise<Found> =>
  new Promise((resolve, reject) => {
    get(`${inject('serverKeeper')}/${kind}`, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve(JSON.parse(body) as Found));
    }).on('error', reject);
  });
