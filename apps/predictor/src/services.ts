/** The pipelines at work: one for each pipeline of the settings (embedded), or one for each partition that this instance reads (distributed), which come and go. */
import type { OutcomeListener, PipelineService } from './pipeline-service.js';

export class Services {
  private readonly running = new Map<PipelineService, () => void>();
  private readonly listeners = new Set<OutcomeListener>();

  constructor(services: readonly PipelineService[] = []) {
    for (const service of services) this.add(service);
  }

  get all(): readonly PipelineService[] {
    return [...this.running.keys()];
  }

  /** Those of the pipeline of that name; without one, all. */
  named(pipeline: string | undefined): readonly PipelineService[] {
    return pipeline === undefined ? this.all : this.all.filter((service) => service.name === pipeline);
  }

  add(service: PipelineService): void {
    const stop = service.onOutcomes((batch) => {
      for (const listener of this.listeners) listener(batch, service);
    });
    this.running.set(service, stop);
  }

  remove(service: PipelineService): void {
    this.running.get(service)?.();
    this.running.delete(service);
  }

  /** Calls `listener` with every batch of every pipeline, those to come included, after its outcomes are committed. Returns how to stop that. */
  onOutcomes(listener: OutcomeListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
