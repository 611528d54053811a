/** A Redis of a test's own, from Debian's redis-server. */
import { Redis } from 'ioredis';
import { freePorts } from './ports.js';
import { isOnPath } from './programs.js';
import { ServerProcess, controlOf, serverFolder, type Control } from './server-process.js';

export interface RedisOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** More of redis-server's arguments, e.g. `['--maxmemory', '10mb']`; they win over the defaults. */
  readonly args?: readonly string[];
}

/** `restart` finds what the append-only file holds. */
export interface OwnRedis extends Control {
  readonly url: string;
  readonly port: number;
}

/** Why Redis cannot run here as a process of our own; undefined where it can. */
export const missingForRedis = (): string | undefined =>
  isOnPath('redis-server') ? undefined : 'no redis-server (apt-get install redis-server)';

/** Resolves once it answers. */
export async function startRedis(options: RedisOptions = {}): Promise<OwnRedis> {
  const port = options.port ?? (await freePorts(1))[0];
  const folder = serverFolder('redis');
  const url = `redis://127.0.0.1:${port}`;
  const server = new ServerProcess(folder, {
    command: 'redis-server',
    args: [...argsOf(port, folder), ...(options.args ?? [])],
    isReady: () => isServing(url),
  });
  await server.start();
  return { url, port, ...controlOf(server) };
}

// As a deployment should have it: nothing is evicted, and what was acknowledged a second ago is on disk.
const argsOf = (port: number, folder: string): string[] => [
  ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder],
  ...['--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction'],
  ...['--enable-debug-command', 'yes'],
];

async function isServing(url: string): Promise<boolean> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 1_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } finally {
    client.disconnect();
  }
}
