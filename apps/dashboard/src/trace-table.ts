/** Step | Input | Memory | Output, newest first; rows are kept and rewritten. */
import { el, setAttribute, setText } from './dom.js';
import { decimalsFor, NOTHING, number } from './format.js';
import type { Trace, TraceRow } from './frame.types.js';
import { HeatStrip } from './heat-strip.js';

class Row {
  private readonly step = el('td', { class: 'num' });
  private readonly input = el('td', { class: 'num input' });
  private readonly memory = new HeatStrip();
  private readonly output = el('td', { class: 'num output' });
  readonly element = el('tr', {}, this.step, this.input, el('td', {}, this.memory.element), this.output);

  show(row: TraceRow, decimals: number, probability: boolean): void {
    const number1 = (x: number | null): string => (x === null ? NOTHING : number(x, decimals));
    setText(this.step, number(row.step, 0));
    setText(this.input, typeof row.input === 'string' ? inputText(row.input, decimals) : number1(row.input));
    setAttribute(this.element, 'title', new Date(row.ts).toISOString());
    this.memory.show(row.memory);
    setText(this.output, probability && row.output !== null ? number(row.output, 3) : number1(row.output));
  }
}

/** A number that came as text is still a number; a word is a word. */
function inputText(input: string, decimals: number): string {
  return input.trim() !== '' && Number.isFinite(Number(input)) ? number(Number(input), decimals) : input;
}

export class TraceTable {
  private readonly body = el('tbody');
  private readonly outputName = el('th', { scope: 'col', class: 'num' }, 'Output');
  private readonly rows: Row[] = [];
  readonly element = el(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Steps' },
    el(
      'table',
      { class: 'trace' },
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          el('th', { scope: 'col', class: 'num' }, 'Step'),
          el('th', { scope: 'col', class: 'num' }, 'Input'),
          el('th', { scope: 'col' }, 'Memory'),
          this.outputName,
        ),
      ),
      this.body,
    ),
  );

  clear(): void {
    this.show({ stream: '', model: null, exact: true, rows: [] });
  }

  show(trace: Trace): void {
    const newest = trace.rows.toReversed();
    while (this.rows.length > newest.length) this.rows.pop()!.element.remove();
    while (this.rows.length < newest.length) {
      const row = new Row();
      this.rows.push(row);
      this.body.append(row.element);
    }
    const words = newest.some(({ input }) => typeof input === 'string' && !Number.isFinite(Number(input)));
    // Words in and numbers from 0 to 1 out: a classifier.
    const probability = words && newest.every(({ output }) => output === null || (output >= 0 && output <= 1));
    setText(this.outputName, probability ? 'Output (probability)' : 'Output');
    const decimals = decimalsFor(spanOf(newest));
    newest.forEach((row, i) => this.rows[i].show(row, decimals, probability));
  }
}

function spanOf(rows: readonly TraceRow[]): number {
  const values = rows.flatMap(({ input, output }) => [Number(input ?? NaN), output ?? NaN]).filter(Number.isFinite);
  if (values.length === 0) return 1;
  const span = Math.max(...values) - Math.min(...values);
  return span > 0 ? span : Math.abs(values[0]) || 1;
}
