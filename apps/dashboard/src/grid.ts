/** The cards by group, redrawn a few times a second at most, and only those that can be seen. */
import { Card } from './card.js';
import { byId, el } from './dom.js';
import type { Frame } from './frame.types.js';
import { Series } from './series.js';

const REDRAW_MS = 125;
const MAX_CARDS = 48;

export class Grid {
  private readonly root = byId('groups');
  private readonly groups = new Map<string, HTMLElement>();
  private readonly cards = new Map<string, Card>();
  private model: string | undefined;
  private lastDraw = 0;
  private waiting = false;
  private readonly seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries)
      for (const card of this.cards.values()) if (card.element === target) card.visible = isIntersecting;
    this.redraw();
  });

  /** Called after each redraw, for whatever else shows the same series. */
  constructor(private readonly onDraw: () => void) {}

  get size(): number {
    return this.cards.size;
  }

  series(id: string): Series | undefined {
    return this.cards.get(id)?.series;
  }

  take(frame: Frame, history: boolean): void {
    if (history) {
      const there = new Set(frame.streams.map(({ id }) => id));
      for (const id of [...this.cards.keys()]) if (!there.has(id)) this.remove(id);
    }
    const swapped = this.model !== undefined && frame.model !== null && frame.model.label !== this.model;
    for (const info of frame.streams) {
      let card = this.cards.get(info.id);
      if (card === undefined) {
        if (this.cards.size >= MAX_CARDS) continue;
        card = this.add(new Card(new Series(info)));
      }
      if (swapped) card.series.swap(frame.model!.label);
      card.series.take(info, frame.now, history);
      card.dirty = true;
    }
    // A first model is a change too, from none.
    this.model = frame.model?.label ?? '';
    this.redraw();
  }

  /** At once if the last time is long enough ago, else soon; never while the tab is hidden. */
  redraw(all = false): void {
    if (all) for (const card of this.cards.values()) card.dirty = true;
    if (this.waiting) return;
    this.waiting = true;
    setTimeout(
      () =>
        requestAnimationFrame(() => {
          this.waiting = false;
          this.lastDraw = performance.now();
          for (const card of this.cards.values()) if (card.dirty && card.visible) card.draw();
          this.onDraw();
        }),
      Math.max(0, this.lastDraw + REDRAW_MS - performance.now()),
    );
  }

  private add(card: Card): Card {
    const { id, group } = card.series.info;
    this.cards.set(id, card);
    this.groupOf(group).append(card.element);
    this.seen.observe(card.element);
    return card;
  }

  private remove(id: string): void {
    const card = this.cards.get(id)!;
    this.seen.unobserve(card.element);
    card.remove();
    this.cards.delete(id);
    const { group } = card.series.info;
    const cards = this.groups.get(group);
    if (cards?.childElementCount !== 0) return;
    cards.parentElement!.remove();
    this.groups.delete(group);
  }

  private groupOf(name: string): HTMLElement {
    let cards = this.groups.get(name);
    if (cards === undefined) {
      cards = el('div', { class: 'cards' });
      const title = name.charAt(0).toUpperCase() + name.slice(1);
      const section = el('section', { class: 'group' }, el('header', {}, el('h2', {}, title), legend()), cards);
      this.root.append(section);
      this.groups.set(name, cards);
    }
    return cards;
  }
}

function legend(): HTMLElement {
  const key = (kind: string, text: string): HTMLElement =>
    el('li', {}, el('i', { class: `key ${kind}`, 'aria-hidden': 'true' }), text);
  return el(
    'ul',
    { class: 'legend', 'aria-label': 'Legend' },
    key('actual', 'actual'),
    key('predicted', 'predicted before it came'),
    key('band', 'by baseline, blend, model'),
  );
}
