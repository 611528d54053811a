/** How far something is: one line that rewrites itself on a terminal, a line now and then elsewhere. */
import { note } from './output.js';

const TERMINAL_MS = 200;
const ELSEWHERE_MS = 5000;

export class ProgressLine {
  private last = performance.now();
  private shown = false;

  show(text: string): void {
    const { isTTY } = process.stderr;
    if (performance.now() - this.last < (isTTY ? TERMINAL_MS : ELSEWHERE_MS)) return;
    this.last = performance.now();
    if (isTTY) process.stderr.write(`\r\x1b[K${text}`);
    else note(text);
    this.shown = isTTY;
  }

  /** Before anything else is written to stderr. */
  clear(): void {
    if (this.shown) process.stderr.write('\r\x1b[K');
    this.shown = false;
  }
}
