/** The page's head: rate, totals, and how the connection stands. */
import { byId, el, setAttribute, setText } from './dom.js';
import { duration, NOTHING, number } from './format.js';
import type { Frame } from './frame.types.js';
import type { LiveConnection } from './live-connection.js';

const STATE_WORDS = { connecting: 'connecting…', live: 'live', lost: 'disconnected, retrying' };

export class Top {
  private readonly rate = el('dd', { id: 'rate' }, NOTHING);
  private readonly total = el('dd', { id: 'total' }, NOTHING);
  private readonly rejected = el('dd', { id: 'rejected' }, NOTHING);
  private readonly state = byId('link-state');
  private readonly lost = byId('lost');
  private readonly problem = byId('problem');
  private readonly words = el('span');
  private readonly since = el('span', { class: 'since', 'aria-hidden': 'true' });

  constructor() {
    const figure = (name: string, value: HTMLElement): HTMLElement => el('div', {}, el('dt', {}, name), value);
    byId('figures').append(
      figure('ticks/s', this.rate),
      figure('ticks', this.total),
      figure('dead letters', this.rejected),
    );
    this.state.replaceChildren(el('i', { class: 'lamp', 'aria-hidden': 'true' }), this.words, this.since);
  }

  show(frame: Frame): void {
    setText(this.rate, number(frame.ticksPerSecond, frame.ticksPerSecond < 1000 ? 1 : 0));
    setText(this.total, number(frame.ticksTotal, 0));
    setText(this.rejected, number(frame.deadLettersTotal, 0));
    setAttribute(this.rejected, 'data-some', String(frame.deadLettersTotal > 0));
    const problem = frame.problem ?? '';
    this.problem.hidden = problem === '';
    setText(this.problem, problem);
  }

  /** Once a second, and whenever the connection changes. */
  link({ state, since }: LiveConnection): void {
    const time = duration(Date.now() - since);
    setAttribute(this.state, 'data-state', state);
    setText(this.words, STATE_WORDS[state]);
    setText(this.since, state === 'connecting' ? '' : time);
    setAttribute(document.body, 'data-link', state);
    this.lost.hidden = state !== 'lost';
    setText(this.lost, state === 'lost' ? `Disconnected, retrying. What you see is ${time} old.` : '');
  }
}
