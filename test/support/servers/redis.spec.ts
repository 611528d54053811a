import { existsSync } from 'node:fs';
import { Cluster, Redis } from 'ioredis';
import { afterEach, expect, it } from 'vitest';
import { startRedisCluster, startSentinel } from './redis-topologies.js';
import { askRedis, clientTls, startRedis, startRedisReplica } from './redis.js';
import { describeWithServers } from './use.js';

const START = 60_000;

await describeWithServers(['own-redis'], 'a Redis of its own', () => {
  const started: { stop(): Promise<void> }[] = [];
  const kept = <T extends { stop(): Promise<void> }>(server: T): T => {
    started.push(server);
    return server;
  };
  afterEach(async () => {
    for (const server of started.splice(0).reverse()) await server.stop();
  });

  it(
    'keeps its data over a restart, can be held and killed, and leaves nothing',
    async () => {
      const redis = kept(await startRedis());
      await askRedis(redis.url, (client) => client.set('a', '1'));
      await redis.restart();
      expect(await askRedis(redis.url, (client) => client.get('a'))).toBe('1');

      const before = redis.process.pid!;
      await redis.kill('SIGSTOP');
      const held = { commandTimeout: 200, enableReadyCheck: false };
      await expect(askRedis(redis.url, (client) => client.ping(), held)).rejects.toThrow();
      await redis.kill('SIGCONT');
      expect(await askRedis(redis.url, (client) => client.ping())).toBe('PONG');
      await redis.kill('SIGKILL');
      expect(existsSync(`/proc/${before}`)).toBe(false);
      await redis.restart();

      const { pid, folder } = redis.process;
      await redis.stop();
      expect([existsSync(`/proc/${pid}`), existsSync(folder)]).toEqual([false, false]);
    },
    START,
  );

  it(
    'serves TLS, and with users only those',
    async () => {
      const users = [
        { name: 'admin', password: 'p@ss:word/' },
        { name: 'app', password: 'secret', rules: ['~app:*', '+@all', '-@dangerous'] },
      ];
      const redis = kept(await startRedis({ tls: 'server', users }));
      const { ca } = clientTls(redis.certificates!);
      expect(await askRedis(redis.url, (client) => client.call('ACL', 'WHOAMI'), { tls: { ca } })).toBe('admin');
      await expect(askRedis(redis.url, (client) => client.ping())).rejects.toThrow();
      const nobody = `rediss://127.0.0.1:${redis.port}`;
      await expect(askRedis(nobody, (client) => client.ping(), { tls: { ca } })).rejects.toThrow('NOAUTH');
      const app = `rediss://app:secret@127.0.0.1:${redis.port}`;
      const options = { tls: { ca }, enableReadyCheck: false };
      expect(await askRedis(app, (client) => client.set('app:a', '1'), options)).toBe('OK');
      await expect(askRedis(app, (client) => client.set('other', '1'), options)).rejects.toThrow('NOPERM');
    },
    START,
  );

  it(
    'serves mutual TLS: with a certificate only',
    async () => {
      const redis = kept(await startRedis({ tls: 'mutual' }));
      const tls = clientTls(redis.certificates!);
      expect(await askRedis(redis.url, (client) => client.ping(), { tls })).toBe('PONG');
      await expect(askRedis(redis.url, (client) => client.ping(), { tls: { ca: tls.ca } })).rejects.toThrow();
    },
    START,
  );

  it(
    'has a replica, and a sentinel that promotes it when the master is killed',
    async () => {
      const master = kept(await startRedis());
      const replica = kept(await startRedisReplica(master));
      const sentinel = kept(await startSentinel(master));
      await askRedis(master.url, async (client) => {
        await client.set('a', '1');
        await client.wait(1, 5_000);
      });
      expect(await sentinel.master()).toBe(`127.0.0.1:${master.port}`);
      await master.kill('SIGKILL');
      await expect.poll(() => sentinel.master(), { timeout: 20_000 }).toBe(`127.0.0.1:${replica.port}`);
      const [host, port] = sentinel.address.split(':');
      const client = new Redis({ sentinels: [{ host, port: Number(port) }], name: sentinel.name });
      expect(await client.set('b', await client.get('a').then(String))).toBe('OK');
      client.disconnect();
    },
    START,
  );

  it(
    'makes a cluster of three masters that serves every slot',
    async () => {
      const cluster = kept(await startRedisCluster());
      const nodes = cluster.addresses.map((address) => {
        const [host, port] = address.split(':');
        return { host, port: Number(port) };
      });
      const client = new Cluster(nodes);
      const keys = Array.from({ length: 50 }, (_, i) => `key-${i}`);
      for (const key of keys) await client.set(key, key);
      expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys);
      const sizes = await Promise.all(cluster.nodes.map(({ url }) => askRedis(url, (node) => node.dbsize())));
      expect(sizes.every((size) => size > 0)).toBe(true);
      client.disconnect();
      await cluster.nodes[1].restart();
      expect(await askRedis(cluster.nodes[1].url, (node) => node.dbsize())).toBe(sizes[1]);
    },
    START,
  );
});
