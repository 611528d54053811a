/** Numbers as a row of small coloured cells: one element, its cells the hard stops of a gradient, so that a large memory stays cheap. */
import { el, setAttribute, setText } from './dom.js';
import { number } from './format.js';

const MAX_CELLS = 128;
const PRINTED = 3;

const cellWidth = (count: number): number => (count <= 16 ? 11 : count <= 32 ? 8 : count <= 64 ? 5 : 3);

/** -1 to 1 become the two ends; beyond that stays at the end. The style sheet knows the colours. */
function colour(x: number): string {
  if (!Number.isFinite(x)) return 'transparent';
  const percent = Math.round(100 * Math.min(1, Math.abs(x)));
  return `color-mix(in oklab, var(${x < 0 ? '--heat-low' : '--heat-high'}) ${percent}%, var(--heat-zero))`;
}

export class HeatStrip {
  readonly element = el('div', { class: 'memory' });
  private readonly strip = el('div', { class: 'strip', role: 'img' });
  private readonly numbers = el('span', { class: 'numbers' });

  constructor() {
    this.element.append(this.strip, this.numbers);
  }

  show(memory: readonly number[]): void {
    const texts = memory.map((x) => number(x, 3)).join(' ');
    if (this.strip.title === texts) return;
    const shown = memory.slice(0, MAX_CELLS);
    const width = cellWidth(shown.length);
    this.strip.hidden = shown.length === 0;
    this.strip.title = texts;
    setAttribute(this.strip, 'aria-label', `${memory.length} numbers: ${texts}`);
    this.strip.style.width = `${shown.length * width}px`;
    this.strip.style.setProperty('--cell', `${width}px`);
    const stops = shown.map((x, i) => `${colour(x)} ${i * width}px ${(i + 1) * width}px`);
    // A gradient needs two stops.
    this.strip.style.backgroundImage = `linear-gradient(90deg, ${stops.join(', ')}, transparent 0)`;
    const printed = memory.slice(0, PRINTED).map((x) => number(x, 2));
    setText(this.numbers, memory.length === 0 ? 'none' : printed.join('  ') + (memory.length > PRINTED ? ' …' : ''));
  }
}
