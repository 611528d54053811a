/** The panel of one stream: chart, figures, and the trace of its memory, read anew every second while it is open. */
import type { CardGrid } from './card-grid.js';
import { byId, setAttribute, setHidden, setText } from './dom.js';
import { moment, number, quantity } from './format.js';
import type { StreamFrame, Trace } from './protocol.js';
import { leaveStream, routedStream } from './route.js';
import { MAX_POINTS } from './stream-buffer.js';
import { StreamChart } from './stream-chart.js';
import { TraceTable } from './trace-table.js';
import { verdict } from './verdict.js';

const REFRESH_MS = 1000;
const CHART_HEIGHT = 190;

export class DetailPanel {
  private readonly dialog = byId<HTMLDialogElement>('detail');
  private readonly title = byId('detail-title');
  private readonly idLine = byId('detail-id');
  private readonly verdictLine = byId('detail-verdict');
  private readonly errors = byId('detail-errors');
  private readonly plot = byId('detail-chart');
  private readonly live = byId('detail-live');
  private readonly readout = byId('detail-readout');
  private readonly note = byId('detail-note');
  private readonly table = new TraceTable();
  private chart: StreamChart | undefined;
  private id: string | undefined;
  private request = new AbortController();
  private timer = 0;
  private hovered: string | undefined;

  constructor(private readonly grid: CardGrid) {
    byId('detail-trace').append(this.table.root);
    byId('detail-close').addEventListener('click', () => this.dialog.close());
    this.dialog.addEventListener('close', () => {
      this.end();
      leaveStream();
    });
    // The dialog fills its box: a click on the element itself is one on the backdrop.
    this.dialog.addEventListener('click', (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    window.addEventListener('hashchange', () => this.follow());
    grid.onDraw((now) => this.draw(now));
  }

  /** Opens, changes or closes as the address says. */
  follow(): void {
    const id = routedStream();
    if (id === this.id) return;
    this.end();
    if (id === undefined) {
      this.dialog.close();
      return;
    }
    this.id = id;
    this.table.clear();
    setText(this.note, 'reading…');
    if (!this.dialog.open) this.dialog.showModal();
    this.draw(Date.now());
    void this.refresh(id);
  }

  private end(): void {
    this.id = undefined;
    clearTimeout(this.timer);
    this.request.abort();
    this.chart?.destroy();
    this.chart = undefined;
    this.hovered = undefined;
  }

  private draw(now: number): void {
    const { id } = this;
    if (id === undefined) return;
    const stream = this.grid.frameOf(id);
    const buffer = this.grid.buffers.get(id);
    setText(this.title, stream?.title ?? id);
    setText(this.idLine, stream === undefined || stream.title === id ? 'stream' : id);
    setHidden(this.live, stream === undefined || buffer === undefined);
    if (stream === undefined || buffer === undefined) return;
    const { text, tone } = verdict(stream);
    setText(this.verdictLine, text);
    setAttribute(this.verdictLine, 'data-tone', tone);
    setText(this.errors, errorsOf(stream));
    const last = `last ${quantity(buffer.last?.[1] ?? null, stream.unit)} · next ${quantity(buffer.forecast?.value ?? null, stream.unit)}`;
    setText(this.readout, this.hovered ?? last);
    this.chart ??= new StreamChart(this.plot, {
      height: CHART_HEIGHT,
      window: MAX_POINTS,
      onHover: (index, [ts, value, expected]) => {
        this.hovered =
          index === null
            ? undefined
            : `${moment(ts[index], Date.now())} · actual ${quantity(value[index] ?? null, stream.unit)} · predicted ${quantity(expected[index] ?? null, stream.unit)}`;
      },
    });
    this.chart.draw(buffer, now);
  }

  private async refresh(id: string): Promise<void> {
    this.request = new AbortController();
    const { signal } = this.request;
    try {
      const response = await fetch(`streams/${encodeURIComponent(id)}/trace?limit=20`, { signal });
      const body = (await response.json()) as Trace & { detail?: string };
      if (signal.aborted) return;
      if (response.ok) this.show(body);
      else setText(this.note, body.detail ?? `the service answered ${response.status}`);
    } catch {
      if (signal.aborted) return;
      setText(this.note, 'the service does not answer; retrying…');
    }
    this.timer = window.setTimeout(() => void this.refresh(id), REFRESH_MS);
  }

  private show(trace: Trace): void {
    this.table.show(trace);
    setText(this.note, noteOf(trace));
  }
}

function errorsOf({ unit, source, skill, coverage, maeModel, maePersistence }: StreamFrame): string {
  const made = { model: 'the network', blend: 'network and baselines', baseline: 'the baselines' }[source];
  const errors = `mean error: forecasts ${quantity(maeModel, unit)}, persistence ${quantity(maePersistence, unit)}`;
  if (skill === undefined) return errors;
  const held = coverage === undefined || coverage === null ? '' : ` · intervals held ${(100 * coverage).toFixed(0)} %`;
  return `${errors}${held} · now by ${made}`;
}

function noteOf({ model, exact, rows }: Trace): string {
  if (rows.length === 0) return 'no steps yet';
  if (model === null) return 'no model yet: the baselines forecast, and there is no memory';
  const size = rows[rows.length - 1].memory.length;
  const replay = exact
    ? 'replayed from the stored ticks, ending in exactly the live memory'
    : 'replayed from the stored ticks; earlier ones are gone, so numbers are close to the live memory, not equal';
  return `${model}, ${number(size).replace(/\.00$/, '')} numbers of memory · ${replay}`;
}
