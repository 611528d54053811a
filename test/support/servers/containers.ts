/** Kafka and Redis in containers, where a Docker daemon answers and has the images or can pull them. */
import type { ContainerRuntimeClient, GenericContainer, StartedTestContainer } from 'testcontainers';
import { isServing } from './kafka.js';
import { freePorts } from './ports.js';
import { waitUntil } from './programs.js';
import { askRedis } from './redis.js';
import { Guard } from './server-process.js';

/** How long the daemon may say nothing: behind a firewall a pull would hang for minutes. A pull that moves may take its time. */
const PATIENCE = 10_000;
const START_TIMEOUT = 90_000;
export const NO_DAEMON = 'no Docker daemon answers';

export interface SharedServer {
  readonly address: string;
  stop(): Promise<void>;
}

/** An Error with the reason where there is no daemon, or no image and no way to it. */
export async function startKafkaContainer(): Promise<SharedServer> {
  const { client, container } = await containerOf(process.env.RIVERRUN_TEST_KAFKA_IMAGE ?? 'apache/kafka:4.1.0');
  // Clients are told this address by the broker, so it has to be known before the start.
  const [port] = await freePorts(1);
  const address = `${client.info.containerRuntime.host}:${port}`;
  const environment = {
    KAFKA_NODE_ID: '1',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    // The broker calls itself, for transactions: it needs an address that leads to it from inside the container.
    KAFKA_LISTENERS: 'PLAINTEXT://:9092,CONTROLLER://:9093,INSIDE://:9094',
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://${address},INSIDE://localhost:9094`,
    KAFKA_INTER_BROKER_LISTENER_NAME: 'INSIDE',
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT',
    KAFKA_NUM_PARTITIONS: '4',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
  };
  const started = await start(container.withExposedPorts({ container: 9092, host: port }).withEnvironment(environment));
  return ready(started, address, () => isServing(address));
}

/** An Error with the reason where there is no daemon, or no image and no way to it. */
export async function startRedisContainer(): Promise<SharedServer> {
  const { container } = await containerOf(process.env.RIVERRUN_TEST_REDIS_IMAGE ?? 'redis:7');
  // Its port is published on loopback's behalf: seen from inside, clients come from elsewhere.
  const settings = { 'protected-mode': 'no', appendonly: 'yes', 'maxmemory-policy': 'noeviction', save: '' };
  const command = ['redis-server', ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])];
  const started = await start(container.withExposedPorts(6379).withCommand(command));
  const address = `redis://${started.getHost()}:${started.getMappedPort(6379)}`;
  return ready(started, address, () => askRedis(address, async (client) => (await client.ping()) === 'PONG'));
}

/** A container that starts but does not serve is stopped again. */
async function ready(
  started: StartedTestContainer,
  address: string,
  serves: () => Promise<boolean>,
): Promise<SharedServer> {
  const server = { address, stop: () => stop(started) };
  try {
    await waitUntil(`the container at ${address} serves`, () => serves().catch(() => false), START_TIMEOUT);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

async function containerOf(image: string): Promise<{ client: ContainerRuntimeClient; container: GenericContainer }> {
  // Its cleaner is one more image to pull; the guard in `start` does its work.
  process.env.TESTCONTAINERS_RYUK_DISABLED = 'true';
  const { GenericContainer, ImageName, getContainerRuntimeClient } = await import('testcontainers');
  const client = await soon(getContainerRuntimeClient(), NO_DAEMON).catch(() => {
    throw new Error(NO_DAEMON);
  });
  if (!(await client.image.exists(ImageName.fromString(image)))) await pull(client, image);
  return { client, container: new GenericContainer(image) };
}

async function pull(client: ContainerRuntimeClient, image: string): Promise<void> {
  const { dockerode } = client.container;
  const silent = `Docker has no image ${image} and its pull does not move`;
  const stream = await soon(dockerode.pull(image), silent);
  await new Promise<void>((resolve, reject) => {
    const giveUp = (): void => reject(new Error(silent));
    let timer = setTimeout(giveUp, PATIENCE);
    const end = (error: Error | null): void => {
      clearTimeout(timer);
      if (error === null) resolve();
      else reject(error);
    };
    const progress = (): void => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, PATIENCE);
    };
    dockerode.modem.followProgress(stream, end, progress);
  });
}

async function start(container: GenericContainer): Promise<StartedTestContainer> {
  const started = await container.withAutoRemove(true).withStartupTimeout(START_TIMEOUT).start();
  guards.set(started, new Guard(['docker', 'rm', '-f', started.getId()]));
  return started;
}

const guards = new Map<StartedTestContainer, Guard>();

async function stop(started: StartedTestContainer): Promise<void> {
  await started.stop({ timeout: 0 });
  guards.get(started)?.dismiss();
}

async function soon<T>(promise: Promise<T>, otherwise: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(otherwise)), PATIENCE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
