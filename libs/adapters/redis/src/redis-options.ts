/** From plain options to ioredis: addresses, credentials and TLS out of the URL, and how long anything may take. */
import { Cluster, Redis } from 'ioredis';
import type { ConnectionOptions } from 'node:tls';
import { RiverrunError } from '#domain/errors';

export interface ConnectOptions {
  /** redis:// or rediss://[user[:password]@]host[:port][/database]. With Sentinel the host is the master's name. */
  readonly url?: string | undefined;
  /** PEM of the authority that signed the servers' certificates, for rediss://. */
  readonly tlsCa?: string | undefined;
  /** Default standalone. */
  readonly mode?: 'standalone' | 'sentinel' | 'cluster' | undefined;
  /** host:port of the sentinels or of some nodes of the cluster; standalone: of the server, if there is no URL. */
  readonly nodes?: readonly string[] | undefined;
  /** How long to try before `connectRedis` gives up. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** How long a command may take, and how long it waits for a connection that is gone. Default 5,000. */
  readonly commandTimeoutMs?: number;
  /** Told of every command that was sent: a script's name or the command's, and how long it took. */
  readonly onCommand?: (name: string, seconds: number) => void;
}

export const CONNECT_TIMEOUT_MS = 10_000;
export const COMMAND_TIMEOUT_MS = 5_000;
const DEFAULT_MASTER = 'mymaster';
const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 2_000;

/** A client that has not connected yet, and its servers' addresses for messages: never a password. */
export function createClient(options: ConnectOptions): { redis: Redis | Cluster; address: string } {
  const { mode = 'standalone', nodes = [] } = options;
  const url = parseUrl(options.url);
  const common = commonOptions(options, url);
  const addresses = nodes.map(parseNode);
  if (mode === 'sentinel') {
    const redis = new Redis({
      ...common,
      sentinels: addresses,
      name: url?.host ?? DEFAULT_MASTER,
      db: url?.database ?? 0,
      sentinelRetryStrategy: reconnectDelay,
      sentinelCommandTimeout: options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS,
      ...(common.tls && { enableTLSForSentinelMode: true, sentinelTLS: common.tls }),
    });
    return { redis, address: `${url?.host ?? DEFAULT_MASTER} by sentinels ${nodes.join(',')}` };
  }
  const server = url === undefined ? addresses[0] : { host: url.host, port: url.port };
  if (server === undefined)
    throw new RiverrunError('REDIS_ADDRESS', 'no address of Redis is given: set REDIS_URL, or REDIS_NODES');
  if (mode === 'standalone') {
    const redis = new Redis({ ...common, ...server, db: url?.database ?? 0 });
    return { redis, address: `${server.host}:${server.port}` };
  }
  const { retryStrategy: _1, enableOfflineQueue: _2, lazyConnect: _3, ...redisOptions } = common;
  const startup = addresses.length > 0 ? addresses : [server];
  const redis = new Cluster(startup, {
    redisOptions,
    enableOfflineQueue: false,
    lazyConnect: true,
    clusterRetryStrategy: reconnectDelay,
    slotsRefreshTimeout: 2_000,
    // Certificates name hosts: a look-up of our own would turn them into numbers.
    ...(common.tls && { dnsLookup: (host: string, done: (error: null, address: string) => void) => done(null, host) }),
  });
  return { redis, address: startup.map(({ host, port }) => `${host}:${port}`).join(',') };
}

function commonOptions(options: ConnectOptions, url: RedisUrl | undefined) {
  const timeout = options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS;
  const tls: ConnectionOptions | undefined = url?.tls === true ? { ca: options.tlsCa } : undefined;
  return {
    ...(url?.user && { username: url.user }),
    ...(url?.password && { password: url.password }),
    ...(tls && { tls }),
    lazyConnect: true,
    protocol: 2 as const,
    disableClientInfo: true,
    connectTimeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    commandTimeout: timeout,
    // A server that is silent for so long is taken for dead, and another connection is tried.
    socketTimeout: timeout,
    retryStrategy: reconnectDelay,
    // Nothing is kept and sent later behind the caller's back: what could not be sent, or was not answered, has failed.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // After a fail-over the old master is a replica.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  };
}

/** Doubles up to two seconds; some jitter, so that instances do not come back all at once. */
function reconnectDelay(attempt: number): number {
  const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.round(delay * (0.75 + Math.random() / 4));
}

interface RedisUrl {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: number;
  readonly tls: boolean;
}

function parseUrl(text: string | undefined): RedisUrl | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^rediss?:$/.test(url.protocol) || url.hostname === '')
    throw new RiverrunError('REDIS_ADDRESS', 'REDIS_URL is not redis://host:port or rediss://host:port');
  return {
    host: withoutBrackets(url.hostname),
    port: url.port === '' ? 6379 : Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: Number(url.pathname.slice(1)),
    tls: url.protocol === 'rediss:',
  };
}

function parseNode(node: string): { host: string; port: number } {
  const at = node.lastIndexOf(':');
  return { host: withoutBrackets(node.slice(0, at)), port: Number(node.slice(at + 1)) };
}

const withoutBrackets = (host: string): string => host.replace(/^\[(.*)\]$/, '$1');
