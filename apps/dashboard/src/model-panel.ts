/** The model that predicts, how it did on data it had not seen, and the training of its successor. */
import { byId, setAttribute, setHidden, setText } from './dom.js';
import { count, duration, number } from './format.js';
import type { Frame, ModelInfo, TrainingInfo, TrialInfo, Validation } from './protocol.js';
import { BEST, compare } from './verdict.js';

const STATE: Readonly<Record<TrainingInfo['state'], string>> = {
  waiting: 'Waiting for data',
  training: 'Training',
  idle: 'Up to date',
  off: 'Training is off',
  failed: 'The last training failed',
};

export class ModelPanel {
  private readonly label = byId('model-label');
  private readonly facts = byId('model-facts');
  private readonly age = byId('model-age');
  private readonly trial = byId('model-trial');
  private readonly canary = byId('model-canary');
  private readonly verdict = byId('validation-verdict');
  private readonly facts2 = byId('validation-facts');
  private readonly bars = byId('validation-bars');
  private readonly modelBar = byId('validation-model');
  private readonly persistenceBar = byId('validation-persistence');
  private readonly modelMae = byId('validation-model-mae');
  private readonly persistenceMae = byId('validation-persistence-mae');
  private readonly yardstick = byId('validation-yardstick');
  private readonly state = byId('training-state');
  private readonly progress = byId<HTMLProgressElement>('training-progress');
  private readonly detail = byId('training-detail');
  private readonly next = byId('training-next');
  private readonly problem = byId('problem');
  private readonly problemText = byId('problem-text');

  take({ model, trial, canary, training, problem, now }: Frame): void {
    this.takeModel(model, now);
    setHidden(this.trial, trial === null || trial === undefined);
    if (trial) setText(this.trial, trialText(trial));
    setHidden(this.canary, canary === null || canary === undefined);
    if (canary)
      setText(this.canary, `${canary.label} serves ${Number((100 * canary.share).toPrecision(4))} % of the streams`);
    this.takeValidation(model?.validation ?? null, model !== null);
    this.takeTraining(training, now);
    setText(this.problemText, problem ?? '');
    setHidden(this.problem, problem === null);
  }

  private takeModel(model: ModelInfo | null, now: number): void {
    setText(this.label, model?.label ?? 'no model yet');
    if (model === null) {
      setText(this.facts, 'until the first is trained, the baselines forecast');
      setText(this.age, '');
      return;
    }
    const network = [model.cell?.toUpperCase(), model.hidden === null ? undefined : `${model.hidden} hidden units`];
    setText(this.facts, network.filter((part) => part !== undefined).join(' · '));
    const ago = duration(now - Date.parse(model.createdAt));
    const swaps = model.swaps === 1 ? '1 live swap' : `${count(model.swaps)} live swaps`;
    setText(this.age, `${model.origin} ${ago} ago · ${swaps}`);
  }

  private takeValidation(validation: Validation | null, hasModel: boolean): void {
    setHidden(this.bars, validation === null);
    if (validation === null) {
      setText(this.verdict, hasModel ? 'not measured' : 'measuring…');
      setAttribute(this.verdict, 'data-tone', 'none');
      setText(this.facts2, hasModel ? 'this model came without a validation error' : 'needs a trained model');
      return;
    }
    const { mae, rows, baselineMae } = validation;
    const yardstick = baselineMae ?? validation.persistenceMae;
    const { text, tone } = compare(mae, yardstick, baselineMae === undefined ? undefined : BEST);
    setText(this.yardstick, baselineMae === undefined ? 'persistence' : 'best baseline');
    setText(this.verdict, text);
    setAttribute(this.verdict, 'data-tone', tone);
    setText(this.facts2, `mean error on ${count(rows)} later ticks it was not trained on`);
    const longest = Math.max(mae, yardstick) || 1;
    this.modelBar.style.width = `${(mae / longest) * 100}%`;
    this.persistenceBar.style.width = `${(yardstick / longest) * 100}%`;
    setText(this.modelMae, number(mae));
    setText(this.persistenceMae, number(yardstick));
  }

  private takeTraining({ state, progress, detail, nextAt }: TrainingInfo, now: number): void {
    const percent = Math.round(progress * 100);
    setText(this.state, state === 'training' ? `Training ${percent} %` : STATE[state]);
    setAttribute(this.state, 'data-state', state);
    const shown = state === 'training' ? progress : state === 'idle' ? 1 : 0;
    if (this.progress.value !== shown) this.progress.value = shown;
    setAttribute(this.progress, 'data-state', state);
    setText(this.detail, detail);
    setText(this.next, state === 'training' || state === 'off' || nextAt === null ? '' : nextTraining(nextAt - now));
  }
}

/** On a logarithmic scale, on which evidence grows evenly. */
function trialText({ label, evidence, threshold, compared }: TrialInfo): string {
  const share = Math.min(Math.max(Math.log(evidence) / Math.log(threshold), 0), 1);
  return `${label} runs beside it: ${Math.round(100 * share)} % of the evidence it takes to serve, after ${count(compared)} comparisons`;
}

const nextTraining = (ms: number): string => (ms < 1000 ? 'next training now' : `next training in ${duration(ms)}`);
