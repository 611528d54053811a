import type { ModelArtifact, ModelReference } from '#domain/model';
import type { PipelineSpec } from '#domain/pipeline-spec';
import type { ModelRegistry } from '#domain/ports';

/** Which model serves a pipeline, and its weights. */
export type ModelSource = Pick<ModelRegistry, 'aliases'> & {
  load(model: ModelReference): Promise<ModelArtifact>;
  /** The registry has lost the champion that is served: it is put back, unless there is another by now. */
  adopt?(pipeline: string, artifact: ModelArtifact): Promise<void>;
  /** What serves a pipeline that has no champion; undefined: the baselines. */
  standIn?(spec: PipelineSpec): Promise<ModelArtifact | undefined>;
  /** Absent where trials are not decided. */
  activate?: ModelRegistry['activate'];
};
