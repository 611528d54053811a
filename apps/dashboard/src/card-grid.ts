/** The cards of the streams on show, by group; draws only those in view, at most eight times a second. */
import { el } from './dom.js';
import type { Frame, StreamFrame } from './protocol.js';
import { StreamBuffer } from './stream-buffer.js';
import { StreamCard } from './stream-card.js';
import { onThemeChange } from './theme.js';

const REDRAW_MS = 125;
/** What moves on the viewer's own machine comes before what was recorded long ago. */
const FIRST_GROUP = 'this machine';

export class CardGrid {
  readonly buffers = new Map<string, StreamBuffer>();
  private readonly frames = new Map<string, StreamFrame>();
  private readonly cards = new Map<string, StreamCard>();
  private readonly groups = new Map<string, HTMLElement>();
  private readonly cardOf = new WeakMap<Element, StreamCard>();
  private readonly inView: IntersectionObserver;
  private readonly resized: ResizeObserver;
  private readonly drawListeners = new Set<(now: number) => void>();
  private now = 0;
  private drawnAt = 0;

  constructor(private readonly root: HTMLElement) {
    this.inView = new IntersectionObserver((entries) => this.see(entries), { rootMargin: '120px' });
    this.resized = new ResizeObserver((entries) => {
      for (const { target } of entries) this.cardOf.get(target)?.markDirty();
    });
    onThemeChange(() => this.cards.forEach((card) => card.markDirty()));
    const tick = (at: number): void => {
      if (at - this.drawnAt >= REDRAW_MS) {
        this.drawnAt = at;
        for (const card of this.cards.values()) card.render(this.now);
        for (const draw of this.drawListeners) draw(this.now);
      }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  get size(): number {
    return this.cards.size;
  }

  frameOf(id: string): StreamFrame | undefined {
    return this.frames.get(id);
  }

  /** Called in the rhythm of the cards. */
  onDraw(listener: (now: number) => void): void {
    this.drawListeners.add(listener);
  }

  take(frame: Frame, first: boolean): void {
    this.now = frame.now;
    if (first) this.forgetAllBut(new Set(frame.streams.map(({ id }) => id)));
    for (const stream of frame.streams) {
      let buffer = this.buffers.get(stream.id);
      if (buffer === undefined) this.buffers.set(stream.id, (buffer = new StreamBuffer()));
      buffer.take(stream, first);
      this.frames.set(stream.id, stream);
      this.card(stream, buffer).take(stream);
    }
  }

  private card(stream: StreamFrame, buffer: StreamBuffer): StreamCard {
    const known = this.cards.get(stream.id);
    if (known?.isOf(stream)) return known;
    if (known !== undefined) this.drop(stream.id);
    const card = new StreamCard(stream, buffer);
    this.cards.set(stream.id, card);
    this.cardOf.set(card.root, card);
    this.group(stream.group).append(card.root);
    this.inView.observe(card.root);
    this.resized.observe(card.root);
    return card;
  }

  private group(name: string): HTMLElement {
    const known = this.groups.get(name);
    if (known !== undefined) return known;
    const grid = el('div', { class: 'grid' });
    const section = el('section', { class: 'group', 'aria-label': name }, el('h2', {}, name), grid);
    if (name === FIRST_GROUP) this.root.prepend(section);
    else this.root.append(section);
    this.groups.set(name, grid);
    return grid;
  }

  private forgetAllBut(ids: ReadonlySet<string>): void {
    for (const id of [...this.cards.keys()]) {
      if (ids.has(id)) continue;
      this.drop(id);
      this.buffers.delete(id);
      this.frames.delete(id);
    }
  }

  private drop(id: string): void {
    const card = this.cards.get(id)!;
    this.inView.unobserve(card.root);
    this.resized.unobserve(card.root);
    card.destroy();
    this.cards.delete(id);
    for (const [name, grid] of this.groups) {
      if (grid.childElementCount > 0) continue;
      grid.parentElement!.remove();
      this.groups.delete(name);
    }
  }

  private see(entries: readonly IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      const card = this.cardOf.get(target);
      if (card !== undefined) card.visible = isIntersecting;
    }
  }
}
