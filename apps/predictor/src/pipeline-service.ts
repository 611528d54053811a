/** Runs one pipeline: the loop from log to outcomes, those who listen to outcomes, model swaps, recovery after an error. */
import { isDefaultModel } from '#default-model/default-model';
import { RiverrunError, errorMessage } from '#domain/errors';
import { modelLabel, type ModelArtifact } from '#domain/model';
import type { Logger, TickAppender, TickLog } from '#domain/ports';
import type { RecordBatch } from '#domain/record-batch';
import { servedText, type Canary } from '#domain/served';
import { isStoreGone, type Pipeline } from '#pipeline/pipeline';
import type { CommittedBatch } from '#pipeline/process-batch';
import type { ModelSource } from './model-source.js';
import { Trials } from './trials.js';
import { Submissions, type Answer } from './submissions.js';

export type OutcomeListener = (batch: CommittedBatch, service: PipelineService) => void;

/** Most recoveries, as after a rebalance or a lost connection, succeed at once; what keeps failing is tried every second. */
const RETRY_MS = { first: 50, most: 1000 };
/** Errors further apart than this have nothing to do with each other. */
const CALM_MS = 10_000;
const ANSWER_TIMEOUT_MS = 30_000;
const SAVE_CHECK_MS = 100;
/** A page of the store at a time: expired streams cost room, not results. */
const EXPIRY_MS = 1000;
const DRAIN_MS = 3000;

export class PipelineService {
  private readonly submissions: Submissions | undefined;
  private readonly listeners = new Set<OutcomeListener>();
  private running: Promise<void> | undefined;
  private saveTimer: NodeJS.Timeout | undefined;
  private expiryTimer: NodeJS.Timeout | undefined;
  private stopping = false;
  /** Why ticks do not move at present; and why states cannot be saved. */
  private stuck: Trouble | undefined;
  private unsaved: Trouble | undefined;
  private unservable: string | undefined;
  private championless = false;
  swaps = 0;
  readonly trials: Trials;
  /** Told how long each recovery took. */
  onRecovered: ((seconds: number) => void) | undefined;
  /** Told how long each batch's save took (0: none was due). */
  onSave: ((seconds: number) => void) | undefined;

  constructor(
    readonly pipeline: Pipeline,
    readonly log: TickLog,
    private readonly models: ModelSource,
    private readonly logger: Logger,
    private readonly closePorts: () => Promise<void>,
    /** Where ticks that are posted go; a pipeline that reads Kafka has none. */
    readonly appender?: TickAppender,
    /** Which share of the pipeline's topics this is, for people. */
    readonly label: string = pipeline.spec.name,
    /** How many such shares there are. */
    partitions = 1,
  ) {
    this.trials = new Trials({ pipeline, models, logger, partitions });
    this.submissions = appender === undefined ? undefined : new Submissions(appender);
  }

  get problem(): string | undefined {
    return (this.stuck ?? this.unsaved)?.message;
  }
  /** The problem's code, where it has one. */
  get problemCode(): string | undefined {
    return (this.stuck ?? this.unsaved)?.code;
  }

  /** Why it serves another model than the champion; ticks move all the same. */
  get notice(): string | undefined {
    return this.unservable;
  }

  get name(): string {
    return this.pipeline.spec.name;
  }

  /** The model that serves only because there is no champion. */
  get standIn(): ModelArtifact | undefined {
    const { model } = this.pipeline;
    return this.championless && model !== undefined && isDefaultModel(model.manifest) ? model : undefined;
  }

  /** Calls `listener` with every batch, after its outcomes are committed. Returns how to stop that. */
  onOutcomes(listener: OutcomeListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** `recovered`: the pipeline has been opened. Else that comes first, and again until it succeeds. */
  start(recovered = true): void {
    this.running = this.run(!recovered);
    this.saveTimer = setInterval(() => {
      // Again and again after a failure: nobody else would, on a quiet log.
      if (this.stuck === undefined)
        this.pipeline.saveIfDue().then(
          () => (this.unsaved = undefined),
          (error: unknown) => {
            if (this.stuck === undefined && this.unsaved === undefined) this.report('saving states failed', error);
            this.unsaved = troubleOf(error);
            this.recoverFrom(error);
          },
        );
    }, SAVE_CHECK_MS);
    let expiring = false;
    this.expiryTimer = setInterval(() => {
      if (expiring || this.problem !== undefined) return;
      expiring = true;
      this.pipeline
        .expireStored()
        .catch((error: unknown) => this.logger.debug('removing expired streams failed', { error: errorMessage(error) }))
        .finally(() => (expiring = false));
    }, EXPIRY_MS);
  }

  /** Appends ticks and waits for their outcomes. */
  submit(records: RecordBatch): Promise<Answer[]> {
    if (this.stopping) throw new RiverrunError('STOPPING', 'the service is stopping');
    if (this.submissions === undefined)
      throw new RiverrunError('UNAVAILABLE', 'in distributed mode ticks are published to Kafka, not posted');
    const trouble = this.stuck ?? this.unsaved;
    if (trouble !== undefined)
      throw new RiverrunError(trouble.code ?? 'UNAVAILABLE', `nothing was taken: ${trouble.message}`);
    return this.submissions.submit(records, ANSWER_TIMEOUT_MS);
  }

  /** Makes the pipeline serve what the registry says is its champion. */
  async followRegistry(): Promise<void> {
    const { champion, challenger, canary } = await this.models.aliases(this.name);
    const slot = this.pipeline.model;
    this.championless = champion === undefined;
    if (champion === undefined) {
      if (slot === undefined) await this.begin();
      else if (!isDefaultModel(slot.manifest)) await this.models.adopt?.(this.name, slot);
      return;
    }
    if (servedText({ champion, canary }, modelLabel) !== this.pipeline.label)
      await this.serve(
        await this.models.load(champion),
        canary && { model: await this.models.load(canary.model), share: canary.share },
      );
    await this.trials.follow(challenger);
  }

  /** The same; a champion that cannot be served must not keep the service from serving what it served before. */
  async followChampion(): Promise<void> {
    try {
      await this.followRegistry();
      if (await this.trials.decide()) await this.followRegistry();
      this.unservable = undefined;
    } catch (error) {
      this.cannotServe(error);
    }
  }

  /** Those who wait get their answers; what else is in the log stays there, durable, for the next start; states are saved and everything closed. */
  async stop(): Promise<void> {
    this.stopping = true;
    clearInterval(this.saveTimer);
    clearInterval(this.expiryTimer);
    for (
      let waited = 0;
      waited < DRAIN_MS && this.submissions?.idle === false && this.problem === undefined;
      waited += 10
    )
      await new Promise((resolve) => setTimeout(resolve, 10));
    await this.log.close();
    await this.running;
    if (this.problem === undefined) await this.pipeline.flush();
    await this.closePorts();
  }

  /** Without a champion and without a model. */
  private async begin(): Promise<void> {
    const artifact = await this.models.standIn?.(this.pipeline.spec);
    if (artifact !== undefined) await this.serve(artifact);
  }

  private async serve(artifact: ModelArtifact, canary?: Canary<ModelArtifact>): Promise<void> {
    const before = this.pipeline.model?.label;
    const model = modelLabel(artifact.manifest);
    await this.pipeline.swapModel(artifact, canary);
    if (before !== undefined && before !== model) this.swaps += 1;
    this.logger.info('model serves', {
      pipeline: this.name,
      model,
      before: before ?? 'baseline',
      ...(canary !== undefined && { canary: modelLabel(canary.model.manifest), share: canary.share }),
    });
  }

  /** The partition went to another instance: nothing is drained or saved, the new owner goes on from what is committed. */
  async abandon(): Promise<void> {
    this.stopping = true;
    clearInterval(this.saveTimer);
    clearInterval(this.expiryTimer);
    await this.running;
    await this.closePorts();
  }

  private async run(recovering: boolean): Promise<void> {
    let pause = RETRY_MS.first;
    let failed = -Infinity;
    for (;;) {
      try {
        if (recovering) {
          const began = performance.now();
          await this.pipeline.recover();
          this.onRecovered?.((performance.now() - began) / 1000);
          await this.meetChampion();
        }
        recovering = false;
        this.stuck = undefined;
        const result = await this.pipeline.next((batch) => this.tell(batch));
        if (result === null) return;
        this.onSave?.(result.saveSeconds);
        // A full log must not starve timers and sockets.
        await new Promise((resolve) => setImmediate(resolve));
      } catch (error) {
        recovering = true;
        this.stuck = troubleOf(error);
        this.submissions?.fail(this.stuck.code ?? 'UNANSWERED', this.stuck.message);
        if (this.stopping) return;
        this.report('ticks do not move', error);
        pause = performance.now() - failed > CALM_MS ? RETRY_MS.first : Math.min(2 * pause, RETRY_MS.most);
        await new Promise((resolve) => setTimeout(resolve, pause));
        failed = performance.now();
        // To recover now would open what `stop` has closed.
        if (this.stopping) return;
      }
    }
  }

  /** A partition that was taken over meets the champion before its first tick. Without any model it waits for one to be known: outcomes of the baseline in place
   *  of a champion's would be wrong for good. */
  private async meetChampion(): Promise<void> {
    try {
      await this.followRegistry();
    } catch (error) {
      if (this.pipeline.model === undefined) throw error;
      this.cannotServe(error);
    }
  }

  /** Said once: the champion is asked for every second. */
  private cannotServe(error: unknown): void {
    const why = errorMessage(error);
    if (why === this.unservable) return;
    this.unservable = why;
    this.logger.warn('the champion cannot be served', {
      pipeline: this.label,
      serving: this.pipeline.model?.label ?? 'baseline',
      code: error instanceof RiverrunError ? error.code : undefined,
      error: why,
    });
  }

  private tell(batch: CommittedBatch): void {
    this.submissions?.committed(batch.outcomes);
    for (const listener of this.listeners)
      try {
        listener(batch, this);
      } catch (error) {
        // Those who look on must not stop what they look at.
        this.report('a listener failed', error);
      }
  }

  /** Has the loop recover where only that helps: on a quiet log it waits for a tick, and would not find out. */
  recoverFrom(error: unknown): void {
    if (isStoreGone(error)) this.log.invalidate?.(error);
  }

  private report(what: string, error: unknown): void {
    this.logger.error(what, { pipeline: this.name, code: troubleOf(error).code, error });
  }
}

interface Trouble {
  /** Absent where the error has none for users. */
  readonly code: string | undefined;
  readonly message: string;
}

const troubleOf = (error: unknown): Trouble => ({
  code: error instanceof RiverrunError ? error.code : undefined,
  message: errorMessage(error),
});
