/** Keeps the servers that all specs of a run share: vitest's global setup. It starts nothing until a spec asks; at the end it stops what it started. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestProject } from 'vitest/node';
import { NO_DAEMON, startKafkaContainer, startRedisContainer, type SharedServer } from './containers.js';
import { KAFKA_VERSIONS, missingForKafka } from './kafka-install.js';
import { prepareKafka } from './kafka-prepare.js';
import { startKafka } from './kafka.js';
import { answers } from './ports.js';
import { missingForRedis, startRedis } from './redis.js';

export type SharedKind = 'kafka' | 'redis';
/** The shared servers, and what it takes for servers of a spec's own (`startKafka`, `startRedis`). */
export type ServerKind = SharedKind | 'own-kafka' | 'own-redis';

export interface Found {
  /** Why it cannot be had; undefined where it can. */
  readonly reason?: string;
  /** Of a shared server: `host:port,…` or a redis URL. */
  readonly address?: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    /** `http://host:port` of the keeper. */
    serverKeeper: string;
  }
}

interface Source {
  readonly given: string;
  /** `host:port` of the first server of an address. */
  readonly first: (address: string) => string;
  readonly container: () => Promise<SharedServer>;
  readonly missing: () => Promise<string | undefined> | string | undefined;
  readonly process: () => Promise<SharedServer>;
}

const SOURCES: Record<SharedKind, Source> = {
  kafka: {
    given: 'KAFKA_BROKERS',
    first: (address) => address.split(',')[0],
    container: startKafkaContainer,
    missing: missingForKafka,
    process: async () => {
      await prepareKafka('4.1.0');
      const kafka = await startKafka();
      return { address: kafka.brokers.join(','), stop: () => kafka.stop() };
    },
  },
  redis: {
    given: 'REDIS_URL',
    first: (address) => `${new URL(address).hostname}:${new URL(address).port || 6379}`,
    container: startRedisContainer,
    missing: missingForRedis,
    process: async () => {
      const redis = await startRedis();
      return { address: redis.url, stop: () => redis.stop() };
    },
  },
};

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started: SharedServer[] = [];
  const found = new Map<string, Promise<Found>>();
  const keeper = createServer((request, response) => {
    const kind = request.url!.slice(1) as ServerKind;
    if (!found.has(kind)) found.set(kind, find(kind, started));
    void found.get(kind)!.then((result) => response.end(JSON.stringify(result)));
  });
  await new Promise<void>((resolve) => keeper.listen(0, '127.0.0.1', resolve));
  project.provide('serverKeeper', `http://127.0.0.1:${(keeper.address() as AddressInfo).port}`);
  return async () => {
    keeper.close();
    keeper.closeAllConnections();
    await Promise.allSettled(found.values());
    await Promise.all(started.map((server) => server.stop()));
  };
}

function find(kind: ServerKind, started: SharedServer[]): Promise<Found> {
  if (kind === 'own-kafka') return prepareVersions();
  if (kind === 'own-redis') return Promise.resolve(because(missingForRedis()));
  return findShared(SOURCES[kind], started);
}

const because = (reason: string | undefined): Found => (reason === undefined ? {} : { reason });

/** Here, so that workers do not all download the same. */
async function prepareVersions(): Promise<Found> {
  try {
    for (const version of KAFKA_VERSIONS) {
      const missing = await missingForKafka(version);
      if (missing !== undefined) return { reason: missing };
      await prepareKafka(version);
    }
    return {};
  } catch (error) {
    return { reason: (error as Error).message };
  }
}

/** An address given, else a container, else a process of our own. */
async function findShared(source: Source, started: SharedServer[]): Promise<Found> {
  const address = process.env[source.given];
  if (address !== undefined && address !== '')
    return (await answers(source.first(address)))
      ? { address }
      : { reason: `nothing answers at ${source.given}=${address}: start it, or unset ${source.given}` };
  const reasons = [`${source.given} is not set`];
  for (const start of [source.container, () => ownProcess(source)])
    try {
      const server = await start();
      started.push(server);
      return { address: server.address };
    } catch (error) {
      const { message } = error as Error;
      reasons.push(message);
      // Docker was there to be used: whoever set it up wants to know.
      if (message !== NO_DAEMON && start === source.container)
        console.warn(`no container (${source.given}): ${message}`);
    }
  return { reason: reasons.join('; ') };
}

async function ownProcess(source: Source): Promise<SharedServer> {
  const missing = await source.missing();
  if (missing !== undefined) throw new Error(missing);
  return source.process();
}
