/** Connections that fail, break and hang. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  NO_REDIS_SERVER,
  canStartRedis,
  skipWithout,
  startRedis,
  type OwnRedis,
} from '../../../../test/support/redis-server.js';
import { plainChanges } from '../../../../test/support/changes.js';
import { LossyProxy } from '../../../../test/support/lossy-proxy.js';
import { connectRedis, type RedisClient } from './redis-client.js';
import { RedisStateStore } from './redis-state-store.js';

const missing = (await canStartRedis()) ? undefined : NO_REDIS_SERVER;
const SECRET = 'hunter22';

/** Fails with that code, and tells nothing secret. */
async function refused(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error = (await promise.then(
    () => expect.unreachable('it was not refused'),
    (reason: unknown) => reason,
  )) as { code: string; message: string };
  expect(error.message).not.toContain(SECRET);
  expect(error.message).not.toContain('\n');
  return error;
}

async function seconds(work: Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work;
  return (performance.now() - began) / 1000;
}

describe('redis client', () => {
  beforeEach((context) => skipWithout(context, missing));
  const cleanUp: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });
  const start = async (...args: string[]): Promise<OwnRedis> => {
    const server = await startRedis(...args);
    cleanUp.push(() => server.stop());
    return server;
  };
  const connected = async (...args: Parameters<typeof connectRedis>): Promise<RedisClient> => {
    const client = await connectRedis(...args);
    cleanUp.push(() => client.close());
    return client;
  };
  const proxied = async (server: OwnRedis): Promise<LossyProxy> => {
    const proxy = await LossyProxy.start({ host: '127.0.0.1', port: server.port });
    cleanUp.push(() => proxy.refuse());
    return proxy;
  };

  it('gives up on a server that is not there, in bounded time', async () => {
    const server = await start();
    await server.stop();
    const trying = connectRedis({ url: `redis://user:${SECRET}@127.0.0.1:${server.port}`, connectTimeoutMs: 500 });
    const error = await refused(trying);
    expect(error.code).toBe('REDIS_UNREACHABLE');
    expect(error.message).toContain(`127.0.0.1:${server.port}`);
    const nowhere = connectRedis({ url: `redis://localhost:${server.port}`, connectTimeoutMs: 200 });
    expect((await refused(nowhere)).message).toContain('ECONNREFUSED');
    expect(await refused(connectRedis({}))).toMatchObject({ code: 'REDIS_ADDRESS' });
  });

  it('waits for a server that comes up late', async () => {
    const server = await start();
    const proxy = await proxied(server);
    await proxy.refuse();
    const connecting = connectRedis({ url: `redis://127.0.0.1:${proxy.port}` });
    setTimeout(() => void proxy.accept(), 300);
    const client = await connecting;
    expect(String(await client.call('PING', []))).toBe('PONG');
    await client.close();
  });

  it('says at once that credentials are wrong', async () => {
    const server = await start('requirepass right', 'user app on >right ~* +@all');
    for (const credentials of [`:${SECRET}@`, `app:${SECRET}@`, `nobody:${SECRET}@`, '']) {
      const url = `redis://${credentials}127.0.0.1:${server.port}`;
      const took = await seconds(refused(connectRedis({ url })).then((error) => expect(error.code).toBe('REDIS_AUTH')));
      expect(took).toBeLessThan(5);
    }
    const client = await connected({ url: `redis://app:right@127.0.0.1:${server.port}/2` });
    expect(client.warnings).toEqual([]);
    expect(String(await client.call('CLIENT', ['INFO']))).toMatch(/ db=2 .*user=app/);
  });

  it('needs no more than its own keys and commands', async () => {
    const commands = '+@hash +@string +exists +eval +evalsha';
    const server = await start(`user app on >p%w ~{plant:* ${commands}`);
    const client = await connected({ url: `redis://app:p%25w@127.0.0.1:${server.port}` });
    expect(client.warnings).toEqual([expect.stringContaining('maxmemory-policy')]);
    const store = new RedisStateStore(client, { app: 'plant', topic: 't', partition: 0, windowSegments: 1 });
    expect(await store.open()).toBeUndefined();
    await store.commit(
      plainChanges(undefined, { offset: 1, model: null, layout: 'v1' }, [{ id: 'a', state: Uint8Array.of(7) }]),
    );
    expect((await store.load(['a'])).states).toEqual([Uint8Array.of(7)]);
    const other = new RedisStateStore(client, { app: 'other', topic: 't', partition: 0, windowSegments: 1 });
    expect(await refused(other.open())).toMatchObject({ code: 'REDIS_AUTH' });
  });

  it('refuses a policy that evicts states', async () => {
    const server = await start('maxmemory-policy allkeys-lru');
    const error = await refused(connectRedis({ url: server.url }));
    expect(error.code).toBe('REDIS_POLICY');
    expect(error.message).toContain('CONFIG SET maxmemory-policy noeviction');
  });

  it('says that Redis is full, and has written nothing', async () => {
    const server = await start();
    const client = await connected({ url: server.url });
    const store = new RedisStateStore(client, { app: 'plant', topic: 't', partition: 0, windowSegments: 1 });
    await store.open();
    await client.call('CONFIG', ['SET', 'maxmemory', '1']);
    const changes = plainChanges(undefined, { offset: 1, model: null, layout: 'v1' }, [
      { id: 'a', state: Uint8Array.of(7) },
    ]);
    expect(await refused(store.commit(changes))).toMatchObject({ code: 'REDIS_MEMORY' });
    expect(await client.call('DBSIZE', [])).toBe(0);
    await client.call('CONFIG', ['SET', 'maxmemory', '0']);
    await store.commit(changes);
  });

  it('fails fast while it is cut off, and recovers by itself', async () => {
    const server = await start();
    const proxy = await proxied(server);
    const client = await connected({ url: `redis://127.0.0.1:${proxy.port}`, commandTimeoutMs: 400 });
    await client.call('SET', ['k', '0']);
    await proxy.refuse();
    const took = await seconds(
      refused(client.call('INCR', ['k'])).then((error) => {
        expect(error.code).toBe('REDIS_UNREACHABLE');
        expect(error.message).toContain(`127.0.0.1:${proxy.port}`);
      }),
    );
    expect(took).toBeLessThan(3);
    await proxy.accept();
    await expect.poll(() => client.isReady).toBe(true);
    // The command that failed is not sent later.
    expect(String(await client.call('GET', ['k']))).toBe('0');
  });

  it('waits out a short interruption', async () => {
    const server = await start();
    const proxy = await proxied(server);
    const client = await connected({ url: `redis://127.0.0.1:${proxy.port}` });
    await proxy.refuse();
    await expect.poll(() => client.isReady).toBe(false);
    const answer = client.call('PING', []);
    await proxy.accept();
    expect(String(await answer)).toBe('PONG');
  });

  it('does not hang with a server that hangs', async () => {
    const server = await start();
    const client = await connected({ url: server.url, commandTimeoutMs: 300 });
    server.process.kill('SIGSTOP');
    const took = await seconds(
      refused(client.call('PING', [])).then((error) => expect(error.code).toBe('REDIS_UNREACHABLE')),
    );
    expect(took).toBeLessThan(3);
    server.process.kill('SIGCONT');
    await expect.poll(async () => String(await client.call('PING', []).catch((error: unknown) => error))).toBe('PONG');
  });

  it('tells of every command, and fails at once after close', async () => {
    const server = await start();
    const told: string[] = [];
    const client = await connected({
      url: server.url,
      onCommand: (name, took) => {
        expect(took).toBeGreaterThanOrEqual(0);
        told.push(name);
      },
    });
    const store = new RedisStateStore(client, { app: 'plant', topic: 't', partition: 0, windowSegments: 1 });
    await store.open();
    await store.load(['a']);
    // Twice: the server did not know the script.
    expect(told).toEqual(['hmget', 'load-states', 'load-states']);
    await client.close();
    expect(await refused(client.call('PING', []))).toMatchObject({ code: 'REDIS_UNREACHABLE' });
  });
});
