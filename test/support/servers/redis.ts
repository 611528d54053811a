/** A Redis of a test's own, from Debian's redis-server: alone, with TLS and users, or as another one's replica. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis, type RedisOptions as IoredisOptions } from 'ioredis';
import { makeCertificates, type Certificates } from './certificates.js';
import { freePorts } from './ports.js';
import { isOnPath, waitUntil } from './programs.js';
import { ServerProcess, controlOf, serverFolder, type Control } from './server-process.js';

// `new Redis` does not take undefined for it, as the options' own type does.
type ClientOptions = Omit<IoredisOptions, 'replyMapping'>;

export interface RedisUser {
  readonly name: string;
  readonly password: string;
  /** ACL rules, e.g. `['~app:*', '+@all']`. Default: everything. */
  readonly rules?: readonly string[];
}

export interface RedisOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** More of redis-server's arguments, e.g. `['--maxmemory', '10mb']`; they win over the defaults. */
  readonly args?: readonly string[];
  /** Serves TLS only; `mutual` wants a client's certificate too. */
  readonly tls?: 'server' | 'mutual';
  /** Who may log in: then nobody may without. The first one is in `url` and must be allowed to PING. */
  readonly users?: readonly RedisUser[];
}

/** `restart` finds what the append-only file holds. */
export interface OwnRedis extends Control {
  /** With the first user's credentials, if there are users. */
  readonly url: string;
  readonly port: number;
  /** With `tls`. */
  readonly certificates: Certificates | undefined;
}

/** Why Redis cannot run here as a process of our own; undefined where it can. */
export const missingForRedis = (): string | undefined =>
  isOnPath('redis-server') ? undefined : 'no redis-server (apt-get install redis-server)';

/** Resolves once it answers. */
export async function startRedis(options: RedisOptions = {}): Promise<OwnRedis> {
  const port = options.port ?? (await freePorts(1))[0];
  const folder = serverFolder('redis');
  const certificates = options.tls === undefined ? undefined : await makeCertificates(join(folder, 'certificates'));
  const [user] = options.users ?? [];
  const login = user === undefined ? '' : `${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}@`;
  const url = `${certificates === undefined ? 'redis' : 'rediss'}://${login}127.0.0.1:${port}`;
  const server = new ServerProcess(folder, {
    command: 'redis-server',
    args: [
      ...['--dir', folder, '--bind', '127.0.0.1', ...DEFAULTS],
      ...(certificates === undefined
        ? ['--port', String(port)]
        : tlsArgs(port, certificates, options.tls === 'mutual')),
      ...(options.users === undefined ? [] : ['--user', 'default', 'off']),
      ...(options.users ?? []).flatMap(({ name, password, rules }) => [
        ...['--user', name, 'on', `>${password}`, ...(rules ?? ['~*', '&*', '+@all'])],
      ]),
      ...(options.args ?? []),
    ],
    isReady: () => redisAnswers(url, certificates === undefined ? {} : { tls: clientTls(certificates) }),
  });
  await server.start();
  return { url, port, certificates, ...controlOf(server) };
}

/** A replica that has caught up with its master when it resolves. */
export async function startRedisReplica(master: OwnRedis, options: RedisOptions = {}): Promise<OwnRedis> {
  const args = ['--replicaof', '127.0.0.1', String(master.port), ...(options.args ?? [])];
  const replica = await startRedis({ ...options, args });
  await askRedis(replica.url, (client) => untilInfo(client, 'replication', 'master_link_status:up'));
  return replica;
}

// As a deployment should have it: nothing is evicted, and what was acknowledged a second ago is on disk.
const DEFAULTS = [
  ...['--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction'],
  ...['--enable-debug-command', 'yes', '--repl-diskless-sync-delay', '0'],
];

const tlsArgs = (port: number, certificates: Certificates, mutual: boolean): string[] => [
  ...['--port', '0', '--tls-port', String(port), '--tls-auth-clients', mutual ? 'yes' : 'no'],
  ...['--tls-cert-file', certificates.serverCert, '--tls-key-file', certificates.serverKey],
  ...['--tls-ca-cert-file', certificates.ca],
];

/** What ioredis' `tls` takes: our CA, and the client's certificate. */
export const clientTls = (certificates: Certificates): { ca: string; cert: string; key: string } => ({
  ca: readFileSync(certificates.ca, 'utf8'),
  cert: readFileSync(certificates.clientCert, 'utf8'),
  key: readFileSync(certificates.clientKey, 'utf8'),
});

/** One connection for one question; it does not try twice, and fails with what the server said. */
export async function askRedis<T>(
  url: string,
  question: (client: Redis) => Promise<T>,
  options: ClientOptions = {},
): Promise<T> {
  const quick = { lazyConnect: true, retryStrategy: () => null, connectTimeout: 1_000 };
  const client = new Redis(url, { ...quick, ...options });
  let reason: Error | undefined;
  client.on('error', (error: Error) => (reason ??= error));
  try {
    await client.connect();
    return await question(client);
  } catch (error) {
    throw reason ?? (error as Error);
  } finally {
    client.disconnect();
  }
}

const redisAnswers = async (url: string, options: ClientOptions): Promise<boolean> =>
  (await askRedis(url, (client) => client.ping(), options)) === 'PONG';

/** Waits for a line in a section of INFO, for at most 20 s. */
export async function untilInfo(client: Redis, section: string, line: string): Promise<void> {
  await waitUntil(`Redis says ${line}`, async () => (await client.info(section)).includes(line), 20_000);
}
