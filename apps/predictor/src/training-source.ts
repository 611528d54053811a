/** What training needs of the rest of the house: windows to learn from, the model to beat, and its turn. Embedded it is the live pipeline's; distributed, Redis'. */
import type { ModelArtifact, ModelManifest } from '#domain/model';
import type { PipelineService } from './pipeline-service.js';

export interface TrainingSource {
  readonly pipeline: string;
  /** How many inputs a tick has. */
  readonly inputs: number;
  /** The champion that serves: what a challenger has to beat. */
  served(): Promise<ModelManifest | undefined>;
  /** What serves while there is none: a first model takes its place only if it is no worse. */
  standIn?(): Promise<ModelArtifact | undefined>;
  /** Whole windows, oldest row first: row-major [n, 1 + inputs]: ts, inputs (NaN = missing). */
  windows(limits: WindowLimits, signal: AbortSignal): Promise<Float64Array[]>;
  /** Called when a challenger has become the champion, where that is not noticed anyway. */
  follow?(): Promise<void>;
}

export interface WindowLimits {
  /** At most so many streams … */
  readonly streams: number;
  /** … and only those with so many rows. */
  readonly minRows: number;
}

/** Who trains a pipeline when several could. */
export interface TrainingTurns {
  /** undefined while another has the turn. */
  take(pipeline: string): Promise<TrainingTurn | undefined>;
}

export interface TrainingTurn {
  /** Attempts made before this one, by whomever; and how long ago the last one ended. */
  readonly turns: number;
  readonly sinceLastMs: number | undefined;
  /** Aborted when the turn is somebody else's: the attempt is over. */
  readonly lost: AbortSignal;
  /** `counts`: an attempt was made. */
  end(counts: boolean): Promise<void>;
}

/** Windows of the pipeline that runs in this process. */
export class LiveTrainingSource implements TrainingSource {
  constructor(private readonly service: PipelineService) {}

  get pipeline(): string {
    return this.service.name;
  }

  get inputs(): number {
    return this.service.pipeline.spec.inputs.length;
  }

  served(): Promise<ModelManifest | undefined> {
    const { standIn, pipeline } = this.service;
    return Promise.resolve(standIn === undefined ? pipeline.model?.manifest : undefined);
  }

  standIn(): Promise<ModelArtifact | undefined> {
    return Promise.resolve(this.service.standIn);
  }

  async windows({ streams, minRows }: WindowLimits, signal: AbortSignal): Promise<Float64Array[]> {
    const { pipeline } = this.service;
    const windows: Float64Array[] = [];
    let cursor: string | undefined;
    do {
      const page = await pipeline.list(cursor, 100);
      for (const { id, ticks } of page.streams) {
        if (ticks < minRows) continue;
        // Nothing of all this waits for a disk or a socket: let the ticks through.
        await new Promise((resolve) => setImmediate(resolve));
        const window = await pipeline.window(id);
        if (window.length >= minRows * (1 + this.inputs)) windows.push(window);
        if (windows.length === streams) return windows;
      }
      cursor = page.cursor;
      await new Promise((resolve) => setImmediate(resolve));
    } while (cursor !== undefined && !signal.aborted);
    return windows;
  }

  follow(): Promise<void> {
    return this.service.followChampion();
  }
}

/** Nobody else trains: it is always this process' turn. */
export class OwnTurns implements TrainingTurns {
  private readonly made = new Map<string, { readonly turns: number; readonly endedAt: number }>();

  take(pipeline: string): Promise<TrainingTurn> {
    const before = this.made.get(pipeline);
    const turns = before?.turns ?? 0;
    return Promise.resolve({
      turns,
      sinceLastMs: before === undefined ? undefined : performance.now() - before.endedAt,
      lost: new AbortController().signal,
      end: (counts) => {
        if (counts) this.made.set(pipeline, { turns: turns + 1, endedAt: performance.now() });
        return Promise.resolve();
      },
    });
  }
}
