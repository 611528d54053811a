/** Servers for a spec: `await describeWithServers(['kafka', 'redis'], 'the adapter', () => { … await kafkaBrokers() … })`. */
import { get } from 'node:http';
import { describe, inject } from 'vitest';
import type { Found, ServerKind, SharedKind } from './keeper.js';

export { uniqueName } from './unique-name.js';

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
  const reasons = (await Promise.all(kinds.map(async (kind) => (await ask(kind)).reason))).filter(
    (reason) => reason !== undefined,
  );
  if (reasons.length === 0) {
    describe(name, tests);
    return;
  }
  const reason = reasons.join('; ');
  if (process.env.REQUIRE_SERVERS === '1') throw new Error(`${name}: ${reason}`);
  console.warn(`${name}: skipped, ${reason}`);
  describe.skip(`${name} (skipped: ${reason})`, tests);
}

async function addressOf(kind: SharedKind): Promise<string> {
  const { address, reason } = await ask(kind);
  if (address === undefined) throw new Error(`no ${kind}: ${reason}`);
  return address;
}

/** Not `fetch`: it gives up after some minutes, and a first download may take longer. */
const ask = (kind: ServerKind): Promise<Found> =>
  new Promise((resolve, reject) => {
    get(`${inject('serverKeeper')}/${kind}`, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve(JSON.parse(body) as Found));
    }).on('error', reject);
  });
