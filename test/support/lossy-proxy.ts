/** Stands between a client and a server, and breaks connections where a test wants it. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class LossyProxy {
  readonly port: number;
  private readonly sockets = new Set<Socket>();
  private losing: ((request: Buffer) => boolean) | undefined;
  private lost: (() => void) | undefined;

  private constructor(
    private readonly server: Server,
    private readonly target: { host: string; port: number },
  ) {
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => this.join(client));
  }

  static start(target: { host: string; port: number }): Promise<LossyProxy> {
    return new Promise((resolve) => {
      const server = createServer();
      server.listen(0, '127.0.0.1', () => resolve(new LossyProxy(server, target)));
    });
  }

  /** The next request of that kind reaches the server, but its connection breaks before the reply comes back. */
  loseReply(ofRequest: (request: Buffer) => boolean): Promise<void> {
    this.losing = ofRequest;
    return new Promise((resolve) => (this.lost = resolve));
  }

  /** Breaks all connections, and refuses new ones until `accept`. */
  refuse(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  accept(): Promise<void> {
    return new Promise((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
  }

  private join(client: Socket): void {
    const server = connect(this.target);
    let loses = false;
    for (const socket of [client, server]) {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    client.on('data', (request) => {
      if (this.losing?.(request) === true) {
        loses = true;
        this.losing = undefined;
      }
      server.write(request);
    });
    server.on('data', (reply) => {
      if (!loses) client.write(reply);
      else {
        client.destroy();
        this.lost?.();
      }
    });
  }
}
