/** Has a model serve a share of the streams in the champion's place. */
import { RiverrunError } from '#domain/errors';
import type { ModelManifest } from '#domain/model';
import type { PipelineSpec } from '#domain/pipeline-spec';
import type { Aliases, ModelRegistry } from '#domain/ports';
import { checkFit, mustBeAlike } from './model-slot.js';

/** A share of 0 ends it. RiverrunError MODEL_NOT_FOUND without a champion, MODEL_MISMATCH if the two are not given the same, ARGUMENT, ALIAS_CHANGED. */
export async function shareStreams(
  registry: ModelRegistry,
  spec: PipelineSpec,
  model: ModelManifest,
  share: number,
): Promise<Aliases> {
  const { champion } = await registry.aliases(spec.name);
  if (champion === undefined)
    throw new RiverrunError('MODEL_NOT_FOUND', `pipeline ${spec.name} has no champion to share streams with`);
  checkFit(model, spec);
  mustBeAlike((await registry.load(champion)).manifest, model);
  const { name, version } = model;
  return registry.setCanary(spec.name, share === 0 ? null : { model: { name, version }, share }, champion);
}
