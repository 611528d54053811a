/** One pipeline over one partition: opens and recovers, takes batches, swaps models, shows its streams. One thing at a time, in the order asked for. */
import { RiverrunError } from '#domain/errors';
import type { LogPosition, Watermark } from '#domain/ports';
import { modelLabel, type ModelArtifact, type ModelManifest } from '#domain/model';
import { targetCount, type PipelineSpec } from '#domain/pipeline-spec';
import { mustBeShare, parseServed, resolveServed, servedText, type Canary, type Served } from '#domain/served';
import { DEFAULT_OPTIONS, PipelineCore, type PipelineOptions, type PipelinePorts } from './core.js';
import { checkFit, createModelSlot, mustBeAlike, mustCompare, type ModelSlot } from './model-slot.js';
import { addSince, newTally, type Tally } from '#forecasting/forecaster';
import { stateSize } from '#rnn/spec';
import { forecasterFor } from './forecasting.js';
import { Checkpointer, restore } from './checkpoint.js';
import { processBatch, type BatchOptions, type BatchResult } from './process-batch.js';
import { save, saveDue } from './save.js';
import { Shadow } from './shadow.js';
import { layoutId, readState } from './state-codec.js';
import { bytesPerStream, Field } from './stream-table.js';
import { viewOf, type StreamView } from './stream-view.js';
import { isExpired, StoredExpiry } from './expiry.js';
import { traceOf, type Trace } from './trace.js';
import { readWindows, windowOf } from './warm-up.js';

export interface TrialView {
  readonly champion: ModelManifest;
  readonly challenger: ModelManifest;
  readonly evidence: number;
  /** Moments at which both could be compared. */
  readonly compared: number;
}

export type { StreamView } from './stream-view.js';
export type { Trace } from './trace.js';

/** The store holds other states than this pipeline has left there: only a recovery helps. */
export const isStoreGone = (error: unknown): error is RiverrunError =>
  error instanceof RiverrunError && (error.code === 'STATE_LOST' || error.code === 'WATERMARK_MISMATCH');

export interface CanaryView {
  readonly model: ModelManifest;
  readonly share: number;
  /** Forecasts of its streams, and of the champion's, since this instance began to serve it. */
  readonly tally: Readonly<Tally>;
  readonly championTally: Readonly<Tally>;
}

/** Finds an artifact that a stored watermark names. */
export type FindModel = (digest: string) => Promise<ModelArtifact>;

const digestsOf = (served: Served<ModelArtifact>): string => servedText(served, ({ manifest }) => manifest.digest);

export class Pipeline {
  private queue: Promise<unknown> = Promise.resolve();
  /** Set from an error until `recover`: memory is ahead of the log, and nothing of it may be shown or saved. */
  private broken = true;
  /** The store has lost a part of what it had: it is filled anew from the checkpoint. */
  private lost = false;
  private readonly checkpointer: Checkpointer;
  private readonly storedExpiry: StoredExpiry;

  private constructor(
    private readonly core: PipelineCore,
    private readonly findModel: FindModel,
  ) {
    this.checkpointer = new Checkpointer(core);
    this.storedExpiry = new StoredExpiry(core);
  }

  /** Opens log and store and brings memory to the log's committed position c: states as of W, then [W, c) replayed with outputs suppressed.
   *  RiverrunError where log and store do not belong together; each message names a way out. */
  static async open(
    spec: PipelineSpec,
    ports: PipelinePorts,
    findModel: FindModel,
    options: Partial<PipelineOptions> = {},
  ): Promise<Pipeline> {
    const pipeline = Pipeline.create(spec, ports, findModel, options);
    await pipeline.recover();
    return pipeline;
  }

  /** The same without opening anything: call `recover` first. */
  static create(
    spec: PipelineSpec,
    ports: PipelinePorts,
    findModel: FindModel,
    options: Partial<PipelineOptions> = {},
  ): Pipeline {
    return new Pipeline(new PipelineCore(spec, ports, { ...DEFAULT_OPTIONS, ...options }), findModel);
  }

  get spec(): PipelineSpec {
    return this.core.spec;
  }
  /** The champion. */
  get model(): ModelSlot | undefined {
    return this.core.model;
  }
  /** What serves as one text, by labels and by digests; null: nothing. */
  get label(): string | null {
    return this.core.label;
  }
  get digest(): string | null {
    return this.core.digest;
  }
  /** Next offset to absorb; and W. */
  get position(): number {
    return this.core.position;
  }
  get watermarkOffset(): number {
    return this.core.watermark?.offset ?? 0;
  }
  get hotStreams(): number {
    return this.core.table.size;
  }
  get hotBytes(): number {
    const { table, spec, models, forecaster } = this.core;
    const hidden = models.reduce((sum, { network }) => sum + network.stateSize, 0);
    return table.size * (bytesPerStream(spec.inputs.length, forecaster) + 4 * hidden);
  }
  /** Counts since the start. */
  get loads(): { readonly store: number; readonly new: number } {
    return this.core.loads;
  }
  /** What forecasts have been worth, over all streams since the start. */
  get tally(): Readonly<Tally> {
    return this.core.tally;
  }

  /** Also after an error in `process`: forgets what is in memory and starts again from the store. */
  recover(): Promise<void> {
    return this.enqueue(async () => {
      const { core } = this;
      this.broken = true;
      this.checkpointer.stop();
      const { log } = core.ports;
      core.table.reset();
      core.windowBuffer.clear();
      core.dirty.length = 0;
      core.seen.fill(0);
      await core.published.catch(() => undefined);
      core.published = Promise.resolve();
      const position = await log.open(() => this.hasStates());
      core.watermark = await this.storedWatermark(position);
      const { offset, model } = core.watermark;
      await this.useModel(model);
      core.position = offset;
      core.time = core.watermark.time ?? -Infinity;
      this.checkpointer.start(position.committed);
      this.storedExpiry.reset();
      await log.seek(offset);
      await this.replayTo(position);
      this.broken = false;
    });
  }

  /** W, restored from the checkpoint where the store has lost it, and made where nothing has been yet. */
  private async storedWatermark(position: LogPosition): Promise<Watermark> {
    const { core } = this;
    const { states, log } = core.ports;
    const stored = this.lost ? undefined : await states.open();
    if (this.lost) await states.clear?.();
    const restorable = log.checkpoints !== undefined && position.committed > position.base!;
    if (stored === undefined) {
      if (restorable) {
        const restored = await restore(core, position);
        this.lost = false;
        return restored;
      }
      if (position.committed > position.start)
        throw new RiverrunError(
          'STATE_MISSING',
          `the log has outcomes up to offset ${position.committed}, but there are no stored states: restore the state store, or start with an empty data folder`,
        );
      core.watermark = undefined;
      core.serve(undefined);
      core.time = -Infinity;
      core.position = position.committed;
      await save(core);
      return core.watermark!;
    }
    if (stored.layout !== layoutId(core.spec.inputs))
      throw new RiverrunError(
        'STATE_LAYOUT',
        `stored states have layout ${stored.layout}, this pipeline needs ${layoutId(core.spec.inputs)}: use another data folder or the former inputs`,
      );
    // Older than the log: an old copy of the store was put back. The checkpoint may be younger.
    const reach = Math.max(position.start, stored.offset < position.committed ? (position.swapsFrom ?? 0) : 0);
    if (stored.offset < reach && restorable) return restore(core, position);
    const ahead = stored.offset > position.committed && core.options.delivery === 'exactly-once';
    if (ahead || stored.offset < reach)
      throw new RiverrunError(
        'STATE_POSITION',
        `stored states stand at offset ${stored.offset}, the log holds outcomes for [${reach}, ${position.committed}): they do not belong together; restore the one or the other`,
      );
    return stored;
  }

  /** Whether there are states, or copies of states, of a log that has no word of this application. */
  private async hasStates(): Promise<boolean> {
    const { states, log } = this.core.ports;
    if ((await states.open()) !== undefined) return true;
    let copies = 0;
    await log.checkpoints?.read(() => copies++);
    return copies > 0;
  }

  /** Steps [W, c) again, each record with the model that made its outcome: the log's word on that comes first, the store's name is of W only. */
  private async replayTo({ committed, swaps = [] }: LogPosition): Promise<void> {
    const { core } = this;
    // With nothing to step again, a swap at c has no outcome yet: only the store knows of it.
    if (core.position >= committed) return;
    const past = swaps.filter(({ offset }) => offset <= core.position);
    const coming = [...past.slice(-1), ...swaps.slice(past.length)];
    for (;;) {
      while (coming.length > 0 && coming[0].offset <= core.position) await this.useLabel(coming.shift()!.model);
      if (core.position >= committed) return;
      const until = Math.min(committed, coming[0]?.offset ?? committed);
      const records = await core.ports.log.read(Math.min(core.options.maxBatch, until - core.position), until);
      if (records === null) throw new RiverrunError('LOG_CLOSED', 'the log was closed during a replay');
      if (records.count === 0) core.position = until;
      else await processBatch(core, records, { suppress: true });
      core.options.onStep?.('mid-replay');
    }
  }

  private async useLabel(label: string | null): Promise<void> {
    const { core } = this;
    if (core.label === label) return;
    // As in a live swap: what was stepped so far is stored under the model it was stepped with, or a rollback would meet other states.
    if (label === null) {
      await save(core, null);
      core.serve(undefined);
    } else await this.serve(await resolveServed(parseServed(label), (name) => core.ports.models!.byLabel(name)));
  }

  /** W first, in the same write that names what serves from there on: a replay never crosses a swap. */
  private async serve(served: Served<ModelArtifact>): Promise<void> {
    const { core } = this;
    const { champion, canary } = this.slotsFor(served);
    await save(core, digestsOf(served));
    core.serve(champion, canary);
  }

  /** Copies what has changed in the store since the last time to the log's checkpoints; beside the ticks, not between them. */
  async checkpoint(): Promise<boolean> {
    const { checkpoints } = this.core.ports.log;
    if (checkpoints === undefined || this.broken) return false;
    try {
      return await this.checkpointer.round(checkpoints);
    } catch (error) {
      if (!isStoreGone(error)) throw error;
      // In the queue: not while a batch is under way, and STATE_LOST is remembered there.
      return this.enqueue(() => {
        this.broken = true;
        throw error;
      });
    }
  }

  /** Takes the next records; null once the log is closed. `onCommitted` hears of them once their outcomes are committed, also if the save that follows
   *  fails. After an error call `recover` before anything else. */
  async next(onCommitted?: BatchOptions['onCommitted']): Promise<BatchResult | null> {
    const records = await this.core.ports.log.read(this.core.options.maxBatch);
    if (records === null) return null;
    return this.serially(async () => {
      this.broken = true;
      const result = await processBatch(this.core, records, { onCommitted });
      this.broken = false;
      return result;
    });
  }

  /** Serves `artifact` from the next tick on, and `canary` in its place for a share of the streams. Streams meet a model lazily: see warm-up.ts. RiverrunError MODEL_MISMATCH
   *  if the two are not given the same. */
  swapModel(artifact: ModelArtifact, canary?: Canary<ModelArtifact>): Promise<void> {
    return this.serially(async () => {
      const { core } = this;
      const served = { champion: artifact, canary };
      if (core.watermark?.model === digestsOf(served)) return;
      if (canary !== undefined) {
        mustBeShare(canary.share);
        mustBeAlike(artifact.manifest, canary.model.manifest);
      }
      const slots = this.slotsFor(served);
      await save(core, digestsOf(served));
      const { checkpoints } = core.ports.log;
      if (checkpoints !== undefined)
        for (const kept of [artifact, ...(canary === undefined ? [] : [canary.model])])
          await this.checkpointer.keepModel(checkpoints, kept);
      core.serve(slots.champion, slots.canary);
    });
  }

  /** Runs `artifact` beside the model that serves; undefined ends that. Nothing runs beside a model that does not forecast, or beside a canary. RiverrunError MODEL_MISMATCH if the two
   *  do not forecast the same steps of the same season. */
  challenge(artifact: ModelArtifact | undefined): Promise<void> {
    return this.serially(() => {
      const { core } = this;
      const served = core.model?.manifest;
      const digest = artifact?.manifest.digest;
      const alone = core.canary === undefined && served?.forecast !== undefined;
      if (artifact === undefined || !alone || digest === served.digest) {
        core.shadow = undefined;
        return Promise.resolve();
      }
      if (core.shadow?.model.manifest.digest === digest) return Promise.resolve();
      mustCompare(served, artifact.manifest);
      const slot = this.slotFor(artifact, core.table.capacity);
      const { horizon } = served.forecast;
      core.shadow = new Shadow(
        slot,
        served.digest,
        targetCount(core.spec),
        horizon,
        core.table.capacity,
        core.watermark?.trial,
      );
      return Promise.resolve();
    });
  }

  /** How the model that runs beside the champion does. `evidence` is 1 at first; 1 / alpha says that it is better, wrongly in a share alpha of all cases at most. */
  get trial(): TrialView | undefined {
    const { shadow, model } = this.core;
    if (shadow === undefined || model === undefined) return undefined;
    const { evidence, compared } = shadow;
    return { champion: model.manifest, challenger: shadow.model.manifest, evidence, compared };
  }

  /** What serves a share of the streams in the champion's place, and how it does. */
  get canary(): CanaryView | undefined {
    const { canary, canaryTally: tally, tallyBefore, tally: all } = this.core;
    if (canary === undefined) return undefined;
    const championTally = newTally();
    addSince(championTally, tallyBefore, all);
    // The others.
    addSince(championTally, tally, newTally());
    return { model: canary.model.manifest, share: canary.share, tally, championTally };
  }

  /** RiverrunError MODEL_MISMATCH if the model does not fit the pipeline's inputs. */
  mustFit(manifest: ModelManifest): void {
    checkFit(manifest, this.core.spec);
  }

  /** Writes what is due; called now and then so that a quiet log still reaches W = c. */
  saveIfDue(): Promise<void> {
    return this.serially(() => saveDue(this.core));
  }

  /** Removes what has expired from a page of the store; call it now and then. */
  expireStored(): Promise<void> {
    return this.core.options.stateTtlMs === null ? Promise.resolve() : this.serially(() => this.storedExpiry.page());
  }

  /** Writes everything. The ports stay open. */
  flush(): Promise<void> {
    return this.serially(() => save(this.core));
  }

  /** The stream as it stands, or undefined if there is none. */
  view(id: string): Promise<StreamView | undefined> {
    return this.serially(async () => {
      const slot = await this.slotOf(id);
      return slot < 0 ? undefined : viewOf(this.core.table, slot, this.spec.targets);
    });
  }

  /** The stream's window, oldest first: row-major [n, 1 + inputs]: ts, inputs (NaN = missing). Empty if there is no such stream. */
  window(id: string): Promise<Float64Array> {
    return this.serially(async () => {
      const slot = await this.slotOf(id);
      return slot < 0 ? new Float64Array(0) : this.windowAt(slot);
    });
  }

  /** The stream's last `limit` steps: what went in, the memory after it, what came out. Replays the window; the live state stays as it is. */
  trace(id: string, limit: number): Promise<Trace | undefined> {
    return this.serially(async () => {
      const slot = await this.slotOf(id);
      if (slot < 0) return undefined;
      return traceOf(this.core, slot, await this.windowAt(slot), limit);
    });
  }

  /** Streams in the store's order from the one after `cursor` on. */
  list(cursor: string | undefined, limit: number): Promise<{ streams: StreamView[]; cursor: string | undefined }> {
    return this.serially(async () => {
      const page = await this.core.ports.states.list(cursor, limit);
      const streams: StreamView[] = [];
      for (const id of page.ids) {
        const slot = await this.slotOf(id);
        if (slot >= 0) streams.push(viewOf(this.core.table, slot, this.spec.targets));
      }
      return { streams, cursor: page.cursor };
    });
  }

  private async useModel(digests: string | null): Promise<void> {
    const { core } = this;
    if (digests === null) core.serve(undefined);
    else if (core.digest !== digests) {
      const { champion, canary } = this.slotsFor(await resolveServed(parseServed(digests), this.findModel));
      core.serve(champion, canary);
    }
  }

  /** A model that serves already goes on with the hidden states it has. */
  private slotsFor({ champion, canary }: Served<ModelArtifact>): Served<ModelSlot> {
    const served = ({ manifest }: ModelArtifact): ModelSlot | undefined =>
      this.core.models.find((slot) => slot.manifest.digest === manifest.digest);
    const slot = served(champion) ?? this.slotFor(champion);
    if (canary === undefined) return { champion: slot };
    const known = served(canary.model);
    const { capacity } = slot.network;
    const model = known?.network.capacity === capacity ? known : this.slotFor(canary.model, capacity);
    return { champion: slot, canary: { model, share: canary.share } };
  }

  private slotFor(artifact: ModelArtifact, slots?: number): ModelSlot {
    const { core } = this;
    const { spec, options } = core;
    const forecaster = forecasterFor(spec, artifact.manifest);
    const capacity = slots ?? core.capacityFor(forecaster, stateSize(artifact.manifest.network));
    const room = { capacity, maxWave: Math.min(options.maxBatch, 4096) };
    try {
      return createModelSlot(artifact, spec, (core.generations += 1), room);
    } catch (error) {
      if (error instanceof RiverrunError) throw error;
      throw new RiverrunError(
        'MODEL_INVALID',
        `model ${modelLabel(artifact.manifest)} cannot be served: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }

  /** The stream's slot, loaded if it is cold; -1 if there is no such stream, or none any more. */
  private async slotOf(id: string): Promise<number> {
    const slot = await this.load(id);
    const { table } = this.core;
    return slot >= 0 && isExpired(this.core, table.meta[slot * table.fields + Field.ts]) ? -1 : slot;
  }

  private async load(id: string): Promise<number> {
    const { core } = this;
    const slot = core.table.find(id);
    if (slot >= 0) return slot;
    const { handles, states } = await core.ports.states.load([id], { storedOnly: true });
    if (states[0] === undefined) return -1;
    if (!core.table.makeRoom(1, () => false)) await save(core);
    if (!core.table.makeRoom(1, () => false)) return -1;
    const fresh = core.table.insert(id, handles[0]);
    readState(states[0], core.table, fresh, core.modelOf(fresh));
    return fresh;
  }

  private async windowAt(slot: number): Promise<Float64Array> {
    if (this.core.windowBuffer.slots.length > 0) await save(this.core);
    const windows = await readWindows(this.core, [slot]);
    return windowOf(this.core.table, slot, windows.get(slot), 1 + this.core.spec.inputs.length);
  }

  private serially<T>(work: () => Promise<T>): Promise<T> {
    return this.enqueue(() => {
      if (this.broken)
        throw new RiverrunError('UNAVAILABLE', `pipeline ${this.spec.name} has to recover from an error first`);
      return work();
    });
  }

  private enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.queue.then(work);
    this.queue = result.catch((error: unknown) => {
      if (error instanceof RiverrunError && error.code === 'STATE_LOST') this.lost = true;
    });
    return result;
  }
}
