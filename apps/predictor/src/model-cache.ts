/** One look at the registry for all partitions of an instance: champions are asked for at most twice a second, a model is loaded once. */
import { RiverrunError } from '#domain/errors';
import { modelLabel, type ModelArtifact, type ModelReference } from '#domain/model';
import type { Aliases, ModelArchive, ModelRegistry } from '#domain/ports';
import type { ModelSource } from './model-source.js';
import type { StandIn } from './stand-in.js';

const FRESH_MS = 500;
/** Models kept: the champion, a canary or challenger, the one before, and one in between. */
const KEPT = 4;

/** A registry that can take back what it has lost. */
export interface RestorableRegistry extends ModelRegistry {
  findByDigest(digest: string): Promise<ModelArtifact>;
  restore(artifact: ModelArtifact): Promise<void>;
}

export class ModelCache implements ModelSource, ModelArchive {
  private readonly asked = new Map<string, { readonly at: number; readonly aliases: Promise<Aliases> }>();
  private readonly artifacts = new Map<string, Promise<ModelArtifact>>();

  constructor(
    private readonly registry: RestorableRegistry,
    readonly standIn: StandIn,
  ) {}

  aliases(pipeline: string): Promise<Aliases> {
    const known = this.asked.get(pipeline);
    if (known !== undefined && performance.now() - known.at < FRESH_MS) return known.aliases;
    const aliases = this.registry.aliases(pipeline);
    this.asked.set(pipeline, { at: performance.now(), aliases });
    aliases.catch(() => this.asked.delete(pipeline));
    return aliases;
  }

  load(model: ModelReference): Promise<ModelArtifact> {
    const label = modelLabel(model);
    const known = this.artifacts.get(label);
    if (known !== undefined) return known;
    const loading = this.registry.load(model);
    loading.catch(() => this.artifacts.delete(label));
    this.artifacts.set(label, loading);
    if (this.artifacts.size > KEPT) this.artifacts.delete(this.artifacts.keys().next().value!);
    return loading;
  }

  async findByDigest(digest: string): Promise<ModelArtifact> {
    for (const loading of this.artifacts.values()) {
      const artifact = await loading.catch(() => undefined);
      if (artifact?.manifest.digest === digest) return artifact;
    }
    return this.registry.findByDigest(digest);
  }

  byLabel(label: string): Promise<ModelArtifact> {
    const [name, version] = label.split('@');
    return this.load({ name, version: Number(version) });
  }

  restore(artifact: ModelArtifact): Promise<void> {
    this.artifacts.set(modelLabel(artifact.manifest), Promise.resolve(artifact));
    return this.registry.restore(artifact);
  }

  async activate(...change: Parameters<ModelRegistry['activate']>): Promise<Aliases> {
    this.asked.delete(change[0]);
    return this.registry.activate(...change);
  }

  async adopt(pipeline: string, artifact: ModelArtifact): Promise<void> {
    await this.registry.restore(artifact);
    await this.registry.activate(pipeline, artifact.manifest, null).catch((error: unknown) => {
      // Another partition, or another instance, was quicker.
      if (!(error instanceof RiverrunError && error.code === 'ALIAS_CHANGED')) throw error;
    });
    this.asked.delete(pipeline);
  }
}
