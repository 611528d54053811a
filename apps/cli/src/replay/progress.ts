/** How far a replay is: one line that rewrites itself on a terminal, a line now and then elsewhere. */
import { note } from '../output.js';
import type { Summary } from './replay.js';

export class Progress {
  private timer: NodeJS.Timeout | undefined;
  private shown = false;

  start(summary: () => Summary): void {
    const tty = process.stderr.isTTY;
    this.timer = setInterval(
      () => {
        const { ticks, predictions, rejected } = summary();
        const answered = predictions === undefined ? '' : `, ${predictions} predictions`;
        const text = `replaying: ${ticks} ticks${answered}, ${rejected} rejected`;
        if (tty) process.stderr.write(`\r\x1b[K${text}`);
        else note(text);
        this.shown = tty;
      },
      tty ? 200 : 5000,
    );
  }

  /** Before anything else is written to stderr. */
  clear(): void {
    if (this.shown) process.stderr.write('\r\x1b[K');
    this.shown = false;
  }

  stop(): void {
    clearInterval(this.timer);
    this.clear();
  }
}
