/** The adapters every contract suite runs on. A new adapter joins here. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileModelRegistry } from '#adapters/files/file-model-registry';
import { FileStateStore } from '#adapters/files/file-state-store';
import { FileTickLog } from '#adapters/files/file-tick-log';
import { MemoryModelRegistry } from '#adapters/memory/memory-model-registry';
import { MemoryStateStore } from '#adapters/memory/memory-state-store';
import { MemoryTickLog } from '#adapters/memory/memory-tick-log';
import type { RedisClient } from '#adapters/redis/redis-client';
import { RedisModelRegistry } from '#adapters/redis/redis-model-registry';
import { RedisStateStore } from '#adapters/redis/redis-state-store';
import type { ModelRegistry, StateStore, TickAppender, TickLog, WindowStore } from '#domain/ports';
import { NO_REDIS, connectToRedis, forget, ownApp, redisUrl } from '../support/redis-server.js';

/** Something under test, and what a restart of the process would give: the same thing, closed and opened again, where it has a memory beyond the process. */
export interface Subject<T> {
  readonly value: T;
  readonly restart: () => Promise<T>;
  readonly dispose: () => Promise<void>;
}

export interface Adapter<T, O> {
  readonly name: string;
  readonly create: (options: O) => Subject<T> | Promise<Subject<T>>;
  /** What it takes and is not there: its tests are skipped. */
  readonly missing?: string | undefined;
}

export interface LogOptions {
  readonly maxUnread?: number;
}

/** Parts of the contract that a kind of log cannot have, each with the reason: the tests of it are skipped. */
export interface LogLimits {
  /** Sources that append, with their positions and back-pressure. */
  readonly appending?: string;
  /** Batches of several topics. */
  readonly topics?: string;
  /** Times before 1970 and fractions of a millisecond. */
  readonly anyTime?: string;
  /** Offsets without gaps: outcomes that leave a record out are refused. */
  readonly dense?: string;
}

export interface LogAdapter extends Adapter<TickLog & TickAppender, LogOptions> {
  readonly lacks?: LogLimits;
  /** Runs of a property: fewer for a log whose restarts take their time. */
  readonly runs?: number;
}
export interface StoreOptions {
  readonly windowSegments: number;
}

const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), 'riverrun-contract-'));

function inMemory<T>(value: T, close: () => Promise<void>): Subject<T> {
  return { value, restart: () => Promise.resolve(value), dispose: close };
}

function inFolder<T>(make: (folder: string) => T, close: (value: T) => Promise<void>): Subject<T> {
  const folder = temporaryFolder();
  let current = make(folder);
  return {
    value: current,
    restart: async () => {
      await close(current);
      return (current = make(folder));
    },
    dispose: async () => {
      await close(current);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Files so small that a few operations already take the store through rolling and compaction. */
const SMALL = { fileBytes: 4096, syncMs: 60_000 };

const noRedis = (await redisUrl()) === undefined ? NO_REDIS : undefined;
if (noRedis !== undefined) console.warn(`adapters on Redis: skipped, ${noRedis}`);

async function inRedis<T>(
  make: (client: RedisClient, app: string) => T,
  close: (value: T) => Promise<void>,
): Promise<Subject<T>> {
  const app = ownApp();
  let client = await connectToRedis();
  let current = make(client, app);
  return {
    value: current,
    restart: async () => {
      await close(current);
      await client.close();
      client = await connectToRedis();
      return (current = make(client, app));
    },
    dispose: async () => {
      await close(current);
      if (client.isReady) await forget(client, app);
    },
  };
}

export const LOGS: readonly LogAdapter[] = [
  {
    name: 'memory',
    create: (options: LogOptions): Subject<TickLog & TickAppender> => {
      const log = new MemoryTickLog({ ...options, retain: true });
      return inMemory(log, () => log.close());
    },
  },
  {
    name: 'files',
    create: (options) =>
      inFolder(
        (folder) => new FileTickLog(folder, { ...options, ...SMALL }),
        (log) => log.close(),
      ),
  },
];

export const STORES: readonly Adapter<StateStore & WindowStore, StoreOptions>[] = [
  {
    name: 'memory',
    create: (options: StoreOptions): Subject<StateStore & WindowStore> => {
      const store = new MemoryStateStore(options);
      return inMemory(store, () => store.close());
    },
  },
  {
    name: 'files',
    create: (options) =>
      inFolder(
        (folder) => new FileStateStore(folder, { ...options, ...SMALL }),
        (store) => store.close(),
      ),
  },
  ...[undefined, 3].map((streamsPerScript): Adapter<StateStore & WindowStore, StoreOptions> => ({
    name: streamsPerScript === undefined ? 'redis' : 'redis, many scripts a commit',
    missing: noRedis,
    create: (options) =>
      inRedis(
        (client, app) =>
          new RedisStateStore(client, {
            ...options,
            ...(streamsPerScript !== undefined && { streamsPerScript }),
            app,
            topic: 'ticks',
            partition: 0,
          }),
        (store) => store.close(),
      ),
  })),
];

export const REGISTRIES: readonly Adapter<ModelRegistry, void>[] = [
  { name: 'memory', create: () => inMemory(new MemoryModelRegistry(), () => Promise.resolve()) },
  {
    name: 'files',
    create: () =>
      inFolder<ModelRegistry>(
        (folder) => new FileModelRegistry(folder),
        () => Promise.resolve(),
      ),
  },
  {
    name: 'redis',
    missing: noRedis,
    create: () =>
      inRedis<ModelRegistry>(
        (client, app) => new RedisModelRegistry(client, { app }),
        () => Promise.resolve(),
      ),
  },
];
