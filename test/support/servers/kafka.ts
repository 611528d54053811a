/** A Kafka broker of a test's own: one KRaft node as a local process, on Java 17. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { archiveOf, installKafka, type KafkaVersion } from './kafka-install.js';
import { freePorts } from './ports.js';
import { run } from './programs.js';
import { ServerProcess, controlOf, serverFolder, type Control } from './server-process.js';

type Settings = Readonly<Record<string, string | number>>;

export interface Listener {
  readonly name: string;
  readonly port: number;
  /** Default PLAINTEXT. */
  readonly protocol?: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';
  /** `host:port` that clients of this listener are told instead of its own: a proxy's. */
  readonly advertised?: string;
}

export interface KafkaOptions {
  readonly version?: KafkaVersion;
  /** Of the plain listener. Default: a free one. */
  readonly port?: number;
  /** Broker settings, over the defaults below. */
  readonly config?: Settings;
  /** Beside the plain one. */
  readonly listeners?: readonly Listener[];
  /** More arguments of the storage tool's `format`. */
  readonly format?: readonly string[];
  /** More of the JVM's flags. */
  readonly jvm?: readonly string[];
}

export interface OwnKafka extends Control {
  /** Of the plain listener. */
  readonly brokers: string[];
  readonly port: number;
}

// Quick to start rather than quick in the long run.
const JVM = ['-Xms128m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];
const LOG = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
const CLUSTER = 'AAAAAAAAAAAAAAAAAAAAAQ';

/** Resolves once the broker answers. */
export async function startKafka(options: KafkaOptions = {}): Promise<OwnKafka> {
  const jars = await installKafka(options.version);
  const [free, controller] = await freePorts(2);
  const port = options.port ?? free;
  const address = `127.0.0.1:${port}`;
  const folder = serverFolder('kafka');
  const file = join(folder, 'server.properties');
  const listeners = [{ name: 'PLAIN', port }, ...(options.listeners ?? [])];
  const settings = {
    'log.dirs': join(folder, 'data'),
    ...listenerSettings(listeners, controller),
    ...SMALL,
    ...options.config,
  };
  writeFileSync(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  const archive = archiveOf(jars);
  const shared = existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`] : [];
  const java = [...JVM, ...shared, LOG, '-cp', join(jars, '*')];
  const format = ['kafka.tools.StorageTool', 'format', '-t', CLUSTER, '-c', file, ...(options.format ?? [])];
  await run('java', [...java, ...format]);
  const server = new ServerProcess(folder, {
    command: 'java',
    args: [...(options.jvm ?? []), ...java, 'kafka.Kafka', file],
    isReady: () => isServing(address),
  });
  await server.start();
  return { brokers: [address], port, ...controlOf(server) };
}

// Internal topics of one small node: quick to make, quick to load again.
const SMALL: Settings = {
  'num.partitions': 4,
  'group.initial.rebalance.delay.ms': 0,
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 4,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'transaction.state.log.num.partitions': 4,
  // A killed broker is let in again only when the session of its former self is over; the default makes a restart wait 9 s.
  'broker.session.timeout.ms': 4_000,
  'broker.heartbeat.interval.ms': 1_000,
};

function listenerSettings(listeners: readonly Listener[], controller: number): Settings {
  const list = (map: (listener: Listener) => string): string => listeners.map(map).join(',');
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAIN',
    listeners: `CONTROLLER://127.0.0.1:${controller},${list(({ name, port }) => `${name}://127.0.0.1:${port}`)}`,
    'advertised.listeners': list(({ name, port, advertised }) => `${name}://${advertised ?? `127.0.0.1:${port}`}`),
    'listener.security.protocol.map': `CONTROLLER:PLAINTEXT,${list(({ name, protocol }) => `${name}:${protocol ?? 'PLAINTEXT'}`)}`,
  };
}

/** Whether the broker at `host:port` answers and knows itself as a live member of its cluster. */
export async function isServing(address: string): Promise<boolean> {
  const admin = new Kafka({
    brokers: [address],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1_000,
    retry: { retries: 0 },
  }).admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.length > 0;
  } finally {
    await admin.disconnect();
  }
}
