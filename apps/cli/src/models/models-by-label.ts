import { RiverrunError } from '#domain/errors';
import type { ModelArtifact } from '#domain/model';
import type { ModelRegistry } from '#domain/ports';

/** Models as outcomes name them (`name@version`), each loaded once; undefined for one that the registry does not have. */
export function modelsByLabel(registry: ModelRegistry): (label: string) => Promise<ModelArtifact | undefined> {
  const loaded = new Map<string, Promise<ModelArtifact | undefined>>();
  return (label) => {
    let model = loaded.get(label);
    if (model === undefined) {
      const at = label.lastIndexOf('@');
      model = registry
        .load({ name: label.slice(0, at), version: Number(label.slice(at + 1)) })
        .catch((error: unknown) => {
          if (error instanceof RiverrunError && error.code === 'MODEL_NOT_FOUND') return undefined;
          throw error;
        });
      loaded.set(label, model);
    }
    return model;
  };
}
