import type { Services } from './services.js';

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
    private readonly services: Services,
    private readonly readDeadLetters: (limit: number) => DeadLetterView[],
    /** What else keeps ticks from moving. */
    private readonly otherProblems: () => string[] = () => [],
  ) {}

  reasons(): string[] {
    if (this.stopping) return ['stopping'];
    const stuck = this.services.all.flatMap(({ problem, problemCode, label }) =>
      problem === undefined
        ? []
        : [`pipeline ${label}: ${problemCode === undefined ? '' : `${problemCode}: `}${problem}`],
    );
    return [...this.otherProblems(), ...stuck];
  }

  deadLetters(limit: number): DeadLetterView[] {
    return this.readDeadLetters(limit);
  }
}
