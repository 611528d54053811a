/** A chart card: the stream's name, its last value, the chart, the next prediction and how good predictions are. */
import { el, setAttribute, setText } from './dom.js';
import { quantity } from './format.js';
import type { StreamFrame } from './protocol.js';
import { streamHref } from './route.js';
import type { StreamBuffer } from './stream-buffer.js';
import { StreamChart } from './stream-chart.js';
import { verdict } from './verdict.js';

const HEIGHT = 148;
const WINDOW = 240;

export class StreamCard {
  readonly root: HTMLElement;
  visible = false;
  private dirty = true;
  private readonly value = el('span', { class: 'card-value' });
  private readonly next = el('span', { class: 'card-next' });
  private readonly verdict = el('span', { class: 'verdict' });
  private readonly plot = el('div', { class: 'card-chart', 'aria-hidden': 'true' });
  private readonly chart = new StreamChart(this.plot, { height: HEIGHT, window: WINDOW });
  private frame: StreamFrame;

  constructor(
    frame: StreamFrame,
    private readonly buffer: StreamBuffer,
  ) {
    this.frame = frame;
    const link = el('a', { href: streamHref(frame.id), title: frame.id }, frame.title);
    this.root = el(
      'article',
      { class: 'card', 'data-stream': frame.id },
      el('header', { class: 'card-head' }, el('h3', {}, link), this.value),
      this.plot,
      el('footer', { class: 'card-foot' }, this.next, this.verdict),
    );
  }

  /** The points are in the buffer already. */
  take(frame: StreamFrame): void {
    this.frame = frame;
    this.dirty = true;
  }

  markDirty(): void {
    this.dirty = true;
  }

  /** Draws if there is something new to be seen. */
  render(now: number): void {
    if (!this.visible || !this.dirty) return;
    this.dirty = false;
    const { unit } = this.frame;
    const { last, forecast } = this.buffer;
    setText(this.value, quantity(last?.[1] ?? null, unit));
    setText(this.next, `next ${quantity(forecast?.value ?? null, unit)}`);
    const { text, tone } = verdict(this.frame);
    setText(this.verdict, text);
    setAttribute(this.verdict, 'data-tone', tone);
    setAttribute(this.root, 'data-points', String(this.buffer.size));
    this.chart.draw(this.buffer, now);
  }

  /** What a card shows for good; where it differs the card is made anew. */
  isOf({ title, group }: StreamFrame): boolean {
    return this.frame.title === title && this.frame.group === group;
  }

  destroy(): void {
    this.chart.destroy();
    this.root.remove();
  }
}
