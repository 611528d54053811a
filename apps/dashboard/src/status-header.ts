/** The header's figures, and whether what one sees is live. */
import { byId, setAttribute, setHidden, setText } from './dom.js';
import { count } from './format.js';
import type { ConnectionState } from './live-connection.js';
import type { Frame } from './protocol.js';

const TEXT: Readonly<Record<ConnectionState, string>> = {
  connecting: 'connecting…',
  live: 'live',
  lost: 'disconnected, retrying…',
};

export class StatusHeader {
  private readonly rate = byId('ticks-per-second');
  private readonly total = byId('ticks-total');
  private readonly dead = byId('dead-letters');
  private readonly deadFigure = byId('dead-letters-figure');
  private readonly connection = byId('connection');

  show(state: ConnectionState): void {
    setText(this.connection, TEXT[state]);
    setAttribute(this.connection, 'data-state', state);
    // Figures of a lost connection are the last known ones, and look like it.
    setAttribute(document.body, 'data-connection', state);
  }

  take(frame: Frame): void {
    const { ticksPerSecond: rate } = frame;
    setText(this.rate, rate < 100 ? rate.toFixed(1) : count(rate));
    setText(this.total, count(frame.ticksTotal));
    setText(this.dead, count(frame.deadLettersTotal));
    setHidden(this.deadFigure, frame.deadLettersTotal === 0);
  }
}
