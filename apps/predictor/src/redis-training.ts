/** Windows to learn from as predictors have left them in Redis: of all partitions, whoever has them, a few streams at a time so that their commits get through. */
import { RiverrunError } from '#domain/errors';
import type { ModelArtifact, ModelManifest } from '#domain/model';
import type { PipelineSpec } from '#domain/pipeline-spec';
import { SEGMENT_ROWS, type ModelRegistry } from '#domain/ports';
import type { RedisClient } from '#adapters/redis/redis-client';
import { RedisStateStore } from '#adapters/redis/redis-state-store';
import { layoutId } from '#pipeline/state-codec';
import { StoredWindows } from '#pipeline/stored-windows';
import type { StandIn } from './stand-in.js';
import type { TrainingSource, WindowLimits } from './training-source.js';

/** Partitions looked for at a time: a topic has no more once none of so many has a watermark. */
const PROBED = 64;
/** Streams asked for at a time, at least and at most. */
const PAGE = { least: 16, most: 128 };
/** Streams looked at for each that is wanted: of a million young streams none is worth a look at all of them. */
const LOOKS = 16;

export class RedisTrainingSource implements TrainingSource {
  constructor(
    private readonly spec: PipelineSpec,
    private readonly app: string,
    /** RiverrunError UNAVAILABLE until there is a connection. */
    private readonly client: () => RedisClient,
    private readonly registry: ModelRegistry,
    /** What predictors of the same settings serve without a champion. */
    private readonly whileNone: StandIn,
  ) {}

  get pipeline(): string {
    return this.spec.name;
  }

  get inputs(): number {
    return this.spec.inputs.length;
  }

  /** Predictors follow the champion within a second: it is what serves. */
  async served(): Promise<ModelManifest | undefined> {
    const { champion } = await this.registry.aliases(this.pipeline);
    return champion === undefined ? undefined : (await this.registry.load(champion)).manifest;
  }

  standIn(): Promise<ModelArtifact | undefined> {
    return this.whileNone(this.spec);
  }

  async windows({ streams, minRows }: WindowLimits, signal: AbortSignal): Promise<Float64Array[]> {
    const partitions = await this.partitions();
    const stored = new StoredWindows(this.inputs);
    const least = minRows * (1 + this.inputs);
    const share = Math.ceil(streams / Math.max(1, partitions.length));
    const page = Math.min(PAGE.most, Math.max(PAGE.least, share));
    const windows: Float64Array[] = [];
    const queue = partitions.map((store): { store: RedisStateStore; cursor?: string } => ({ store }));
    // Page by page around the partitions, so that each has its share.
    for (let looks = 0; queue.length > 0 && looks < LOOKS * streams && !signal.aborted; looks += page) {
      const { store, cursor } = queue.shift()!;
      const { ids, cursor: next } = await store.list(cursor, page);
      for (const [k, { state, rows }] of (await store.peek(ids)).entries()) {
        const window = state === undefined ? undefined : stored.window(ids[k], state, rows);
        if (window !== undefined && window.length >= least) windows.push(window);
        if (windows.length === streams) return windows;
      }
      if (next !== undefined) queue.push({ store, cursor: next });
      await new Promise((resolve) => setImmediate(resolve));
    }
    return windows;
  }

  /** A store for each partition of the pipeline's topics that a predictor has ever had. */
  private async partitions(): Promise<RedisStateStore[]> {
    const found: RedisStateStore[] = [];
    for (const topic of this.spec.topics)
      for (let from = 0, some = 1; some > 0; from += PROBED) {
        const stores = await Promise.all(Array.from({ length: PROBED }, (_, k) => this.open(topic, from + k)));
        const there = stores.filter((store) => store !== undefined);
        found.push(...there);
        some = there.length;
      }
    return found;
  }

  private async open(topic: string, partition: number): Promise<RedisStateStore | undefined> {
    const { app, spec } = this;
    const windowSegments = Math.ceil(spec.window / SEGMENT_ROWS);
    const store = new RedisStateStore(this.client(), { app, topic, partition, windowSegments });
    const watermark = await store.open();
    if (watermark === undefined) return undefined;
    const layout = layoutId(spec.inputs);
    if (watermark.layout !== layout)
      throw new RiverrunError(
        'STATE_LAYOUT',
        `stored states of partition ${partition} of ${topic} have layout ${watermark.layout}, pipeline ${spec.name} needs ${layout}: give predictors and trainers the same pipelines`,
      );
    return store;
  }
}
