/** A broker of a test's own with listeners that are reached through proxies. */
import { KafkaProxy } from '../kafka-proxy.js';
import { startKafka, type KafkaOptions, type OwnKafka } from './kafka.js';
import { freePorts } from './ports.js';

export interface KafkaBehindProxy {
  /** Direct, beside the proxies: for a test's own producing and reading. */
  readonly kafka: OwnKafka;
  /** The first proxy. */
  readonly proxy: KafkaProxy;
  readonly brokers: string[];
  /** All of them: one for each worker that is to have troubles of its own. */
  readonly proxies: readonly { readonly proxy: KafkaProxy; readonly brokers: string[] }[];
  stop(): Promise<void>;
}

/** The broker tells clients that come through a proxy that proxy's address only, so all they do goes through it. */
export async function startKafkaBehindProxy(
  options: KafkaOptions & { proxies?: number } = {},
): Promise<KafkaBehindProxy> {
  const ports = await freePorts(options.proxies ?? 1);
  const proxies = await Promise.all(
    ports.map(async (port) => {
      const proxy = await new KafkaProxy(port).start();
      return { proxy, port, brokers: [`127.0.0.1:${proxy.port}`] };
    }),
  );
  const listeners = proxies.map(({ port, brokers }, i) => ({ name: `PROXY${i}`, port, advertised: brokers[0] }));
  const kafka = await startKafka({ ...options, listeners: [...listeners, ...(options.listeners ?? [])] });
  return {
    kafka,
    proxies,
    ...proxies[0],
    stop: async () => {
      await kafka.stop();
      await Promise.all(proxies.map(({ proxy }) => proxy.stop()));
    },
  };
}
