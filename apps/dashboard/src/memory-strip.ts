/** A hidden state as a strip of coloured cells: one colour for positive, one for negative, stronger where larger. */
import { el, setText } from './dom.js';

const MAX_CELLS = 128;
const PRINTED = 3;

export class MemoryStrip {
  readonly root = el('div', { class: 'memory' });
  private readonly cells = el('div', { class: 'strip', 'aria-hidden': 'true' });
  private readonly numbers = el('span', { class: 'memory-numbers' });

  constructor() {
    this.root.append(this.cells, this.numbers);
  }

  show(memory: readonly number[]): void {
    const shown = Math.min(memory.length, MAX_CELLS);
    while (this.cells.childElementCount > shown) this.cells.lastElementChild!.remove();
    while (this.cells.childElementCount < shown) this.cells.append(el('i'));
    for (let i = 0; i < shown; i++) {
      const cell = this.cells.children[i] as HTMLElement;
      const size = Math.min(1, Math.abs(memory[i]));
      cell.style.backgroundColor = memory[i] < 0 ? 'var(--negative)' : 'var(--positive)';
      cell.style.opacity = size.toFixed(2);
    }
    const printed = memory.slice(0, PRINTED).map(signed).join('  ');
    setText(this.numbers, memory.length === 0 ? '–' : memory.length > PRINTED ? `${printed} …` : printed);
    this.root.title = memory.map((x) => x.toPrecision(6)).join(', ');
  }
}

const signed = (x: number): string => (x < 0 ? '−' : '+') + Math.abs(x).toFixed(2);
