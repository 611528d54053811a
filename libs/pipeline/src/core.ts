/** What the steps of a tick's path share: the ports, the hot streams, the model, and how far memory is ahead of the store. */
import type { PipelineSpec } from '#domain/pipeline-spec';
import type { ModelArchive, StateStore, TickLog, Watermark, WindowStore } from '#domain/ports';
import { servedText, type Canary } from '#domain/served';
import type { OnStep } from '#domain/step';
import { newTally } from '#forecasting/forecaster';
import type { JointForecaster } from '#forecasting/joint-forecaster';
import { haveSameShape } from '#forecasting/plan-shape';
import { forecasterFor } from './forecasting.js';
import type { ModelSlot } from './model-slot.js';
import type { Shadow } from './shadow.js';
import { StateWriter } from './state-codec.js';
import type { SteppedBatch } from './stepped-batch.js';
import { bytesPerStream, isHashInShare, StreamTable } from './stream-table.js';
import { WindowBuffer } from './window-buffer.js';

export interface PipelineOptions {
  /** Streams kept hot in memory at most; the least recently used clean ones make way. */
  readonly hotStreams: number;
  /** And the memory they take; two batches' streams always fit. */
  readonly hotBytes: number;
  /** Records processed at a time. */
  readonly maxBatch: number;
  readonly maxRecordBytes: number;
  /** The store may lag this many records behind the log … */
  readonly saveAfterRecords: number;
  /** … or this long, whichever comes first. */
  readonly saveAfterMs: number;
  /** Put the topic into predictions (pipelines with several input topics). */
  readonly nameTopic: boolean;
  /** exactly-once: outcomes and c are committed together, W follows: W <= c. at-least-once: c is committed once W has passed it, outcomes may repeat. */
  readonly delivery: 'exactly-once' | 'at-least-once';
  /** The next batch is computed while the one before is being committed: for logs whose commit takes a while. */
  readonly overlap: boolean;
  /** A stream whose last tick is further than this, in ms, behind the partition's time starts over; null: never. See expiry.ts. */
  readonly stateTtlMs: number | null;
  /** Use the fast reading of known record shapes; off only to hold both readings against each other. */
  readonly fastDecode: boolean;
  /** Told of each step passed: for fault tests. */
  readonly onStep?: OnStep | undefined;
}

export const DEFAULT_OPTIONS: PipelineOptions = {
  hotStreams: 1 << 20,
  hotBytes: 1 << 30,
  maxBatch: 8192,
  maxRecordBytes: 1 << 20,
  saveAfterRecords: 1 << 17,
  saveAfterMs: 200,
  nameTopic: false,
  delivery: 'exactly-once',
  overlap: false,
  stateTtlMs: null,
  fastDecode: true,
};

export interface PipelinePorts {
  readonly log: TickLog;
  readonly states: StateStore;
  readonly windows: WindowStore;
  readonly models?: ModelArchive;
}

/** Hidden floats a stream is reckoned with at least: a model with more may come, and the memory around small ones is not free. */
const TYPICAL_HIDDEN = 64;

const sameShape = (one: JointForecaster | undefined, other: JointForecaster | undefined): boolean =>
  one === undefined || other === undefined ? one === other : haveSameShape(one.shape, other.shape);

export class PipelineCore {
  table: StreamTable;
  readonly windowBuffer: WindowBuffer;
  readonly stateWriter = new StateWriter();
  /** What serves: the champion, and in its place for a share of the streams the canary. */
  model: ModelSlot | undefined;
  canary: Canary<ModelSlot> | undefined;
  forecaster: JointForecaster | undefined;
  /** Networks made so far: each has a generation of its own. */
  generations = 0;
  /** Beside the model; only where there is one that forecasts. */
  shadow: Shadow | undefined;
  /** As last acknowledged by the store (W). */
  watermark: Watermark | undefined;
  /** The next offset memory has not absorbed. */
  position = 0;
  /** The largest ts of the partition's ticks so far, ms; -Infinity before the first. Stands still where states do not expire. */
  time = -Infinity;
  /** Where in the table the search for expired streams goes on. */
  expiryHand = 0;
  /** Streams removed since the last checkpoint, once there has been one. */
  removed: Set<string> | undefined;
  /** 1 for each input that the one behind it says of the tick before it; undefined where none does. */
  readonly foreseen: Uint8Array | undefined;
  /** Scratch by slot, all zeros between uses. */
  seen: Int32Array;
  /** Slots ahead of the store. */
  readonly dirty: number[] = [];
  lastSave = 0;
  /** The commit of the batch before, under way or over. While it is under way, memory is ahead of c: nothing may be saved. */
  published: Promise<void> = Promise.resolve();
  loads = { store: 0, new: 0 };
  /** Forecasts scored, and the sums of their absolute errors in units of each stream's scale (1 under a raw model); of that the present canary's streams; and
   *  what had been counted before it came. */
  readonly tally = newTally();
  canaryTally = newTally();
  tallyBefore = newTally();

  /** What step 3 made of the batch before: its largest columns serve one batch after the other. */
  stepped: SteppedBatch | undefined;
  /** Where outcomes are written; two in turn when batches overlap: one may be under way while the next is made. */
  readonly arenas: Uint8Array[] = [];

  constructor(
    readonly spec: PipelineSpec,
    readonly ports: PipelinePorts,
    readonly options: PipelineOptions,
  ) {
    this.forecaster = forecasterFor(spec, undefined, this.tally);
    this.foreseen =
      spec.named && Uint8Array.from(spec.named.flatMap(({ ahead }) => [...new Array<number>(ahead).fill(1), 0]));
    this.table = this.newTable(undefined);
    this.seen = new Int32Array(this.table.capacity);
    this.windowBuffer = new WindowBuffer(1 + spec.inputs.length);
  }

  /** Streams that fit in memory under a forecaster of so many floats. */
  capacityFor(forecaster: JointForecaster | undefined, hidden = TYPICAL_HIDDEN): number {
    const { hotStreams, hotBytes, maxBatch } = this.options;
    const bytes = bytesPerStream(this.spec.inputs.length, forecaster) + 4 * Math.max(hidden, TYPICAL_HIDDEN);
    return Math.min(hotStreams, Math.max(2 * maxBatch, Math.floor(hotBytes / bytes)));
  }

  /** The model that serves the stream in a slot. */
  modelOf(slot: number): ModelSlot | undefined {
    return this.isCanary(slot) ? this.canary!.model : this.model;
  }

  isCanary(slot: number): boolean {
    return this.canary !== undefined && isHashInShare(this.table.hashes[slot], this.canary.share);
  }

  /** The models that serve. */
  get models(): readonly ModelSlot[] {
    const { model, canary } = this;
    return model === undefined ? [] : canary === undefined ? [model] : [model, canary.model];
  }

  /** What serves as one text, by labels and by digests. */
  get label(): string | null {
    return this.textOf(({ label }) => label);
  }
  get digest(): string | null {
    return this.textOf(({ manifest }) => manifest.digest);
  }

  /** Steps ticks with `model`, and with `canary` those of its streams, from now on. Everything must have been saved: where states are laid out in another way, the table begins
   *  anew. */
  serve(model: ModelSlot | undefined, canary?: Canary<ModelSlot>): void {
    const forecaster = forecasterFor(this.spec, model?.manifest, this.tally);
    if (model !== this.model || canary !== undefined) this.shadow = undefined;
    this.model = model;
    this.canary = canary;
    this.canaryTally = newTally();
    this.tallyBefore = { ...this.tally };
    this.forecaster = forecaster;
    if (model?.network.capacity === this.table.capacity && sameShape(forecaster, this.table.forecaster)) {
      this.table.forecaster = forecaster;
      return;
    }
    this.table = this.newTable(model);
    this.seen = new Int32Array(this.table.capacity);
    this.expiryHand = 0;
  }

  private textOf(name: (model: ModelSlot) => string): string | null {
    const { model: champion, canary } = this;
    return champion === undefined ? null : servedText({ champion, canary }, name);
  }

  private newTable(model: ModelSlot | undefined): StreamTable {
    const capacity = model?.network.capacity ?? this.capacityFor(this.forecaster);
    return new StreamTable(capacity, this.spec.inputs.length, this.forecaster);
  }

  markDirty(slot: number): void {
    if (this.table.dirty[slot] === 1) return;
    this.table.dirty[slot] = 1;
    this.dirty.push(slot);
  }
}
