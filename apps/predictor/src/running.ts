/** What either way of running the service (embedded.ts, distributed.ts) hands to main: composition differs, everything behind it does not. */
import type { ModelRegistry } from '#domain/ports';
import type { DeadLetterView } from './health.js';
import type { StreamTitle } from './live-feed.js';
import type { PipelineService } from './pipeline-service.js';
import type { Services } from './services.js';
import type { TrainingSource, TrainingTurns } from './training-source.js';

export interface Running {
  readonly services: Services;
  readonly registry: ModelRegistry;
  /** What is trained here, if this process trains. */
  readonly training: { readonly sources: readonly TrainingSource[]; readonly turns: TrainingTurns };
  /** How the demo's streams are called. */
  readonly titles: ReadonlyMap<string, StreamTitle>;
  /** What else keeps ticks from moving, besides the services' own problems. */
  problems(): string[];
  /** The newest; where dead letters go to a topic, none. */
  deadLetters(limit: number): DeadLetterView[];
  /** Called with every service before it starts. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Told of services as they come and go. */
export interface ServiceObserver {
  /** The topics it reads, as one label, and the partition; `lag`: records of the log without an outcome, where that is known. */
  added(service: PipelineService, place: { topic: string; partition: number; lag?: () => number }): void;
  removed(service: PipelineService): void;
}
