/** The Redis that tests run on. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestContext } from 'vitest';
import { redisUrl as sharedRedis } from './servers/use.js';
import { connectRedis, type ConnectOptions, type RedisClient } from '#adapters/redis/redis-client';

export const NO_REDIS = 'no Redis: set REDIS_URL, or install redis-server';

/** Where the shared Redis is, or undefined if there is none. */
export const redisUrl = (): Promise<string | undefined> => sharedRedis().catch(() => undefined);

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

export interface OwnRedis {
  readonly port: number;
  readonly url: string;
  readonly folder: string;
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

export const NO_REDIS_SERVER = 'no redis-server on this machine: install it (apt-get install redis-server)';

export async function canStartRedis(): Promise<boolean> {
  return promisify(execFile)('redis-server', ['--version']).then(
    () => true,
    () => false,
  );
}

/** A server of the test's own, with whatever settings and faults it wants: lines of its configuration, in which PORT and FOLDER stand for its own. A sentinel
 *  if they say `sentinel`. */
export async function startRedis(...lines: string[]): Promise<OwnRedis> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'riverrun-redis-'));
  const sentinel = lines.some((line) => line.startsWith('sentinel '));
  const config = [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, ...(sentinel ? [] : ['save ""']), ...lines]
    .join('\n')
    .replaceAll('PORT', String(port))
    .replaceAll('FOLDER', folder);
  writeFileSync(join(folder, 'server.conf'), config);
  const child = spawn('redis-server', [join(folder, 'server.conf'), ...(sentinel ? ['--sentinel'] : [])], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let output = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (text: Buffer) => {
      output += text.toString();
      if (/Ready to accept connections|\+monitor/.test(output)) resolve();
    });
    child.once('close', () => reject(new Error(`redis-server ended: ${output}`)));
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  return { port, url: `redis://127.0.0.1:${port}`, folder, process: child, stop };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
