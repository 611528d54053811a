/** Retrains each pipeline's model now and then, when its errors have grown, or when asked, from stored windows in a process of its own. The tick path never waits. */
import { errorMessage, RiverrunError } from '#domain/errors';
import { modelLabel } from '#domain/model';
import type { Logger } from '#domain/ports';
import { trainChallenger, type ChallengerParts, type TrainingPlan, type Verdict } from './train-challenger.js';
import type { TrainingSource, TrainingTurn, TrainingTurns } from './training-source.js';

export interface TrainingStatus {
  readonly state: 'waiting' | 'training' | 'idle' | 'off' | 'failed';
  /** 0 to 1 while training. */
  readonly progress: number;
  readonly detail: string;
  readonly lastTrainedAt: string | null;
  /** ms since 1970. */
  readonly nextAt: number | null;
}

/** challenging: it runs beside the champion. abandoned: the turn was lost, or somebody else changed the champion meanwhile. */
export type TrainingOutcome = 'activated' | 'challenging' | 'rejected' | 'failed' | 'abandoned';

export interface SchedulerParts extends ChallengerParts {
  readonly turns: TrainingTurns;
  readonly logger: Logger;
  readonly onAttempt: (pipeline: string, outcome: TrainingOutcome, seconds: number) => void;
}

/** The first attempt waits for this many rows over all streams. */
const MIN_ROWS = 400;
/** Streams count from this many rows on; and at most this many train one model: their windows are handed to another process. */
const WINDOWS = { minRows: 48, streams: 256 };
const FIRST_CHECK_MS = 2000;
const EARLY_MS = 10_000;
/** A timer may be that early. */
const PUNCTUAL_MS = 100;
/** Of the interval: what passes between trainings at least where errors have grown. */
const DRIFT_SHARE = 1 / 4;
/** Trainings left out for a challenger's sake. */
const TRIAL_INTERVALS = 5;
/** Nothing was tried: what is to be asked cannot answer at present. */
const NOT_NOW = new Set(['UNAVAILABLE', 'REDIS_UNREACHABLE']);

const NONE: TrainingStatus = {
  state: 'off',
  progress: 0,
  detail: 'training is not done here',
  lastTrainedAt: null,
  nextAt: null,
};

interface Entry {
  readonly source: TrainingSource;
  readonly plan: TrainingPlan & { readonly interval: number };
  status: TrainingStatus;
  /** Attempts so far, as far as is known here. */
  attempts: number;
  timer: NodeJS.Timeout | undefined;
  looking: boolean;
  /** Why the next look need not wait: somebody asked, or a stream's errors have grown. */
  woken: Wake | undefined;
}

export type Wake = 'asked' | 'drift';

export class TrainerScheduler {
  private readonly entries = new Map<string, Entry>();
  private readonly off = new Map<string, TrainingStatus>();
  private readonly abort = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly parts: SchedulerParts) {}

  add(source: TrainingSource, plan: TrainingPlan): void {
    const { interval } = plan;
    if (interval === null) {
      this.off.set(source.pipeline, { ...NONE, detail: 'training is off' });
      return;
    }
    const status: TrainingStatus = { ...NONE, state: 'waiting', detail: 'collecting ticks' };
    const entry: Entry = {
      source,
      plan: { ...plan, interval },
      status,
      attempts: 0,
      timer: undefined,
      looking: false,
      woken: undefined,
    };
    this.entries.set(source.pipeline, entry);
    this.schedule(entry, FIRST_CHECK_MS);
  }

  status(pipeline: string): TrainingStatus {
    return this.entries.get(pipeline)?.status ?? this.off.get(pipeline) ?? NONE;
  }

  /** Trains at once, or after the attempt under way: whatever the last one's age where somebody `asked`, and not sooner than a quarter of the interval after it where errors
   *  have grown. False where this pipeline is not trained here. */
  wake(pipeline: string, why: Wake): boolean {
    const entry = this.entries.get(pipeline);
    if (entry === undefined || this.abort.signal.aborted) return false;
    if (entry.woken !== 'asked') entry.woken = why;
    // Whoever asked looks at the status from now on.
    if (why === 'asked') this.tell(entry, 'training', 'about to begin');
    if (entry.looking) return true;
    clearTimeout(entry.timer);
    this.schedule(entry, 0);
    return true;
  }

  /** Ends a running attempt and waits for its end. */
  async stop(): Promise<void> {
    this.abort.abort();
    for (const entry of this.entries.values()) clearTimeout(entry.timer);
    await this.running;
  }

  private schedule(entry: Entry, ms: number): void {
    entry.status = { ...entry.status, nextAt: this.parts.clock.now() + ms };
    entry.timer = setTimeout(() => {
      // One attempt at a time over all pipelines: the machine's other cores are for ticks.
      this.running = this.running.then(() => this.look(entry));
    }, ms);
  }

  private async look(entry: Entry): Promise<void> {
    if (this.abort.signal.aborted) return;
    const started = performance.now();
    let wait: number;
    const { woken } = entry;
    entry.woken = undefined;
    entry.looking = true;
    try {
      wait = await this.tryTurn(entry, started, woken);
    } catch (error) {
      wait = this.failed(entry, error, started);
    }
    entry.looking = false;
    if (!this.abort.signal.aborted) this.schedule(entry, entry.woken === undefined ? wait : 0);
  }

  /** Resolves to the ms until the next look. */
  private async tryTurn(entry: Entry, started: number, woken: Wake | undefined): Promise<number> {
    const { source, plan } = entry;
    const served = await source.served();
    if (served?.pinned === true) {
      this.tell(entry, 'off', `${modelLabel(served)} is pinned`);
      return pace(plan, entry.attempts);
    }
    const trial = woken === 'asked' ? undefined : await this.onTrial(entry);
    if (trial !== undefined) {
      this.tell(entry, 'idle', trial);
      return pace(plan, entry.attempts);
    }
    const turn = await this.parts.turns.take(source.pipeline);
    if (turn === undefined) {
      this.tell(entry, 'waiting', 'another trainer is at it');
      return Math.min(plan.interval, EARLY_MS);
    }
    entry.attempts = turn.turns;
    let counts = false;
    try {
      const apart = woken === 'asked' ? 0 : pace(plan, turn.turns) * (woken === 'drift' ? DRIFT_SHARE : 1);
      const due = turn.sinceLastMs === undefined ? 0 : apart - turn.sinceLastMs;
      if (due > PUNCTUAL_MS) {
        if (entry.status.state !== 'idle') this.tell(entry, 'idle', 'the last training is recent');
        return due;
      }
      const windows = await source.windows(WINDOWS, AbortSignal.any([this.abort.signal, turn.lost]));
      const rows = windows.reduce((sum, window) => sum + window.length, 0) / (1 + source.inputs);
      if (rows < MIN_ROWS) {
        this.tell(entry, 'waiting', `needs ${MIN_ROWS - rows} more ticks`);
        return Math.min(FIRST_CHECK_MS, plan.interval);
      }
      counts = true;
      entry.attempts += 1;
      this.trained(entry, await this.train(entry, windows, turn), started);
    } catch (error) {
      if (this.abort.signal.aborted || !(turn.lost.aborted || isOvertaken(error))) throw error;
      this.abandoned(entry, error, started);
    } finally {
      // A lease that cannot be given back runs out.
      await turn.end(counts).catch(() => undefined);
    }
    // The first model has seen little: the next ones follow sooner, then at the plan's pace.
    return pace(plan, entry.attempts);
  }

  private train(entry: Entry, windows: Float64Array[], turn: TrainingTurn): Promise<Verdict> {
    return trainChallenger(this.parts, entry.source, entry.plan, {
      windows,
      seed: entry.attempts,
      signal: AbortSignal.any([this.abort.signal, turn.lost]),
      onProgress: ({ fraction, epoch, epochs }) =>
        this.tell(entry, 'training', `epoch ${epoch} of at most ${epochs}`, fraction),
    });
  }

  /** A challenger that has not run for long: another one now would never let any of them come to a decision. A former champion may be replaced at any time. */
  private async onTrial({ source, plan, attempts }: Entry): Promise<string | undefined> {
    const { registry, clock } = this.parts;
    const { challenger, previous, canary } = await registry.aliases(source.pipeline);
    if (challenger === undefined || (previous !== undefined && modelLabel(previous) === modelLabel(challenger)))
      return undefined;
    const { createdAt } = (await registry.load(challenger)).manifest;
    if (clock.now() - Date.parse(createdAt) >= TRIAL_INTERVALS * pace(plan, attempts)) return undefined;
    return canary === undefined
      ? `${modelLabel(challenger)} runs beside the champion until it is known which is better`
      : `${modelLabel(challenger)} waits until the canary is over`;
  }

  private trained(entry: Entry, { published, serves, record, stopped }: Verdict, started: number): void {
    const { logger, clock, onAttempt } = this.parts;
    const { pipeline } = entry.source;
    const seconds = (performance.now() - started) / 1000;
    const { mae, persistenceMae, baselineMae = persistenceMae } = record.validation;
    const outcome = published === undefined ? 'rejected' : serves ? 'activated' : 'challenging';
    const detail = `validation error ${mae.toFixed(3)}, best baseline ${baselineMae.toFixed(3)}`;
    this.tell(entry, 'idle', `${SAID[outcome]}${detail}`, 1);
    entry.status = { ...entry.status, lastTrainedAt: new Date(clock.now()).toISOString() };
    onAttempt(pipeline, outcome, seconds);
    const figures = { mae, baselineMae, persistenceMae, seconds, rows: record.rows, stopped };
    logger.info('trained', { pipeline, accepted: published !== undefined, model: published, outcome, ...figures });
  }

  private abandoned(entry: Entry, error: unknown, started: number): void {
    const { logger, onAttempt } = this.parts;
    const why = isOvertaken(error) ? errorMessage(error) : 'another trainer has taken over';
    this.tell(entry, 'waiting', why);
    onAttempt(entry.source.pipeline, 'abandoned', (performance.now() - started) / 1000);
    logger.warn('training abandoned', { pipeline: entry.source.pipeline, why });
  }

  /** The ms until the next look. */
  private failed(entry: Entry, error: unknown, started: number): number {
    const { logger, onAttempt } = this.parts;
    const { pipeline } = entry.source;
    if (this.abort.signal.aborted) return 0;
    const code = error instanceof RiverrunError ? error.code : undefined;
    if (code !== undefined && NOT_NOW.has(code)) {
      this.tell(entry, 'waiting', errorMessage(error));
      return Math.min(FIRST_CHECK_MS, entry.plan.interval);
    }
    this.tell(entry, 'failed', errorMessage(error));
    onAttempt(pipeline, 'failed', (performance.now() - started) / 1000);
    logger.warn('training failed', { pipeline, code, error });
    const wait = pace(entry.plan, entry.attempts);
    // Where not even a turn is had, this alone spaces the failures out.
    entry.attempts += 1;
    return wait;
  }

  private tell(entry: Entry, state: TrainingStatus['state'], detail: string, progress = 0): void {
    entry.status = { ...entry.status, state, detail, progress };
  }
}

const SAID = { rejected: 'not taken: ', challenging: 'beside the champion: ', activated: '' } as const;

const pace = ({ interval }: { readonly interval: number }, attempts: number): number =>
  Math.min(interval, EARLY_MS * 2 ** attempts);

const isOvertaken = (error: unknown): boolean => error instanceof RiverrunError && error.code === 'ALIAS_CHANGED';
