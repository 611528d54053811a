/** Which model speaks, how good it was on held-back data, and what training is doing. */
import { byId, el, setAttribute, setText } from './dom.js';
import { against, ago, duration, figure, NOTHING } from './format.js';
import type { Frame, ModelInfo, TrainingInfo } from './frame.types.js';

const CELLS: Record<string, string> = {
  gru: 'GRU',
  lstm: 'LSTM',
  simple_rnn: 'Simple RNN',
  'simple-rnn': 'Simple RNN',
};

class Block {
  readonly element: HTMLElement;
  readonly main = el('p', { class: 'main' }, NOTHING);
  readonly more = el('p', { class: 'more' });

  constructor(id: string, title: string, ...rest: Node[]) {
    this.element = el('div', { class: 'block', id }, el('h2', {}, title), this.main, this.more, ...rest);
  }

  set(main: string, more: string, verdict = 'open'): void {
    setText(this.main, main);
    setText(this.more, more);
    setAttribute(this.main, 'title', main);
    setAttribute(this.more, 'title', more);
    setAttribute(this.more, 'data-verdict', verdict);
  }
}

export class ModelCard {
  private readonly model = new Block('model-now', 'Model');
  private readonly trained = new Block('model-trained', 'Last trained');
  private readonly error = new Block('model-error', 'Validation error');
  private readonly fill = el('i');
  private readonly bar = el(
    'div',
    { class: 'progress', role: 'progressbar', 'aria-label': 'Training', 'aria-valuemin': '0', 'aria-valuemax': '100' },
    this.fill,
  );
  private readonly training = new Block('model-training', 'Training', this.bar);
  private frame: Frame | undefined;
  /** The server's clock minus this machine's. */
  private ahead = 0;

  constructor() {
    byId('model').append(this.model.element, this.trained.element, this.error.element, this.training.element);
  }

  show(frame: Frame): void {
    this.frame = frame;
    this.ahead = frame.now - Date.now();
    this.refresh();
  }

  /** Also called once a second: "12 s ago" goes on while nothing comes. */
  refresh(): void {
    if (this.frame === undefined) return;
    const { model, training } = this.frame;
    const now = Date.now() + this.ahead;
    this.showModel(model);
    this.showTrained(model, training, now);
    this.showError(model);
    const { main, more } = trainingWords(training, now);
    this.training.set(main, more, training.state === 'failed' ? 'worse' : 'open');
    const percent = Math.round(100 * Math.min(1, Math.max(0, training.progress)));
    setAttribute(this.bar, 'aria-valuenow', String(percent));
    setAttribute(this.bar, 'data-state', training.state);
    this.fill.style.width = `${percent}%`;
  }

  private showModel(model: ModelInfo | null): void {
    if (model === null) this.model.set('none yet', 'baseline: repeats the last value');
    else {
      const cell = model.cell === null ? '' : (CELLS[model.cell] ?? model.cell);
      const units = model.hidden === null ? '' : `${model.hidden} units`;
      const origin = model.origin === 'imported' ? 'imported' : 'trained here';
      this.model.set(model.label, [cell, units, origin].filter((word) => word !== '').join(' · '));
    }
  }

  private showTrained(model: ModelInfo | null, training: TrainingInfo, now: number): void {
    const trainedAt = training.lastTrainedAt ?? (model?.origin === 'trained' ? model.createdAt : null);
    const at = trainedAt === null ? NaN : Date.parse(trainedAt);
    const swaps = model?.swaps ?? 0;
    const words = swaps === 0 ? 'no live swap yet' : swaps === 1 ? '1 live swap' : `${swaps} live swaps`;
    this.trained.set(Number.isNaN(at) ? NOTHING : ago(now - at), words);
  }

  private showError(model: ModelInfo | null): void {
    const validation = model?.validation ?? null;
    if (validation === null) this.error.set(NOTHING, model === null ? 'no model to measure' : 'not measured');
    else {
      const { text, verdict } = against(validation.mae, validation.persistenceMae);
      const { mae, persistenceMae } = validation;
      this.error.set(`${figure(mae)} against ${figure(persistenceMae)}`, text, verdict);
    }
  }
}

function trainingWords({ state, progress, detail, nextAt }: TrainingInfo, now: number): { main: string; more: string } {
  const next = nextAt === null ? '' : `next in ${duration(nextAt - now)}`;
  switch (state) {
    case 'waiting':
      return { main: 'waiting for ticks', more: detail };
    case 'training':
      return { main: `${Math.round(100 * progress)}\u00a0%`, more: detail };
    case 'idle':
      return { main: next === '' ? 'idle' : next, more: detail };
    case 'failed':
      return { main: next === '' ? 'failed' : `failed, ${next}`, more: detail };
    case 'off':
      return { main: 'off', more: detail };
  }
}
