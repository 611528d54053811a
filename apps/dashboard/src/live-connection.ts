/** The feed of GET /live: reconnects by itself, and says in which state it is. */
import type { Frame } from './protocol.js';

export type ConnectionState = 'connecting' | 'live' | 'lost';

/** Frames come four times a second; silence this long means the connection is dead though nobody closed it. */
const SILENCE_MS = 6_000;
const RETRY_MS = 1_500;

export class LiveConnection {
  private source: EventSource | undefined;
  private silence = 0;
  private retry = 0;
  private first = true;

  constructor(
    private readonly onFrame: (frame: Frame, first: boolean) => void,
    private readonly onState: (state: ConnectionState) => void,
  ) {}

  start(): void {
    this.onState('connecting');
    this.connect();
    // A machine that slept comes back with a connection that only looks alive.
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && this.source?.readyState === EventSource.CLOSED) this.connect();
    });
  }

  private connect(): void {
    clearTimeout(this.retry);
    this.source?.close();
    const source = new EventSource('live');
    this.source = source;
    this.first = true;
    source.addEventListener('open', () => {
      // The browser reconnected: what comes next is the whole history again, not what is new.
      this.first = true;
      this.listen();
    });
    source.addEventListener('frame', (event) => {
      this.listen();
      this.onState('live');
      this.onFrame(JSON.parse((event as MessageEvent<string>).data) as Frame, this.first);
      this.first = false;
    });
    source.addEventListener('error', () => {
      this.lost();
      // The browser retries a broken connection, but gives up on an answer other than 200.
      if (source.readyState === EventSource.CLOSED) this.reconnectSoon();
      else this.listen();
    });
    this.listen();
  }

  private listen(): void {
    clearTimeout(this.silence);
    this.silence = window.setTimeout(() => {
      this.lost();
      this.source?.close();
      this.reconnectSoon();
    }, SILENCE_MS);
  }

  private lost(): void {
    clearTimeout(this.silence);
    this.onState('lost');
  }

  private reconnectSoon(): void {
    clearTimeout(this.retry);
    this.retry = window.setTimeout(() => this.connect(), RETRY_MS);
  }
}
