/** What the page shows: figures four times a second, and the points of up to MAX_SHOWN streams as they come. */
import { OutcomeKind } from '#domain/outcome';
import { modelLabel } from '#domain/model';
import type { Clock } from '#domain/ports';
import type { CommittedBatch } from '#pipeline/process-batch';
import type { StreamView } from '#pipeline/pipeline';
import type { PipelineService } from './pipeline-service.js';
import type { Services } from './services.js';
import type { TrainingStatus } from './trainer-scheduler.js';

const MAX_SHOWN = 24;
const HISTORY = 300;
const FRAME_MS = 250;
/** Ticks of a batch that are looked at while no page is open. */
const UNWATCHED = 64;
/** Ticks per second are counted over this many frames. */
const RATE_FRAMES = 8;

type Point = [ts: number, value: number | null, expected: number | null, source: string, half: number | null];

/** How a stream is presented; for streams nobody described, its id. */
export interface StreamTitle {
  readonly group: string;
  readonly title: string;
  readonly unit: string;
}

interface Shown {
  readonly service: PipelineService;
  readonly points: Point[];
  fresh: number;
  view: StreamView | undefined;
}

export class LiveFeed {
  private readonly shown = new Map<string, Shown>();
  private readonly subscribers = new Set<(frame: string) => void>();
  private readonly counts: number[] = [];
  private ticks = 0;
  private deadLetters = 0;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly services: Services,
    private readonly titles: ReadonlyMap<string, StreamTitle>,
    private readonly training: (pipeline: string) => TrainingStatus,
    private readonly clock: Clock,
    /** The pipeline on show while none of its services runs here. */
    private readonly pipeline: string,
  ) {
    services.onOutcomes((result, service) => this.observe(result, service));
    this.timer = setInterval(() => void this.frame(), FRAME_MS);
  }

  subscribe(send: (frame: string) => void): () => void {
    this.subscribers.add(send);
    return () => this.subscribers.delete(send);
  }

  /** Everything a page needs at once; later frames only say what is new since the last frame. */
  async firstFrame(): Promise<string> {
    await this.refreshViews();
    return this.json((shown) => shown.points.slice(0, shown.points.length - shown.fresh));
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private observe({ outcomes }: CommittedBatch, service: PipelineService): void {
    const { stream, ts, value, expected, expectedHalf, expectedFromModel } = outcomes.columns;
    const { count } = outcomes.records;
    this.ticks += count;
    this.deadLetters += outcomes.deadLetters.size;
    // While nobody looks, a taste of each batch is enough to have something to show.
    for (let i = this.subscribers.size > 0 ? 0 : Math.max(0, count - UNWATCHED); i < count; i++) {
      if (outcomes.kinds[i] !== OutcomeKind.prediction) continue;
      const id = stream[i]!;
      const shown = this.shown.get(id) ?? this.show(id, service);
      if (shown === undefined) continue;
      shown.points.push([
        ts[i],
        finite(value[i]),
        finite(expected[i]),
        expectedFromModel[i] === 1 ? 'model' : 'baseline',
        finite(expectedHalf[i]),
      ]);
      shown.fresh = Math.min(shown.fresh + 1, HISTORY);
      if (shown.points.length > 2 * HISTORY) shown.points.splice(0, shown.points.length - HISTORY);
    }
  }

  private show(id: string, service: PipelineService): Shown | undefined {
    if (this.shown.size >= MAX_SHOWN && !this.titles.has(id)) return undefined;
    const shown: Shown = { service, points: [], fresh: 0, view: undefined };
    this.shown.set(id, shown);
    return shown;
  }

  private async frame(): Promise<void> {
    this.counts.push(this.ticks);
    if (this.counts.length > RATE_FRAMES) this.counts.shift();
    if (this.subscribers.size === 0) {
      for (const shown of this.shown.values()) shown.fresh = 0;
      return;
    }
    await this.refreshViews();
    const frame = this.json((shown) => (shown.fresh === 0 ? [] : shown.points.slice(-shown.fresh)));
    for (const shown of this.shown.values()) shown.fresh = 0;
    for (const send of this.subscribers) send(frame);
  }

  private async refreshViews(): Promise<void> {
    for (const [id, shown] of this.shown)
      try {
        shown.view = await shown.service.pipeline.view(id);
      } catch {
        // A pipeline in trouble says so elsewhere; the page goes on with what it last knew.
        return;
      }
  }

  private json(pointsOf: (shown: Shown) => Point[]): string {
    const [service] = this.services.all;
    const manifest = service?.pipeline.model?.manifest;
    const recurrent = manifest?.network.layers.find((layer) => layer.type !== 'embedding' && layer.type !== 'dense');
    const seconds = (Math.max(1, this.counts.length - 1) * FRAME_MS) / 1000;
    return JSON.stringify({
      now: this.clock.now(),
      ticksPerSecond: this.counts.length < 2 ? 0 : (this.counts[this.counts.length - 1] - this.counts[0]) / seconds,
      ticksTotal: this.ticks,
      deadLettersTotal: this.deadLetters,
      pipeline: service?.name ?? this.pipeline,
      horizon: service?.pipeline.spec.horizon,
      level: service?.pipeline.spec.level,
      problem: service?.problem ?? null,
      model:
        manifest === undefined
          ? null
          : {
              label: modelLabel(manifest),
              origin: manifest.origin,
              createdAt: manifest.createdAt,
              cell: recurrent?.type ?? null,
              hidden: recurrent?.units ?? null,
              swaps: service.swaps,
              validation: manifest.training?.validation ?? null,
            },
      trial: trialOf(service),
      canary: canaryOf(service),
      training: this.training(service?.name ?? this.pipeline),
      streams: [...this.shown].map(([id, shown]) => ({
        id,
        ...(this.titles.get(id) ?? { group: 'streams', title: id, unit: '' }),
        ticks: shown.view?.ticks ?? 0,
        source: shown.view?.source ?? 'baseline',
        maeModel: shown.view?.maeModel ?? null,
        maePersistence: shown.view?.maePersistence ?? null,
        skill: shown.view?.scores?.skill,
        coverage: shown.view?.scores?.coverage,
        next: nextOf(shown.view),
        points: pointsOf(shown).slice(-HISTORY),
      })),
    });
  }
}

function trialOf(service: PipelineService | undefined): object | null {
  const view = service?.trials.view;
  if (service === undefined || view === undefined) return null;
  const { challenger, evidence, compared } = view;
  return { label: modelLabel(challenger), evidence, threshold: service.trials.threshold, compared };
}

function canaryOf(service: PipelineService | undefined): object | null {
  const canary = service?.pipeline.canary;
  return canary === undefined ? null : { label: modelLabel(canary.model), share: canary.share };
}

function nextOf(view: StreamView | undefined): object | null {
  if (view === undefined) return null;
  const { targetTs, prediction } = view;
  const last = view.forecast?.at(-1);
  const half = last === undefined || last.upper === null || prediction === null ? null : last.upper - prediction;
  return { targetTs, prediction, half };
}

const finite = (x: number): number | null => (Number.isFinite(x) ? x : null);
