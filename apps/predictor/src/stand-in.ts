/** The model that ships, for pipelines that have no champion yet. It is put into the registry, where a replay finds it by its label and a restart by its digest, but is nobody's champion:
 *  the first model that is trained or activated takes its place as if there had been none. */
import { DEFAULT_MODEL, loadDefaultModel, suitsDefaultModel } from '#default-model/default-model';
import { RiverrunError } from '#domain/errors';
import type { ModelArtifact } from '#domain/model';
import type { PipelineSpec } from '#domain/pipeline-spec';
import type { Logger, ModelRegistry } from '#domain/ports';

/** undefined where such a pipeline begins with the baselines. */
export type StandIn = (spec: PipelineSpec) => Promise<ModelArtifact | undefined>;

/** Nothing that keeps ticks from being answered. */
const DAMAGED = new Set(['MODEL_CORRUPT', 'MODEL_INVALID', 'MODEL_NOT_FOUND']);

export function standInFrom(
  registry: Pick<ModelRegistry, 'load'> & { restore(artifact: ModelArtifact): Promise<void> },
  on: boolean,
  logger: Pick<Logger, 'warn'>,
): StandIn {
  let warned = false;
  return async (spec) => {
    if (!on || !suitsDefaultModel(spec)) return undefined;
    try {
      await registry.restore(await loadDefaultModel());
      // What is there under that label counts: outcomes are known by it.
      return await registry.load(DEFAULT_MODEL);
    } catch (error) {
      if (!(error instanceof RiverrunError && DAMAGED.has(error.code))) throw error;
      if (!warned)
        logger.warn('streams begin without the model that ships', { code: error.code, error: error.message });
      warned = true;
      return undefined;
    }
  };
}
