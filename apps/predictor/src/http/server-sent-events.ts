/** One server-sent-events client. A client that reads too slowly is cut off rather than kept in memory; EventSource reconnects by itself. */
import type { Request, Response } from 'express';

const MAX_WAITING_BYTES = 4 << 20;
const KEEP_ALIVE_MS = 15_000;

export class EventStream {
  private readonly keepAlive: NodeJS.Timeout;

  constructor(
    request: Request,
    private readonly response: Response,
    onClose: () => void,
  ) {
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      connection: 'keep-alive',
      'x-accel-buffering': 'no',
    });
    response.write('retry: 1000\n\n');
    this.keepAlive = setInterval(() => response.write(': still here\n\n'), KEEP_ALIVE_MS);
    request.on('close', () => {
      clearInterval(this.keepAlive);
      onClose();
    });
  }

  /** `text`: whole events, each ending with an empty line. */
  send(text: string): void {
    if (this.response.writableLength > MAX_WAITING_BYTES) this.response.destroy();
    else this.response.write(text);
  }
}
