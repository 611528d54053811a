/** Every stream there is, page by page; the charts show only some of them. */
import { byId, el } from './dom.js';
import { figure, number, skill } from './format.js';
import type { ListedStream, StreamPage } from './frame.types.js';
import { streamHref } from './route.js';

const PAGE = 50;

export class StreamList {
  private readonly button = el('button', { type: 'button' }, 'List all streams');
  private readonly note = el('p', { class: 'note', role: 'status' });
  private readonly body = el('tbody');
  private readonly table: HTMLElement;
  private cursor: string | null = null;

  constructor() {
    const head = ['Stream', 'Ticks', 'Last', 'Next', 'Against persistence'];
    this.table = el(
      'div',
      { class: 'scroll', hidden: '', tabindex: '0', role: 'region', 'aria-label': 'Streams' },
      el(
        'table',
        {},
        el(
          'thead',
          {},
          el(
            'tr',
            {},
            ...head.map((name) => el('th', { scope: 'col', class: `c-${name.toLowerCase().split(' ')[0]}` }, name)),
          ),
        ),
        this.body,
      ),
    );
    byId('all').append(el('h2', {}, 'All streams'), this.table, this.note, this.button);
    this.button.addEventListener('click', () => void this.load());
  }

  private async load(): Promise<void> {
    this.button.disabled = true;
    this.note.textContent = 'loading…';
    try {
      const query = new URLSearchParams({ limit: String(PAGE) });
      if (this.cursor !== null) query.set('cursor', this.cursor);
      const answer = await fetch(`streams?${query}`, { signal: AbortSignal.timeout(10_000) });
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      const { streams, cursor } = (await answer.json()) as StreamPage;
      if (this.cursor === null) this.body.replaceChildren();
      this.body.append(...streams.map(row));
      this.cursor = cursor;
      const count = this.body.childElementCount;
      this.table.hidden = count === 0;
      this.button.textContent = cursor === null ? 'Read again' : `${PAGE} more`;
      const noun = count === 1 ? 'stream' : 'streams';
      this.note.textContent =
        cursor === null ? `${number(count, 0)} ${noun}, all of them` : `the first ${number(count, 0)} ${noun}`;
    } catch (error) {
      this.note.textContent = `Not read: ${error instanceof Error ? error.message : String(error)}.`;
    }
    this.button.disabled = false;
  }
}

function row(stream: ListedStream): HTMLElement {
  const { text, verdict } = skill(stream);
  return el(
    'tr',
    {},
    el('td', { class: 'c-stream' }, el('a', { href: streamHref(stream.id) }, el('bdi', {}, stream.id))),
    el('td', { class: 'c-ticks' }, number(stream.ticks, 0)),
    el('td', { class: 'c-last' }, figure(stream.value)),
    el('td', { class: 'c-next' }, figure(stream.prediction)),
    el('td', { class: 'c-against skill', 'data-verdict': verdict }, text),
  );
}
