/** Step | Input | Memory | Output: how each tick moved the stream's memory on and what was predicted from it. */
import { el, setText } from './dom.js';
import { moment, number } from './format.js';
import { MemoryStrip } from './memory-strip.js';
import type { Trace, TraceRow } from './protocol.js';

interface RowParts {
  readonly root: HTMLTableRowElement;
  readonly step: HTMLElement;
  readonly input: HTMLElement;
  readonly memory: MemoryStrip;
  readonly output: HTMLElement;
}

export class TraceTable {
  readonly root: HTMLElement;
  private readonly body = el('tbody');
  private readonly rows: RowParts[] = [];

  constructor() {
    const head = ['Step', 'Input', 'Memory', 'Output'].map((name) => el('th', { scope: 'col' }, name));
    this.root = el(
      'div',
      { class: 'trace-scroll' },
      el('table', { class: 'trace' }, el('thead', {}, el('tr', {}, ...head)), this.body),
    );
  }

  /** Rows are kept and rewritten, so that a second's refresh neither flickers nor loses a text selection. */
  show({ rows }: Trace): void {
    while (this.rows.length > rows.length) this.rows.pop()!.root.remove();
    while (this.rows.length < rows.length) this.rows.push(this.add());
    rows.forEach((row, i) => fill(this.rows[i], row));
  }

  clear(): void {
    this.show({ stream: '', model: null, exact: false, rows: [] });
  }

  private add(): RowParts {
    const step = el('td', { class: 'num' });
    const input = el('td', { class: 'num' });
    const memory = new MemoryStrip();
    const output = el('td', { class: 'num' });
    const root = el('tr', {}, step, input, el('td', { class: 'memory-cell' }, memory.root), output);
    this.body.append(root);
    return { root, step, input, memory, output };
  }
}

function fill(parts: RowParts, row: TraceRow): void {
  setText(parts.step, String(row.step));
  parts.root.title = moment(row.ts, Date.now());
  const { input } = row;
  setText(parts.input, typeof input === 'string' ? input : number(input));
  parts.input.classList.toggle('word', typeof input === 'string');
  parts.memory.show(row.memory);
  setText(parts.output, number(row.output));
}
