/** A Kafka broker of a test's own: one KRaft node as a local process, on Java 17. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { installKafka, type KafkaVersion } from './kafka-install.js';
import { freePorts } from './ports.js';
import { run } from './programs.js';
import { ServerProcess, serverFolder } from './server-process.js';

export interface KafkaOptions {
  readonly version?: KafkaVersion;
  /** Of the plain listener. Default: a free one. */
  readonly port?: number;
  /** `host:port` that clients are told instead of the broker's own: a proxy's. */
  readonly advertised?: string;
  /** Broker settings, over the defaults below. */
  readonly config?: Readonly<Record<string, string | number>>;
}

export interface OwnKafka {
  readonly brokers: string[];
  readonly port: number;
  readonly process: ServerProcess;
  /** SIGKILL and SIGTERM resolve once it is gone; SIGSTOP holds it, SIGCONT lets it go on. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** On the same port and data. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

const JVM = ['-Xms128m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];
const LOG = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';

/** Resolves once the broker answers. */
export async function startKafka(options: KafkaOptions = {}): Promise<OwnKafka> {
  const jars = await installKafka(options.version);
  const [free, controller] = await freePorts(2);
  const port = options.port ?? free;
  const address = `127.0.0.1:${port}`;
  const folder = serverFolder('kafka');
  const properties = join(folder, 'server.properties');
  const settings = { ...settingsOf(folder, address, controller, options.advertised ?? address), ...options.config };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  writeFileSync(properties, lines.join('\n'));
  const java = [...JVM, LOG, '-cp', join(jars, '*')];
  const format = ['kafka.tools.StorageTool', 'format', '-t', 'AAAAAAAAAAAAAAAAAAAAAQ', '-c', properties];
  await run('java', [...java, ...format]);
  const server = new ServerProcess(folder, {
    command: 'java',
    args: [...java, 'kafka.Kafka', properties],
    isReady: () => isServing(address),
  });
  await server.start();
  return {
    brokers: [options.advertised ?? address],
    port,
    process: server,
    kill: (signal) => server.kill(signal),
    restart: () => server.restart(),
    stop: () => server.stop(),
  };
}

const settingsOf = (
  folder: string,
  address: string,
  controller: number,
  advertised: string,
): Record<string, string | number> => ({
  'process.roles': 'broker,controller',
  'node.id': 1,
  'controller.quorum.voters': `1@127.0.0.1:${controller}`,
  listeners: `PLAINTEXT://${address},CONTROLLER://127.0.0.1:${controller}`,
  'advertised.listeners': `PLAINTEXT://${advertised}`,
  'controller.listener.names': 'CONTROLLER',
  'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
  'log.dirs': join(folder, 'data'),
  'num.partitions': 4,
  'group.initial.rebalance.delay.ms': 0,
  // Internal topics of one small node: quick to make, quick to load again.
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 4,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'transaction.state.log.num.partitions': 4,
});

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
