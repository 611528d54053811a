/** A connection to Redis that never surprises: commands fail within a bounded time, nothing is queued and sent later, errors are RiverrunErrors. */
import type { Cluster, Redis } from 'ioredis';
import { RiverrunError, errorMessage } from '#domain/errors';
import { redisError } from './redis-error.js';
import { COMMAND_TIMEOUT_MS, CONNECT_TIMEOUT_MS, createClient, type ConnectOptions } from './redis-options.js';
import type { Script } from './scripts.js';

export type { ConnectOptions } from './redis-options.js';
export type Argument = string | Buffer;

/** Connects, and checks that Redis will not throw states away. RiverrunError REDIS_UNREACHABLE, REDIS_AUTH, REDIS_POLICY, REDIS_ADDRESS. */
export async function connectRedis(options: ConnectOptions): Promise<RedisClient> {
  const { redis, address } = createClient(options);
  const client = new RedisClient(redis, address, options);
  try {
    redis.connect().catch(() => undefined);
    await client.ready(options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS);
    for (const node of 'nodes' in redis ? redis.nodes('master') : [redis])
      await checkPolicy(node, address, client.warnings);
    return client;
  } catch (error) {
    await client.close();
    throw redisError(error, address);
  }
}

export class RedisClient {
  /** What could not be checked at the start. */
  readonly warnings: string[] = [];
  private lastError: unknown;
  private closed = false;
  /** How long a command may take. */
  readonly commandTimeoutMs: number;

  constructor(
    private readonly redis: Redis | Cluster,
    /** host:port of the servers. */
    readonly address: string,
    private readonly options: ConnectOptions,
  ) {
    this.commandTimeoutMs = options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS;
    redis.on('error', (error: unknown) => (this.lastError = error));
    redis.on('node error', (error: unknown) => (this.lastError = error));
    redis.on('ready', () => (this.lastError = undefined));
  }

  get isReady(): boolean {
    return this.redis.status === 'ready';
  }

  /** Runs a script; bulk strings of the reply are Buffers. Redis is given the script's text only if it does not know it. */
  async run(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await this.send(script.name, 'EVALSHA', [script.sha, ...rest]);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return this.send(script.name, 'EVAL', [script.lua, ...rest]);
    }
  }

  /** Runs a command; bulk strings of the reply are Buffers. */
  call(command: string, args: readonly Argument[]): Promise<unknown> {
    return this.send(command.toLowerCase(), command, args);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    // Only a connection that stands tells when it has ended.
    const ended = this.isReady && new Promise<void>((resolve) => this.redis.once('end', () => resolve()));
    this.redis.disconnect();
    await ended;
  }

  /** Waits for a connection. RiverrunError REDIS_UNREACHABLE when there is none in time, REDIS_AUTH at once if credentials are refused. */
  async ready(timeoutMs: number): Promise<void> {
    const { redis } = this;
    if (this.closed) throw redisError(new Error('the client is closed'), this.address);
    if (this.isReady) return;
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: unknown): void => {
        clearTimeout(timer);
        redis.off('ready', settle).off('end', end).off('error', check);
        if (error === undefined) resolve();
        else reject(redisError(error, this.address));
      };
      const end = (): void => settle(this.lastError ?? new Error('the connection is closed'));
      const check = (error: unknown): void => {
        if (redisError(error, this.address).code === 'REDIS_AUTH') settle(error);
      };
      const timer = setTimeout(
        () => settle(this.lastError ?? new Error(`no connection within ${timeoutMs} ms`)),
        timeoutMs,
      );
      redis.on('ready', settle).on('end', end).on('error', check);
    });
  }

  private async send(name: string, command: string, args: readonly Argument[]): Promise<unknown> {
    await this.ready(this.commandTimeoutMs);
    const began = performance.now();
    try {
      return await this.redis.callBuffer(command, args as Argument[]);
    } catch (error) {
      throw redisError(error, this.address);
    } finally {
      this.options.onCommand?.(name, (performance.now() - began) / 1000);
    }
  }
}

const isUnknownScript = (error: unknown): boolean =>
  error instanceof RiverrunError && errorMessage(error.cause).startsWith('NOSCRIPT');

/** A policy that evicts keys loses states without a word. */
async function checkPolicy(node: Redis, address: string, warnings: string[]): Promise<void> {
  const policy = await maxmemoryPolicy(node);
  if (policy === undefined)
    warnings.push(
      `the maxmemory-policy of Redis at ${address} cannot be read (the user may run neither CONFIG GET nor INFO): see that it is noeviction`,
    );
  else if (policy !== 'noeviction')
    throw new RiverrunError(
      'REDIS_POLICY',
      `Redis at ${address} may evict states (maxmemory-policy ${policy}): run \`CONFIG SET maxmemory-policy noeviction\``,
    );
}

async function maxmemoryPolicy(node: Redis): Promise<string | undefined> {
  // Hosted Redis forbids CONFIG, an ACL perhaps INFO as well.
  const config = await node.config('GET', 'maxmemory-policy').catch(unlessRefused);
  if (Array.isArray(config) && typeof config[1] === 'string') return config[1];
  const info = await node.info('memory').catch(unlessRefused);
  return typeof info === 'string' ? /^maxmemory_policy:(\S+)/m.exec(info)?.[1] : undefined;
}

function unlessRefused(error: unknown): undefined {
  if (error instanceof Error && error.name === 'ReplyError') return undefined;
  throw error;
}
