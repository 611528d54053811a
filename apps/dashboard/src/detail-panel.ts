/** One stream in full: the long chart, and what the network remembered at each of the last steps. */
import { Chart } from './chart.js';
import { byId, el, setAttribute, setText } from './dom.js';
import { number, skill, SOURCE_WORDS, withUnit } from './format.js';
import type { Trace } from './frame.types.js';
import { goTo } from './route.js';
import { MAX_POINTS, type Series } from './series.js';
import { TraceTable } from './trace-table.js';

const REFRESH_MS = 1000;
const STEPS = 40;

export class DetailPanel {
  private readonly dialog = byId<HTMLDialogElement>('detail');
  private readonly title = el('bdi', { id: 'detail-title' });
  private readonly id = el('bdi', { class: 'id' });
  private readonly summary = el('p', { class: 'summary' });
  private readonly skill = el('p', { class: 'skill' });
  private readonly chartHost = el('div', { class: 'chart', role: 'img', 'aria-label': 'Chart of this stream' });
  private readonly note = el('p', { class: 'note', role: 'status' });
  private readonly table = new TraceTable();
  private readonly chart: Chart;
  private stream: string | undefined;
  private timer: number | undefined;
  private request = new AbortController();

  constructor(private readonly seriesOf: (id: string) => Series | undefined) {
    const close = el('button', { type: 'button', class: 'close', 'aria-label': 'Close' }, '×');
    const readout = el('p', { class: 'readout', hidden: '' });
    this.dialog.append(
      el('header', {}, el('div', {}, el('h2', {}, this.title), this.id), close),
      el(
        'div',
        { class: 'body' },
        this.summary,
        this.skill,
        el('div', { class: 'frame' }, this.chartHost, readout),
        el('h3', {}, 'Step by step, newest first'),
        this.note,
        this.table.element,
        el(
          'p',
          { class: 'scale' },
          '−1',
          el('i', { 'aria-hidden': 'true' }),
          '+1',
          el('span', {}, 'a cell is one number of the memory'),
        ),
      ),
    );
    this.chart = new Chart(this.chartHost, { height: 200, points: MAX_POINTS, readout });
    close.addEventListener('click', () => this.dialog.close());
    this.dialog.addEventListener('click', (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.dialog.addEventListener('close', () => goTo(undefined));
  }

  show(id: string | undefined): void {
    if (id === this.stream) return;
    clearTimeout(this.timer);
    this.request.abort();
    this.stream = id;
    if (id === undefined) {
      this.dialog.close();
      return;
    }
    this.chart.destroy();
    this.table.clear();
    setText(this.note, 'loading…');
    if (!this.dialog.open) this.dialog.showModal();
    this.draw();
    void this.refresh(id);
  }

  /** What the live feed knows; called after each redraw of the grid. */
  draw(): void {
    if (this.stream === undefined) return;
    const series = this.seriesOf(this.stream);
    const info = series?.info;
    const title = info?.title ?? this.stream;
    setText(this.title, title);
    setText(this.id, title === this.stream ? '' : this.stream);
    this.chartHost.parentElement!.hidden = series === undefined;
    this.summary.hidden = this.skill.hidden = info === undefined;
    if (series === undefined || info === undefined) return;
    this.chart.draw(series);
    const { decimals } = this.chart;
    const next = withUnit(info.next?.prediction, decimals, info.unit);
    const last = withUnit(series.last, decimals, info.unit);
    setText(this.summary, `actual ${last}, next ${next}, ${number(info.ticks, 0)} ticks`);
    const { text, verdict } = skill(info);
    setText(this.skill, info.source === 'baseline' ? text : `${text}, predicted by ${SOURCE_WORDS[info.source]}`);
    setAttribute(this.skill, 'data-verdict', verdict);
  }

  /** Asks, shows, and asks again a second later while the panel shows this stream. */
  private async refresh(id: string): Promise<void> {
    this.request = new AbortController();
    const { signal } = this.request;
    try {
      const answer = await fetch(`streams/${encodeURIComponent(id)}/trace?limit=${STEPS}`, {
        signal: AbortSignal.any([signal, AbortSignal.timeout(5000)]),
      });
      if (signal.aborted) return;
      if (answer.status === 404) setText(this.note, 'There is no such stream.');
      else if (!answer.ok) setText(this.note, `The server answered ${answer.status}; trying again.`);
      else this.showTrace((await answer.json()) as Trace);
    } catch {
      if (signal.aborted) return;
      setText(this.note, 'The server does not answer; trying again.');
    }
    if (!signal.aborted) this.timer = window.setTimeout(() => void this.refresh(id), REFRESH_MS);
  }

  private showTrace(trace: Trace): void {
    if (trace.stream !== this.stream) return;
    this.table.show(trace);
    const { rows, model, exact } = trace;
    if (rows.length === 0) setText(this.note, 'No tick has come yet.');
    else if (model === null)
      setText(this.note, 'No model yet, so nothing is remembered: the baseline repeats the last value.');
    else if (exact) setText(this.note, `${model}, replayed from the stored window: ends in exactly the live memory.`);
    else
      setText(this.note, `${model}, replayed from the stored window: close to the live memory, which began earlier.`);
  }
}
