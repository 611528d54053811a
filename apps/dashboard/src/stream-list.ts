/** All streams, page by page, and a search through their ids. */
import { byId, el, setHidden, setText } from './dom.js';
import { count, moment, number } from './format.js';
import type { StreamPage, StreamRow } from './protocol.js';
import { streamHref } from './route.js';
import { verdict } from './verdict.js';

const PAGE = 20;
const REFRESH_MS = 3000;
/** A search reads the list in big pages; it stops when it has enough to show. */
const SEARCH_PAGE = 1000;
const MAX_FOUND = 50;
const TYPING_MS = 250;

export class StreamList {
  private readonly section = byId('all-streams');
  private readonly body = byId('stream-rows');
  private readonly note = byId('stream-note');
  private readonly previous = byId<HTMLButtonElement>('stream-previous');
  private readonly next = byId<HTMLButtonElement>('stream-next');
  private readonly search = byId<HTMLInputElement>('stream-search');
  /** Cursors of the pages up to the one shown; the first page has none. */
  private cursors: (string | undefined)[] = [undefined];
  private following: string | null = null;
  private request = new AbortController();
  private timer = 0;
  private visible = false;

  constructor() {
    this.previous.addEventListener('click', () => this.turn(() => this.cursors.pop()));
    this.next.addEventListener('click', () => this.turn(() => this.cursors.push(this.following ?? undefined)));
    this.search.addEventListener('input', () => {
      this.cursors = [undefined];
      this.soon(TYPING_MS);
    });
    byId('stream-search-form').addEventListener('submit', (event) => {
      event.preventDefault();
      // Enter goes to the stream of that very name, listed or not.
      if (this.search.value.trim() !== '') location.hash = streamHref(this.search.value.trim());
    });
    new IntersectionObserver(([entry]) => {
      this.visible = entry.isIntersecting;
      if (this.visible) this.soon(0);
    }).observe(this.section);
  }

  private turn(change: () => void): void {
    change();
    // A second click before the page is here would go by the cursor of the first.
    this.previous.disabled = this.next.disabled = true;
    this.soon(0);
  }

  private soon(ms: number): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.refresh(), ms);
  }

  private async refresh(): Promise<void> {
    this.request.abort();
    this.request = new AbortController();
    const { signal } = this.request;
    const wanted = this.search.value.trim();
    try {
      if (wanted === '') await this.showPage(signal);
      else await this.find(wanted.toLowerCase(), signal);
    } catch {
      if (!signal.aborted) setText(this.note, 'the service does not answer; retrying…');
    }
    if (!signal.aborted && this.visible && !document.hidden) this.soon(REFRESH_MS);
    else if (!signal.aborted) this.soon(4 * REFRESH_MS);
  }

  private async showPage(signal: AbortSignal): Promise<void> {
    if (!this.visible) return;
    const page = await read(PAGE, this.cursors.at(-1), signal);
    if (signal.aborted) return;
    this.following = page.cursor;
    this.show(page.streams);
    const first = (this.cursors.length - 1) * PAGE + 1;
    setText(
      this.note,
      page.streams.length === 0 ? 'no streams yet' : `${count(first)} to ${count(first + page.streams.length - 1)}`,
    );
    this.turnable(this.cursors.length > 1, page.cursor !== null);
  }

  private async find(wanted: string, signal: AbortSignal): Promise<void> {
    const found: StreamRow[] = [];
    let cursor: string | undefined;
    let seen = 0;
    do {
      const page = await read(SEARCH_PAGE, cursor, signal);
      if (signal.aborted) return;
      seen += page.streams.length;
      found.push(...page.streams.filter(({ id }) => id.toLowerCase().includes(wanted)));
      cursor = page.cursor ?? undefined;
      setText(this.note, `searching, ${count(seen)} streams so far…`);
    } while (cursor !== undefined && found.length <= MAX_FOUND);
    this.show(found.slice(0, MAX_FOUND));
    const more = found.length > MAX_FOUND ? `the first ${MAX_FOUND} matches` : `${count(found.length)} found`;
    setText(this.note, cursor === undefined ? `${more} among ${count(seen)} streams` : more);
    this.turnable(false, false);
  }

  private turnable(back: boolean, on: boolean): void {
    setHidden(this.previous.parentElement!, !back && !on);
    this.previous.disabled = !back;
    this.next.disabled = !on;
  }

  private show(streams: readonly StreamRow[]): void {
    // A refresh must not take the focus from the row one is about to open.
    const focused = (document.activeElement as HTMLElement | null)?.getAttribute('href');
    const now = Date.now();
    this.body.replaceChildren(...streams.map((stream) => rowOf(stream, now)));
    if (focused?.startsWith('#stream='))
      for (const link of this.body.querySelectorAll('a')) if (link.getAttribute('href') === focused) link.focus();
  }
}

async function read(limit: number, cursor: string | undefined, signal: AbortSignal): Promise<StreamPage> {
  const query = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
  const response = await fetch(`streams?limit=${limit}${query}`, { signal });
  if (!response.ok) throw new Error(`GET /streams answered ${response.status}`);
  return (await response.json()) as StreamPage;
}

function rowOf(stream: StreamRow, now: number): HTMLTableRowElement {
  const { text, tone } = verdict(stream);
  return el(
    'tr',
    {},
    el('td', { class: 'id' }, el('a', { href: streamHref(stream.id) }, stream.id)),
    el('td', { class: 'num' }, count(stream.ticks)),
    el('td', { class: 'num wide' }, moment(stream.ts, now)),
    el('td', { class: 'num' }, number(stream.value)),
    el('td', { class: 'num' }, number(stream.prediction)),
    el('td', { class: 'wide' }, el('span', { class: 'verdict', 'data-tone': tone }, text)),
  );
}
