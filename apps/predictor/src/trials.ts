/** A challenger beside a pipeline's champion: whom the registry names runs there, and whoever turns out better serves. */
import { errorMessage, RiverrunError } from '#domain/errors';
import { modelLabel, type ModelReference } from '#domain/model';
import type { Logger } from '#domain/ports';
import type { Pipeline, TrialView } from '#pipeline/pipeline';
import type { ModelSource } from './model-source.js';

/** Share of challengers that are no better and yet get to serve, at most. */
export const ALPHA = 0.05;

export interface TrialParts {
  readonly pipeline: Pipeline;
  readonly models: ModelSource;
  readonly logger: Logger;
  /** Partitions that compare on their own, this one among them: each has its share of ALPHA. */
  readonly partitions: number;
}

export class Trials {
  private refused: string | undefined;

  constructor(private readonly parts: TrialParts) {}

  /** What evidence decides. */
  get threshold(): number {
    return this.parts.partitions / ALPHA;
  }

  get view(): TrialView | undefined {
    return this.parts.pipeline.trial;
  }

  /** Runs the registry's challenger beside what serves; one that cannot be compared is named once and left out. */
  async follow(challenger: ModelReference | undefined): Promise<void> {
    const { pipeline, models, logger } = this.parts;
    const label = challenger === undefined ? undefined : modelLabel(challenger);
    const running = this.view === undefined ? undefined : modelLabel(this.view.challenger);
    if (label === running || (label !== undefined && label === this.refused)) return;
    try {
      await pipeline.challenge(challenger === undefined ? undefined : await models.load(challenger));
      this.refused = undefined;
      if (label !== undefined && this.view !== undefined)
        logger.info('a challenger runs beside the champion', {
          pipeline: pipeline.spec.name,
          challenger: label,
          champion: pipeline.model?.label,
        });
    } catch (error) {
      if (error instanceof RiverrunError && error.code === 'UNAVAILABLE') return;
      this.refused = label;
      logger.warn('the challenger cannot run', { pipeline: pipeline.spec.name, error: errorMessage(error) });
    }
  }

  /** Has the challenger serve if it is better beyond doubt; the former champion goes on beside it, and comes back the same way. Whether it was done. */
  async decide(): Promise<boolean> {
    const { pipeline, models, logger } = this.parts;
    const { view } = this;
    if (view === undefined || view.evidence < this.threshold) return false;
    const { champion, challenger, evidence, compared } = view;
    try {
      await models.activate?.(pipeline.spec.name, challenger, champion, true);
    } catch (error) {
      // Another partition, an instance or a person was quicker.
      if (error instanceof RiverrunError && error.code === 'ALIAS_CHANGED') return true;
      throw error;
    }
    const labels = { challenger: modelLabel(challenger), champion: modelLabel(champion) };
    logger.info('the challenger is better: it serves', { pipeline: pipeline.spec.name, ...labels, evidence, compared });
    return true;
  }
}
