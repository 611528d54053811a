/** Several Redis processes that belong together: a sentinel over a master, and a cluster. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from './ports.js';
import { waitUntil } from './programs.js';
import { askRedis, startRedis, untilInfo, type OwnRedis } from './redis.js';
import { ServerProcess, controlOf, serverFolder, type Control } from './server-process.js';

const SLOTS = 16_384;

export interface Sentinel extends Control {
  /** `host:port`. */
  readonly address: string;
  /** What clients ask for the master by. */
  readonly name: string;
  /** `host:port` of the present master. */
  master(): Promise<string>;
}

/** A sentinel that knows the master and its replicas when it resolves; alone it is its own majority. It promotes a replica about a second after the master is gone. */
export async function startSentinel(
  master: OwnRedis,
  { name = 'main', quorum = 1, replicas = 1 } = {},
): Promise<Sentinel> {
  const [port] = await freePorts(1);
  const folder = serverFolder('sentinel');
  const file = join(folder, 'sentinel.conf');
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor ${name} 127.0.0.1 ${master.port} ${quorum}`,
    `sentinel down-after-milliseconds ${name} 500`,
    `sentinel failover-timeout ${name} 2000`,
  ];
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
  const url = `redis://127.0.0.1:${port}`;
  const server = new ServerProcess(folder, {
    command: 'redis-server',
    args: [file, '--sentinel'],
    isReady: () => askRedis(url, async (client) => (await client.info('sentinel')).includes(`status=ok`)),
  });
  await server.start();
  await askRedis(url, (client) => untilInfo(client, 'sentinel', `slaves=${replicas}`));
  return {
    address: `127.0.0.1:${port}`,
    name,
    master: async () => {
      const answer = await askRedis(url, (client) => client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name));
      return (answer as string[]).join(':');
    },
    ...controlOf(server),
  };
}

export interface RedisCluster {
  /** Masters, each with a third of the slots. */
  readonly nodes: readonly OwnRedis[];
  /** `host:port` each. */
  readonly addresses: string[];
  stop(): Promise<void>;
}

/** Three masters; all of them see the whole cluster when it resolves. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const ports = await freePorts(6);
  const nodes = await Promise.all(
    [0, 1, 2].map((i) =>
      startRedis({
        port: ports[i],
        args: [
          ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'],
          ...['--cluster-port', String(ports[3 + i]), '--cluster-node-timeout', '2000'],
        ],
      }),
    ),
  );
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    for (const [i, node] of nodes.entries()) {
      const [from, to] = [i, i + 1].map((third) => Math.floor((third * SLOTS) / nodes.length));
      await askRedis(node.url, async (client) => {
        await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to - 1);
        // Ranks of their own, or they would have to be bumped apart.
        await client.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
        if (i > 0) await client.call('CLUSTER', 'MEET', '127.0.0.1', ports[0], ports[3]);
      });
    }
    for (const node of nodes)
      await askRedis(node.url, (client) =>
        waitUntil(
          'the cluster is whole',
          async () => {
            const info = String(await client.call('CLUSTER', 'INFO'));
            return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes.length}`);
          },
          20_000,
        ),
      );
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes, addresses: nodes.map(({ port }) => `127.0.0.1:${port}`), stop };
}
