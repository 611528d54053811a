/** A TCP proxy on loopback whose traffic a test can cut, stall and delay. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export type Direction = 'requests' | 'responses';
export type Directions = Direction | 'both';

/** One client's connection and the one made for it. */
export interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

interface Weather {
  /** ms that each piece of data is held. */
  delay: number;
  /** Resolves when the stall ends; undefined while there is none. */
  stalled: { readonly over: Promise<void>; readonly end: () => void } | undefined;
}

const DIRECTIONS: readonly Direction[] = ['requests', 'responses'];

export class TcpProxy {
  private readonly links = new Set<Link>();
  private readonly server: Server;
  private readonly weather: Record<Direction, Weather> = {
    requests: { delay: 0, stalled: undefined },
    responses: { delay: 0, stalled: undefined },
  };
  private refusing = false;

  /** In front of 127.0.0.1:`targetPort`. */
  constructor(private readonly targetPort: number) {
    this.server = createServer((client) => this.accept(client));
  }

  /** Listens on 127.0.0.1:`port`, by default a free one. */
  async start(port = 0): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, '127.0.0.1', resolve);
    });
    return this;
  }
  async stop(): Promise<void> {
    this.cut();
    this.resume();
    await new Promise((resolve) => this.server.close(resolve));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }
  /** Open connections. */
  get connections(): number {
    return this.links.size;
  }

  /** Breaks the open connections; new ones are served. */
  disconnect(): void {
    for (const link of this.links) close(link);
  }

  /** Breaks the open connections, and each new one at once, until `resume`. */
  cut(): void {
    this.refusing = true;
    this.disconnect();
  }

  /** Forwards nothing until `resume`; connections stay open and new ones are accepted. */
  stall(which: Directions = 'both'): void {
    for (const { weather } of this.of(which)) {
      if (weather.stalled !== undefined) continue;
      let end = (): void => undefined;
      const over = new Promise<void>((resolve) => (end = resolve));
      weather.stalled = { over, end };
    }
  }

  /** Holds each piece of data for `ms` before it goes on, in order; until `resume`. */
  delay(ms: number, which: Directions = 'responses'): void {
    for (const { weather } of this.of(which)) weather.delay = ms;
  }

  /** Ends cut, stall and delay: what was held goes on now. */
  resume(): void {
    this.refusing = false;
    for (const { weather } of this.of('both')) {
      weather.delay = 0;
      weather.stalled?.end();
      weather.stalled = undefined;
    }
  }

  /** Passes one piece of data on, or not: what a proxy that knows its protocol overrides. The next piece waits for it. */
  protected async forward(link: Link, direction: Direction, data: Buffer): Promise<void> {
    await write(direction === 'requests' ? link.server : link.client, data);
  }

  private of(which: Directions): { weather: Weather }[] {
    return DIRECTIONS.filter((d) => which === 'both' || which === d).map((d) => ({ weather: this.weather[d] }));
  }

  private accept(client: Socket): void {
    if (this.refusing) {
      client.destroy();
      return;
    }
    const link: Link = { client, server: connect(this.targetPort, '127.0.0.1') };
    this.links.add(link);
    for (const socket of [link.client, link.server]) {
      socket.setNoDelay(true);
      // `pump` meets the error too and does what there is to do.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        if (link.client.destroyed && link.server.destroyed) this.links.delete(link);
      });
    }
    void this.pump(link, 'requests');
    void this.pump(link, 'responses');
  }

  private async pump(link: Link, direction: Direction): Promise<void> {
    const weather = this.weather[direction];
    try {
      for await (const data of direction === 'requests' ? link.client : link.server) {
        if (weather.delay > 0) await new Promise((resolve) => setTimeout(resolve, weather.delay));
        await weather.stalled?.over;
        await this.forward(link, direction, data as Buffer);
      }
    } catch {
      // Broken instead of ended: the same for the other side.
    }
    // What was held when its client died still arrives: the server reads what it was sent before it sees the end.
    if (direction === 'requests') link.server.end();
    else link.client.end();
  }
}

/** Breaks both connections. */
export function close(link: Link): void {
  link.client.destroy();
  link.server.destroy();
}

/** Resolves once the data is handed to the kernel; at once if the socket is closed. */
export const write = (socket: Socket, data: Buffer): Promise<void> =>
  new Promise((resolve) => {
    if (socket.destroyed || socket.writableEnded) resolve();
    else socket.write(data, () => resolve());
  });
