/** Retrains each pipeline's model now and then from the stored windows, in a worker thread, and makes the result its champion. The tick path never waits. */
import { errorMessage, RiverrunError } from '#domain/errors';
import { modelLabel } from '#domain/model';
import type { Clock, Logger, ModelRegistry } from '#domain/ports';
import { trainInWorker } from '#training/train-in-worker';
import type { Cell, TrainResult } from '#training/train.types';
import type { PipelineService } from './pipeline-service.js';

export interface TrainingStatus {
  readonly state: 'waiting' | 'training' | 'idle' | 'off' | 'failed';
  /** 0 to 1 while training. */
  readonly progress: number;
  readonly detail: string;
  readonly lastTrainedAt: string | null;
  /** ms since 1970. */
  readonly nextAt: number | null;
}

export interface TrainingPlan {
  /** ms between attempts; null: never. */
  readonly interval: number | null;
  readonly cell: Cell;
  readonly hidden: number;
}

export type TrainingOutcome = 'activated' | 'rejected' | 'failed';

/** The first attempt waits for this many rows over all streams. */
const MIN_ROWS = 400;
/** And streams count from this many rows on. */
const MIN_STREAM_ROWS = 48;
/** At most this many streams train one model: their windows are copied to the worker. */
const MAX_STREAMS = 256;
/** Ticks a stream needs before the model speaks for it: enough for a scale. */
const WARM_UP = 16;
const FIRST_CHECK_MS = 2000;
const EARLY_MS = 10_000;
const WORKER = new URL('../../trainer/src/worker.js', import.meta.url);

const NONE: TrainingStatus = {
  state: 'off',
  progress: 0,
  detail: 'training is not done here',
  lastTrainedAt: null,
  nextAt: null,
};

interface Entry {
  readonly service: PipelineService;
  readonly plan: TrainingPlan;
  status: TrainingStatus;
  attempts: number;
  timer: NodeJS.Timeout | undefined;
}

export class TrainerScheduler {
  private readonly entries = new Map<string, Entry>();
  private readonly abort = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly registry: ModelRegistry,
    private readonly logger: Logger,
    private readonly clock: Clock,
    private readonly onAttempt: (pipeline: string, outcome: TrainingOutcome, seconds: number) => void,
  ) {}

  add(service: PipelineService, plan: TrainingPlan): void {
    const off = plan.interval === null;
    const status: TrainingStatus = {
      state: off ? 'off' : 'waiting',
      progress: 0,
      detail: off ? 'training is off' : 'collecting ticks',
      lastTrainedAt: null,
      nextAt: null,
    };
    const entry: Entry = { service, plan, status, attempts: 0, timer: undefined };
    this.entries.set(service.name, entry);
    if (!off) this.schedule(entry, FIRST_CHECK_MS);
  }

  status(pipeline: string): TrainingStatus {
    return this.entries.get(pipeline)?.status ?? NONE;
  }

  /** Ends a running attempt and waits for its end. */
  async stop(): Promise<void> {
    this.abort.abort();
    for (const entry of this.entries.values()) clearTimeout(entry.timer);
    await this.running;
  }

  private schedule(entry: Entry, ms: number): void {
    entry.status = { ...entry.status, nextAt: this.clock.now() + ms };
    entry.timer = setTimeout(() => {
      // One attempt at a time over all pipelines: the machine's other cores are for ticks.
      this.running = this.running.then(() => this.attempt(entry));
    }, ms);
  }

  private async attempt(entry: Entry): Promise<void> {
    if (this.abort.signal.aborted) return;
    const { service, plan } = entry;
    const started = performance.now();
    let next = plan.interval!;
    try {
      const served = service.pipeline.model?.manifest;
      if (served?.pinned === true) {
        entry.status = { ...entry.status, state: 'off', detail: `${modelLabel(served)} is pinned`, progress: 0 };
      } else {
        const windows = await this.collect(service);
        const rows =
          windows.reduce((sum, window) => sum + window.length, 0) / (1 + service.pipeline.spec.inputs.length);
        if (rows < MIN_ROWS) {
          entry.status = {
            ...entry.status,
            state: 'waiting',
            detail: `needs ${MIN_ROWS - rows} more ticks`,
            progress: 0,
          };
          next = FIRST_CHECK_MS;
        } else await this.train(entry, windows, started);
      }
    } catch (error) {
      if (!this.abort.signal.aborted) {
        this.onAttempt(service.name, 'failed', (performance.now() - started) / 1000);
        entry.status = { ...entry.status, state: 'failed', detail: errorMessage(error), progress: 0 };
        this.logger.warn('training failed', {
          pipeline: service.name,
          code: error instanceof RiverrunError ? error.code : undefined,
          error,
        });
      }
    }
    // The first model has seen little: the next ones follow sooner, then at the plan's pace.
    if (!this.abort.signal.aborted) this.schedule(entry, Math.min(next, EARLY_MS * 2 ** entry.attempts));
  }

  private async train(entry: Entry, windows: Float64Array[], started: number): Promise<void> {
    const { service, plan } = entry;
    const artifact = service.pipeline.model?.manifest;
    const champion = artifact === undefined ? undefined : await this.registry.load(artifact);
    entry.attempts += 1;
    const result = await trainInWorker(
      WORKER,
      {
        windows,
        inputs: service.pipeline.spec.inputs.length,
        cell: plan.cell,
        hidden: plan.hidden,
        seed: entry.attempts,
        warmStart: warmStart(champion, plan, service),
      },
      {
        signal: this.abort.signal,
        onProgress: ({ fraction, epoch, epochs }) => {
          entry.status = {
            ...entry.status,
            state: 'training',
            progress: fraction,
            detail: `epoch ${epoch} of at most ${epochs}`,
          };
        },
      },
    );
    const seconds = (performance.now() - started) / 1000;
    const { mae, persistenceMae } = result.record.validation;
    // A first model may take over from the baseline as soon as it does no harm; a later one has to be worth it.
    const accepted = champion === undefined ? mae <= persistenceMae * 1.001 : result.improved;
    this.onAttempt(service.name, accepted ? 'activated' : 'rejected', seconds);
    const detail = `validation error ${mae.toFixed(3)} against ${persistenceMae.toFixed(3)} for persistence`;
    entry.status = {
      ...entry.status,
      state: 'idle',
      progress: 1,
      detail: accepted ? detail : `not taken: ${detail}`,
      lastTrainedAt: new Date(this.clock.now()).toISOString(),
    };
    this.logger.info('trained', {
      pipeline: service.name,
      accepted,
      mae,
      persistenceMae,
      seconds,
      rows: result.record.rows,
      stopped: result.stopped,
    });
    if (accepted) await this.activate(service, result, champion?.manifest);
  }

  private async activate(
    service: PipelineService,
    result: TrainResult,
    expected: { name: string; version: number } | undefined,
  ): Promise<void> {
    const manifest = await this.registry.publish(
      {
        name: service.name,
        network: result.network,
        scaler: 'standard',
        features: 'level-and-change',
        target: 'difference',
        warmUp: WARM_UP,
        origin: 'trained',
        pinned: false,
        createdAt: new Date(this.clock.now()).toISOString(),
        training: result.record,
      },
      result.weights,
    );
    await this.registry.activate(
      service.name,
      manifest,
      expected === undefined ? null : { name: expected.name, version: expected.version },
    );
    await service.followRegistry();
  }

  /** Windows long enough to learn from. */
  private async collect(service: PipelineService): Promise<Float64Array[]> {
    const width = 1 + service.pipeline.spec.inputs.length;
    const windows: Float64Array[] = [];
    let cursor: string | undefined;
    do {
      const page = await service.pipeline.list(cursor, 100);
      for (const { id, ticks } of page.streams) {
        if (ticks < MIN_STREAM_ROWS) continue;
        // Nothing of all this waits for a disk or a socket: let the ticks through.
        await new Promise((resolve) => setImmediate(resolve));
        const window = await service.pipeline.window(id);
        if (window.length >= MIN_STREAM_ROWS * width) windows.push(window);
        if (windows.length === MAX_STREAMS) return windows;
      }
      cursor = page.cursor;
      await new Promise((resolve) => setImmediate(resolve));
    } while (cursor !== undefined);
    return windows;
  }
}

/** The champion's weights, if it is of the shape that is to be trained. */
function warmStart(
  champion: Awaited<ReturnType<ModelRegistry['load']>> | undefined,
  plan: TrainingPlan,
  service: PipelineService,
): Float32Array | undefined {
  if (champion?.manifest.origin !== 'trained') return undefined;
  const { layers, inputSize } = champion.manifest.network;
  const [first] = layers;
  const same =
    first !== undefined &&
    first.type === plan.cell.replace('-', '_') &&
    'units' in first &&
    first.units === plan.hidden;
  return same && inputSize === 2 * service.pipeline.spec.inputs.length ? champion.weights : undefined;
}
