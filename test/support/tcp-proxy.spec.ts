import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TcpProxy } from './tcp-proxy.js';

let echo: Server;
let proxy: TcpProxy;

beforeEach(async () => {
  echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  proxy = await new TcpProxy((echo.address() as AddressInfo).port).start();
});
afterEach(async () => {
  await proxy.stop();
  echo.close();
});

interface Client {
  readonly socket: Socket;
  received: string;
  closed: boolean;
}
function client(): Client {
  const self: Client = { socket: connect(proxy.port, '127.0.0.1'), received: '', closed: false };
  self.socket.on('data', (data) => (self.received += data.toString()));
  self.socket.on('error', () => undefined);
  self.socket.on('close', () => (self.closed = true));
  return self;
}
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

it('passes bytes on in both directions', async () => {
  const one = client();
  one.socket.write('a');
  await expect.poll(() => one.received).toBe('a');
  expect(proxy.connections).toBe(1);
  one.socket.end();
  await expect.poll(() => proxy.connections).toBe(0);
});

it('cuts open connections and refuses new ones until it is resumed', async () => {
  const one = client();
  one.socket.write('a');
  await expect.poll(() => one.received).toBe('a');
  proxy.cut();
  const two = client();
  await expect.poll(() => [one.closed, two.closed]).toEqual([true, true]);
  proxy.resume();
  const three = client();
  three.socket.write('c');
  await expect.poll(() => three.received).toBe('c');
});

it('breaks the open connections only', async () => {
  const one = client();
  one.socket.write('a');
  await expect.poll(() => one.received).toBe('a');
  proxy.disconnect();
  await expect.poll(() => one.closed).toBe(true);
  const two = client();
  two.socket.write('b');
  await expect.poll(() => two.received).toBe('b');
});

it.each(['both', 'requests', 'responses'] as const)(
  'holds %s while stalled, and lets go what it held',
  async (which) => {
    const one = client();
    proxy.stall(which);
    one.socket.write('a');
    await pause(100);
    expect([one.received, one.closed]).toEqual(['', false]);
    proxy.resume();
    await expect.poll(() => one.received).toBe('a');
  },
);

it('delays', async () => {
  const one = client();
  proxy.delay(150);
  const start = performance.now();
  one.socket.write('a');
  await expect.poll(() => one.received, { interval: 5 }).toBe('a');
  expect(performance.now() - start).toBeGreaterThan(145);
});

it('delivers what it held even if the client has died meanwhile', async () => {
  let arrived = '';
  const sink = createServer((socket) =>
    socket.on('error', () => undefined).on('data', (data) => (arrived += data.toString())),
  );
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  const before = await new TcpProxy((sink.address() as AddressInfo).port).start();
  before.stall('requests');
  const socket = connect(before.port, '127.0.0.1');
  socket.write('late', () => setTimeout(() => socket.resetAndDestroy(), 50));
  await pause(100);
  expect(arrived).toBe('');
  before.resume();
  await expect.poll(() => arrived).toBe('late');
  await before.stop();
  sink.close();
});
