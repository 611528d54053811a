/** Models and aliases in memory: what `pipe`, backtests and tests use in place of a folder. */
import { mustBeCanary, mustBeChampion } from '#domain/champion';
import { RiverrunError } from '#domain/errors';
import { type ModelArtifact, type ModelDraft, type ModelManifest, type ModelReference } from '#domain/model';
import { digestOf, validateModel, validateModelName } from '#domain/model-digest';
import type { Aliases, ModelRegistry } from '#domain/ports';
import type { Canary } from '#domain/served';

const NO_ALIASES: Aliases = { champion: undefined, previous: undefined, challenger: undefined, canary: undefined };

export class MemoryModelRegistry implements ModelRegistry {
  private readonly versions = new Map<string, ModelArtifact[]>();
  private readonly champions = new Map<string, Aliases>();

  // eslint-disable-next-line @typescript-eslint/require-await -- a refusal must be a rejected promise, not a thrown error
  async publish(draft: ModelDraft, weights: Float32Array): Promise<ModelManifest> {
    validateModelName(draft.name);
    const stored = this.versions.get(draft.name) ?? [];
    const content = { ...structuredClone(draft), format: 1 as const, version: stored.length + 1 };
    const copy = weights.slice();
    validateModel(content, copy);
    const manifest = { ...content, digest: digestOf(content, copy) };
    this.versions.set(draft.name, [...stored, { manifest, weights: copy }]);
    return manifest;
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async load(model: { readonly name: string; readonly version?: number | undefined }): Promise<ModelArtifact> {
    const artifact = this.find(model);
    return { manifest: artifact.manifest, weights: artifact.weights.slice() };
  }

  list(): Promise<ModelManifest[]> {
    const names = [...this.versions.keys()].sort();
    return Promise.resolve(names.flatMap((name) => this.versions.get(name)!.map((a) => a.manifest)));
  }

  aliases(pipeline: string): Promise<Aliases> {
    return Promise.resolve(this.champions.get(pipeline) ?? NO_ALIASES);
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async activate(
    pipeline: string,
    model: ModelReference,
    expected?: ModelReference | null,
    keepBeside = false,
  ): Promise<Aliases> {
    const { name, version } = this.find(model).manifest;
    const aliases = this.expecting(pipeline, expected);
    const { champion } = aliases;
    if (champion?.name === name && champion.version === version)
      return this.set(pipeline, { ...aliases, canary: undefined });
    const challenger = keepBeside ? champion : undefined;
    return this.set(pipeline, { champion: { name, version }, previous: champion, challenger, canary: undefined });
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async challenge(pipeline: string, model: ModelReference | null, champion: ModelReference): Promise<Aliases> {
    const manifest = model === null ? undefined : this.find(model).manifest;
    const challenger = manifest && { name: manifest.name, version: manifest.version };
    return this.set(pipeline, { ...this.expecting(pipeline, champion), challenger });
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async setCanary(pipeline: string, canary: Canary<ModelReference> | null, champion: ModelReference): Promise<Aliases> {
    const aliases = this.expecting(pipeline, champion);
    if (canary === null) return this.set(pipeline, { ...aliases, canary: undefined });
    mustBeCanary(canary, champion);
    const { name, version } = this.find(canary.model).manifest;
    const next = { model: { name, version }, share: canary.share };
    return this.set(pipeline, { ...aliases, challenger: undefined, canary: next });
  }

  private expecting(pipeline: string, expected: ModelReference | null | undefined): Aliases {
    const aliases = this.champions.get(pipeline) ?? NO_ALIASES;
    mustBeChampion(pipeline, aliases.champion, expected);
    return aliases;
  }

  private set(pipeline: string, aliases: Aliases): Aliases {
    this.champions.set(pipeline, aliases);
    return aliases;
  }

  private find(model: { readonly name: string; readonly version?: number | undefined }): ModelArtifact {
    const stored = this.versions.get(model.name) ?? [];
    const artifact = stored[(model.version ?? stored.length) - 1];
    if (artifact === undefined)
      throw new RiverrunError(
        'MODEL_NOT_FOUND',
        `there is no model ${model.name}${model.version === undefined ? '' : `@${model.version}`}`,
      );
    return artifact;
  }
}
