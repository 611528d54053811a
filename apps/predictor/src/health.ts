import type { PipelineService } from './pipeline-service.js';

export interface DeadLetterView {
  readonly pipeline: string;
  readonly topic: string;
  readonly offset: number;
  readonly code: string;
  readonly message: string;
  readonly key: string | null;
  /** base64 of the original bytes. */
  readonly value: string | null;
}

/** Whether ticks are taken, and if not, why. */
export class Health {
  stopping = false;

  constructor(
    private readonly services: readonly PipelineService[],
    private readonly readDeadLetters: (limit: number) => DeadLetterView[],
  ) {}

  reasons(): string[] {
    if (this.stopping) return ['stopping'];
    return this.services.flatMap((service) =>
      service.problem === undefined ? [] : [`pipeline ${service.name}: ${service.problem}`],
    );
  }

  deadLetters(limit: number): DeadLetterView[] {
    return this.readDeadLetters(limit);
  }
}
