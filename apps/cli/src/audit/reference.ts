/** One uninterrupted pass over a partition's log, in memory: what every outcome and every state must be. */
import { MemoryStateStore } from '#adapters/memory/memory-state-store';
import type { Config } from '#config/config';
import { topicNames } from '#config/connections';
import { RiverrunError } from '#domain/errors';
import type { ModelArtifact } from '#domain/model';
import type { OutcomeBatch } from '#domain/outcome';
import type { PipelineSpec } from '#domain/pipeline-spec';
import { SEGMENT_ROWS, type LogPosition, type TickLog } from '#domain/ports';
import type { RecordBatch } from '#domain/record-batch';
import { parseServed, resolveServed } from '#domain/served';
import { Pipeline } from '#pipeline/pipeline';
import { isInShare } from '#pipeline/stream-table';

export interface ReferenceOptions {
  /** For hot streams: memory only. */
  readonly hotBytes: number;
  readonly maxRecordBytes: number;
  readonly nameTopic: boolean;
}

/** What a reference of these settings needs. */
export const referenceOptions = (config: Config, pipeline: PipelineSpec): ReferenceOptions => ({
  hotBytes: config.hotBytes,
  maxRecordBytes: config.maxRecordBytes,
  nameTopic: (config.mode === 'embedded' ? pipeline.topics : topicNames(config).inputs).length > 1,
});

/** The model of that label, or undefined if there is none any more. */
export type ModelByLabel = (label: string) => Promise<ModelArtifact | undefined>;

export class Reference {
  /** As of the last `flush`. */
  readonly states: MemoryStateStore;
  private readonly log: HandedLog;
  private pipeline!: Pipeline;

  /** Nothing is known before offset `base`. */
  static async start(
    spec: PipelineSpec,
    base: number,
    models: ModelByLabel,
    options: ReferenceOptions,
  ): Promise<Reference> {
    const reference = new Reference(spec, base, models);
    const { log, states } = reference;
    const none = (): Promise<never> => Promise.reject(new RiverrunError('MODEL_NOT_FOUND', 'nothing is stored yet'));
    reference.pipeline = await Pipeline.open(spec, { log, states, windows: states }, none, {
      ...options,
      saveAfterMs: Infinity,
    });
    return reference;
  }

  private constructor(
    spec: PipelineSpec,
    base: number,
    private readonly models: ModelByLabel,
  ) {
    this.log = new HandedLog(base);
    this.states = new MemoryStateStore({ windowSegments: Math.ceil(spec.window / SEGMENT_ROWS) });
  }

  /** What serves, by labels and by digests (see `servedText`); null: nothing. */
  get label(): string | null {
    return this.pipeline.label;
  }
  get digest(): string | null {
    return this.pipeline.digest;
  }

  /** `name@version` that serves the stream; null: none. */
  modelOf(stream: string): string | null {
    const { label } = this;
    if (label === null) return null;
    const { champion, canary } = parseServed(label);
    return canary !== undefined && isInShare(stream, canary.share) ? canary.model : champion;
  }

  /** Serves what `label` says from the next record on; false if a model is not to be had. */
  async swapTo(label: string): Promise<boolean> {
    const { champion, canary } = await resolveServed(parseServed(label), this.models);
    if (champion === undefined || (canary !== undefined && canary.model === undefined)) return false;
    await this.pipeline.swapModel(champion, canary && { model: canary.model!, share: canary.share });
    return true;
  }

  /** The outcomes of the next records. */
  async take(records: RecordBatch): Promise<OutcomeBatch> {
    this.log.hand(records);
    return (await this.pipeline.next())!.outcomes;
  }

  /** Brings `states` up to the last record taken. */
  flush(): Promise<void> {
    return this.pipeline.flush();
  }

  /** The stream's state after the last record taken. */
  async stateOf(stream: string): Promise<Uint8Array | undefined> {
    await this.flush();
    return (await this.states.load([stream], { storedOnly: true })).states[0];
  }
}

/** A log that holds the one batch it was last handed. */
class HandedLog implements TickLog {
  private records: RecordBatch | undefined;

  constructor(private readonly base: number) {}

  hand(records: RecordBatch): void {
    this.records = records;
  }
  open(): Promise<LogPosition> {
    return Promise.resolve({ start: this.base, committed: this.base, end: this.base });
  }
  seek(): Promise<void> {
    return Promise.resolve();
  }
  read(): Promise<RecordBatch | null> {
    return Promise.resolve(this.records ?? null);
  }
  publish(): Promise<void> {
    return Promise.resolve();
  }
  releaseBelow(): void {
    // Nothing is kept.
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}
