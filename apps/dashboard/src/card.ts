/** A stream in the grid: its title, the last actual, the prediction for the next tick, the chart, and how good the predictions were. */
import { Chart } from './chart.js';
import { el, setAttribute, setText } from './dom.js';
import { NOTHING, number, skill, SOURCE_WORDS } from './format.js';
import { goTo, streamHref } from './route.js';
import type { Series } from './series.js';

const HEIGHT = 128;
const POINTS = 160;

export class Card {
  readonly element: HTMLElement;
  /** On screen; set by the grid's observer. */
  visible = false;
  dirty = true;
  private readonly link = el('a');
  private readonly id = el('bdi', { class: 'id' });
  private readonly actual = el('b');
  private readonly next = el('b');
  private readonly units = [el('span', { class: 'unit' }), el('span', { class: 'unit' })];
  private readonly skill = el('span', { class: 'skill' });
  private readonly ticks = el('span', { class: 'count' });
  private readonly chart: Chart;

  constructor(readonly series: Series) {
    const { id } = series.info;
    this.link.href = streamHref(id);
    const readout = el('p', { class: 'readout', hidden: '' });
    const host = el('div', {
      class: 'chart',
      role: 'img',
      'aria-label': 'Chart of the actual and the predicted values',
    });
    this.element = el(
      'article',
      { class: 'card' },
      el('header', {}, el('h3', {}, this.link), this.id),
      el(
        'div',
        { class: 'values' },
        el('p', { class: 'actual' }, el('span', { class: 'what' }, 'actual'), this.actual, this.units[0]),
        el('p', { class: 'next' }, el('span', { class: 'what' }, 'next'), this.next, this.units[1]),
      ),
      host,
      readout,
      el('footer', {}, this.skill, this.ticks),
    );
    this.element.style.setProperty('--chart-height', `${HEIGHT}px`);
    this.element.addEventListener('click', (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.link.focus({ preventScroll: true });
      goTo(id);
    });
    this.chart = new Chart(host, { height: HEIGHT, points: POINTS, readout });
    this.text();
  }

  draw(): void {
    this.dirty = false;
    this.chart.draw(this.series);
    this.text();
  }

  remove(): void {
    this.chart.destroy();
    this.element.remove();
  }

  private text(): void {
    const { info, last, received } = this.series;
    const { decimals } = this.chart;
    const title = info.title === '' ? info.id : info.title;
    setText(this.link, title);
    setAttribute(this.link, 'title', title);
    setText(this.id, title === info.id ? '' : info.id);
    setAttribute(this.id, 'title', info.id);
    const values = [last, info.next?.prediction ?? null].map((value) => number(value, decimals));
    setText(this.actual, values[0]);
    setText(this.next, values[1]);
    this.units.forEach((unit, i) => setText(unit, values[i] === NOTHING ? '' : info.unit));
    const { text, verdict } = skill(info);
    setText(this.skill, text);
    setAttribute(this.skill, 'data-verdict', verdict);
    setAttribute(this.skill, 'title', `predicted by: ${SOURCE_WORDS[info.source]}`);
    setText(this.ticks, `${number(info.ticks, 0)} ticks`);
    setAttribute(this.element, 'data-points', String(received));
  }
}
