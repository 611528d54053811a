/** Ports for servers and proxies on loopback. */
import { createServer, connect } from 'node:net';

// Below the ports the kernel gives to outgoing connections: a server that is down for a while finds its port free when it comes back,
// and a client that calls it meanwhile cannot by chance be connected to itself.
const [LOWEST, HIGHEST] = [20_000, 32_000];

/** `count` different ports that nothing listens on. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

/** Whether something accepts connections at `host:port` within `timeout` ms. */
export const answers = (address: string, timeout = 2_000): Promise<boolean> =>
  new Promise((resolve) => {
    const colon = address.lastIndexOf(':');
    const socket = connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
    const end = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(timeout, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
