import type { ModelArtifact, ModelReference } from '#domain/model';
import type { ModelRegistry } from '#domain/ports';

/** Which model serves a pipeline, and its weights. */
export type ModelSource = Pick<ModelRegistry, 'aliases'> & {
  load(model: ModelReference): Promise<ModelArtifact>;
  /** The registry has lost the champion that is served: it is put back, unless there is another by now. */
  adopt?(pipeline: string, artifact: ModelArtifact): Promise<void>;
  /** Absent where trials are not decided. */
  activate?: ModelRegistry['activate'];
};
