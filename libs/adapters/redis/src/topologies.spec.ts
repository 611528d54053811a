/** The store on Sentinel, on a Cluster, and over TLS. */
import { execFile } from 'node:child_process';
import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errorMessage } from '#domain/errors';
import {
  NO_REDIS_SERVER,
  canStartRedis,
  skipWithout,
  startRedis,
  type OwnRedis,
} from '../../../../test/support/redis-server.js';
import { plainChanges } from '../../../../test/support/changes.js';
import { gruSpec, randomWeights } from '../../../../test/support/models.js';
import { connectRedis, type ConnectOptions, type RedisClient } from './redis-client.js';
import { RedisModelRegistry } from './redis-model-registry.js';
import { RedisStateStore } from './redis-state-store.js';

const missing = (await canStartRedis()) ? undefined : NO_REDIS_SERVER;
const command = promisify(execFile);
const mark = (offset: number): { offset: number; model: null; layout: string } => ({
  offset,
  model: null,
  layout: 'v1',
});

describe('redis topologies', () => {
  beforeEach((context) => skipWithout(context, missing));
  const cleanUp: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });
  const start = async (...lines: string[]): Promise<OwnRedis> => {
    const server = await startRedis(...lines);
    cleanUp.push(() => server.stop());
    return server;
  };
  const connected = async (options: ConnectOptions): Promise<RedisClient> => {
    const client = await connectRedis(options);
    cleanUp.push(() => client.close());
    return client;
  };
  const storeOn = (client: RedisClient, partition = 0): RedisStateStore =>
    new RedisStateStore(client, { app: 'plant', topic: 't', partition, windowSegments: 2 });
  const stepOf = (offset: number): ReturnType<typeof plainChanges> =>
    plainChanges(offset === 1 ? undefined : mark(offset - 1), mark(offset), [
      { id: 'a', state: Uint8Array.of(offset), segments: [{ sequence: offset - 1, fill: offset }] },
      { id: 'b', state: Uint8Array.of(offset) },
    ]);

  it('follows the master through a fail-over by Sentinel', async () => {
    const master = await start('requirepass right', 'masterauth right');
    const replica = await start(`replicaof 127.0.0.1 ${master.port}`, 'requirepass right', 'masterauth right');
    const sentinel = await start(
      `sentinel monitor plant 127.0.0.1 ${master.port} 1`,
      'sentinel auth-pass plant right',
      'sentinel down-after-milliseconds plant 300',
    );
    const options: ConnectOptions = {
      url: 'redis://:right@plant',
      mode: 'sentinel',
      nodes: [`127.0.0.1:${sentinel.port}`],
    };
    const client = await connected(options);
    const store = storeOn(client);
    await store.open();
    await expect.poll(() => sentinelKnows(sentinel, 'num-slaves')).toBe('1');
    await expect.poll(async () => (await client.call('WAIT', ['1', '100'])) as number).toBe(1);
    await store.commit(stepOf(1));
    await client.call('WAIT', ['1', '1000']);
    await master.stop();
    // The pipeline recovers until it can go on.
    let offset = 1;
    await expect
      .poll(
        async () => {
          try {
            offset = (await store.open())!.offset;
            await store.commit(stepOf(offset + 1));
            return 'committed';
          } catch (error) {
            expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE' });
            return errorMessage(error);
          }
        },
        { timeout: 20_000 },
      )
      .toBe('committed');
    expect((await store.load(['a'])).states[0]).toEqual(Uint8Array.of(offset + 1));
    const direct = await connected({ url: `redis://:right@127.0.0.1:${replica.port}` });
    expect((await storeOn(direct).open())?.offset).toBe(offset + 1);
  });

  it('says that no sentinel knows the master', async () => {
    const sentinel = await start('sentinel monitor other 127.0.0.1 1 1');
    const nodes = [`127.0.0.1:${sentinel.port}`];
    await expect(connectRedis({ mode: 'sentinel', nodes, connectTimeoutMs: 500 })).rejects.toMatchObject({
      code: 'REDIS_UNREACHABLE',
    });
  });

  it('spreads partitions over a cluster, each with all its keys in one place', async () => {
    const servers = await Promise.all([1, 2, 3].map(() => start('cluster-enabled yes', 'requirepass right')));
    const nodes = servers.map(({ port }) => `127.0.0.1:${port}`);
    await command('redis-cli', ['-a', 'right', '--cluster', 'create', ...nodes, '--cluster-yes']);
    const options: ConnectOptions = { url: `redis://:right@${nodes[0]}`, mode: 'cluster', nodes: nodes.slice(0, 2) };
    await expect(connectRedis({ ...options, url: `redis://:wrong@${nodes[0]}` })).rejects.toMatchObject({
      code: 'REDIS_AUTH',
    });
    const client = await connected(options);
    for (let partition = 0; partition < 8; partition++) {
      const store = storeOn(client, partition);
      await store.open();
      await store.commit(stepOf(1));
      await store.commit(stepOf(2));
      expect((await store.load(['a', 'b'])).states).toEqual([Uint8Array.of(2), Uint8Array.of(2)]);
      expect((await store.read(['a']))[0]).toHaveLength(32);
      expect((await store.list(undefined, 10)).ids.sort()).toEqual(['a', 'b']);
    }
    const sizes = await Promise.all(servers.map(({ url }) => sizeOf(url.replace('//', '//:right@'))));
    expect(Math.min(...sizes)).toBeGreaterThan(0);
    const registry = new RedisModelRegistry(client, { app: 'plant' });
    const network = gruSpec(4);
    const manifest = await registry.publish(
      {
        name: 'tide',
        network,
        scaler: 'none',
        target: 'value',
        warmUp: 0,
        origin: 'imported',
        pinned: true,
        createdAt: '2026-01-01T00:00:00Z',
      },
      randomWeights(network, 1),
    );
    expect((await registry.findByDigest(manifest.digest)).manifest).toEqual(manifest);
    expect((await registry.activate('p', manifest)).champion).toEqual({ name: 'tide', version: 1 });
  }, 60_000);

  it('talks TLS to a server whose certificate the given authority signed', async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'riverrun-tls-'));
    cleanUp.push(() => Promise.resolve(rmSync(folder, { recursive: true })));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=test'];
    const made = await command('openssl', [
      ...request,
      '-addext',
      'subjectAltName=IP:127.0.0.1',
      '-keyout',
      key,
      '-out',
      cert,
    ]).then(
      () => true,
      () => false,
    );
    skipWithout(context, made ? undefined : 'no openssl to make a certificate with');
    const tls = ['port 0', 'tls-port PORT', `tls-cert-file ${cert}`, `tls-key-file ${key}`, 'tls-auth-clients no'];
    const server = await start(...tls, 'requirepass right');
    const url = `rediss://:right@127.0.0.1:${server.port}`;
    const client = await connected({ url, tlsCa: readFileSync(cert, 'utf8') });
    expect(String(await client.call('PING', []))).toBe('PONG');
    for (const wrong of [{ url }, { url: url.replace('rediss', 'redis') }])
      await expect(connectRedis({ ...wrong, connectTimeoutMs: 500 })).rejects.toMatchObject({
        code: 'REDIS_UNREACHABLE',
      });
  });
});

async function sentinelKnows(sentinel: OwnRedis, property: string): Promise<string | undefined> {
  const client = await connectRedis({ url: sentinel.url });
  const master = ((await client.call('SENTINEL', ['MASTER', 'plant'])) as Buffer[]).map(String);
  await client.close();
  return master[master.indexOf(property) + 1];
}

async function sizeOf(url: string): Promise<number> {
  const client = await connectRedis({ url });
  const size = (await client.call('DBSIZE', [])) as number;
  await client.close();
  return size;
}
