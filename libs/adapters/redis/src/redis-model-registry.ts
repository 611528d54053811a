/** Models and champions in Redis, shared by predictors, trainers and the command line. A version appears whole or not at all, in one script. */
import { aliasChanged, mustBeCanary } from '#domain/champion';
import { RiverrunError, errorMessage } from '#domain/errors';
import {
  modelLabel,
  type ModelArtifact,
  type ModelDraft,
  type ModelManifest,
  type ModelReference,
} from '#domain/model';
import { MODEL_NAME, digestOf, validateModel, validateModelName } from '#domain/model-digest';
import type { Aliases, ModelRegistry } from '#domain/ports';
import type { Canary } from '#domain/served';
import { ModelKeys } from './keys.js';
import type { RedisClient } from './redis-client.js';
import { ACTIVATE_MODEL, PUBLISH_MODEL } from './scripts.js';

/** First element of activate-model's reply. */
const Outcome = { otherChampion: 0, noModel: 2 } as const;

export class RedisModelRegistry implements ModelRegistry {
  private readonly keys: ModelKeys;

  constructor(
    private readonly client: RedisClient,
    options: { readonly app: string },
  ) {
    this.keys = new ModelKeys(options.app);
  }

  async publish(draft: ModelDraft, weights: Float32Array): Promise<ModelManifest> {
    validateModelName(draft.name);
    const { keys } = this;
    const bytes = Buffer.from(weights.slice().buffer);
    // The digest covers the version, so it is made for the next one, which is given only if it still is free.
    for (;;) {
      const newest = await this.newestVersion(draft.name);
      const content = { ...draft, format: 1 as const, version: (newest ?? 0) + 1 };
      validateModel(content, weights);
      const manifest: ModelManifest = { ...content, digest: digestOf(content, weights) };
      const stored = await this.client.run(
        PUBLISH_MODEL,
        [keys.versions, keys.manifests, keys.digests, keys.weights(modelLabel(manifest))],
        [manifest.name, String(manifest.version), JSON.stringify(manifest), manifest.digest, bytes],
      );
      if (stored === 1) return manifest;
    }
  }

  async load(model: { readonly name: string; readonly version?: number | undefined }): Promise<ModelArtifact> {
    const version = model.version ?? (MODEL_NAME.test(model.name) ? await this.newestVersion(model.name) : undefined);
    if (version === undefined) throw notFound(modelName(model));
    return this.loadLabel(modelLabel({ name: model.name, version }));
  }

  /** The model of that digest: what a watermark names. RiverrunError MODEL_NOT_FOUND | MODEL_CORRUPT. */
  async findByDigest(digest: string): Promise<ModelArtifact> {
    const label = await this.field(this.keys.digests, digest);
    if (label === undefined)
      throw new RiverrunError(
        'MODEL_NOT_FOUND',
        `stored states were made with the model of digest ${digest.slice(0, 12)}, which is not in the registry: publish it again`,
      );
    return this.loadLabel(label);
  }

  async list(): Promise<ModelManifest[]> {
    const stored = (await this.client.call('HVALS', [this.keys.manifests])) as Buffer[];
    const manifests: ModelManifest[] = [];
    for (const text of stored) {
      try {
        manifests.push(parseManifest(text.toString()));
      } catch {
        // A damaged model is reported by `load`; it must not hide the others.
      }
    }
    return manifests.sort((a, b) => (a.name === b.name ? a.version - b.version : a.name < b.name ? -1 : 1));
  }

  async aliases(pipeline: string): Promise<Aliases> {
    const fields = ALIASES.map((alias) => `${alias}:${pipeline}`);
    return aliasesOf((await this.client.call('HMGET', [this.keys.aliases, ...fields])) as (Buffer | null)[]);
  }

  activate(
    pipeline: string,
    model: ModelReference,
    expected?: ModelReference | null,
    keepBeside = false,
  ): Promise<Aliases> {
    return this.change(pipeline, modelLabel(model), expected, keepBeside ? 'keep' : 'activate');
  }

  challenge(pipeline: string, model: ModelReference | null, champion: ModelReference): Promise<Aliases> {
    return this.change(pipeline, model === null ? '' : modelLabel(model), champion, 'challenge');
  }

  async setCanary(pipeline: string, canary: Canary<ModelReference> | null, champion: ModelReference): Promise<Aliases> {
    if (canary === null) return this.change(pipeline, '', champion, 'canary');
    mustBeCanary(canary, champion);
    return this.change(pipeline, modelLabel(canary.model), champion, 'canary', canary.share);
  }

  private async change(
    pipeline: string,
    model: string,
    expected: ModelReference | null | undefined,
    how: 'activate' | 'keep' | 'challenge' | 'canary',
    share = 0,
  ): Promise<Aliases> {
    const wanted = expected ? modelLabel(expected) : '';
    const reply = (await this.client.run(
      ACTIVATE_MODEL,
      [this.keys.aliases, this.keys.manifests],
      [pipeline, model, expected === undefined ? 'any' : 'only', wanted, how, String(share)],
    )) as [number, ...Buffer[]];
    const aliases = aliasesOf(reply.slice(1) as Buffer[]);
    if (reply[0] === Outcome.noModel) throw notFound(model);
    if (reply[0] === Outcome.otherChampion) throw aliasChanged(pipeline, aliases.champion, expected);
    return aliases;
  }

  /** Puts back a model that Redis has lost, as the version it was; one that is there stays as it is. RiverrunError MODEL_INVALID. */
  async restore({ manifest, weights }: ModelArtifact): Promise<void> {
    validateModel(manifest, weights);
    const { keys, client } = this;
    const label = modelLabel(manifest);
    if ((await this.field(keys.manifests, label)) !== undefined) return;
    await client.call('SET', [keys.weights(label), Buffer.from(weights.slice().buffer)]);
    await client.call('HSETNX', [keys.digests, manifest.digest, label]);
    if (((await this.newestVersion(manifest.name)) ?? 0) < manifest.version)
      await client.call('HSET', [keys.versions, manifest.name, String(manifest.version)]);
    // Last: with its manifest a model is there.
    await client.call('HSETNX', [keys.manifests, label, JSON.stringify(manifest)]);
  }

  private async loadLabel(label: string): Promise<ModelArtifact> {
    const [text, bytes] = await Promise.all([
      this.field(this.keys.manifests, label),
      this.client.call('GET', [this.keys.weights(label)]) as Promise<Buffer | null>,
    ]);
    if (text === undefined) throw notFound(label);
    const corrupt = (what: string, cause?: unknown): RiverrunError =>
      new RiverrunError('MODEL_CORRUPT', `model ${label} in Redis is damaged: ${what}; publish it again`, { cause });
    try {
      const manifest = parseManifest(text);
      if (modelLabel(manifest) !== label) throw corrupt('its manifest is that of another model');
      if (bytes === null || bytes.length % 4 !== 0) throw corrupt('its weights are missing or cut off');
      const weights = new Float32Array(bytes.length / 4);
      new Uint8Array(weights.buffer).set(bytes);
      validateModel(manifest, weights);
      if (digestOf(manifest, weights) !== manifest.digest) throw corrupt('its digest does not match its content');
      return { manifest, weights };
    } catch (error) {
      if (error instanceof RiverrunError && error.code === 'MODEL_CORRUPT') throw error;
      throw corrupt(errorMessage(error), error);
    }
  }

  private async newestVersion(name: string): Promise<number | undefined> {
    const version = await this.field(this.keys.versions, name);
    return version === undefined ? undefined : Number(version);
  }

  private async field(key: string, field: string): Promise<string | undefined> {
    const reply = (await this.client.call('HGET', [key, field])) as Buffer | null;
    return reply?.toString();
  }
}

function parseManifest(text: string): ModelManifest {
  const manifest: unknown = JSON.parse(text);
  if (typeof manifest !== 'object' || manifest === null) throw new TypeError('the manifest is not an object');
  return manifest as ModelManifest;
}

/** In the order of activate-model's reply. */
const ALIASES = ['champion', 'previous', 'challenger', 'canary'] as const;

function aliasesOf(labels: readonly (Buffer | null)[]): Aliases {
  const [champion, previous, challenger, canary] = labels.map((label) => label?.toString());
  return {
    champion: referenceOf(champion),
    previous: referenceOf(previous),
    challenger: referenceOf(challenger),
    canary: canaryOf(canary),
  };
}

/** `share|name@version`. */
function canaryOf(text: string | undefined): Canary<ModelReference> | undefined {
  const [share, label] = (text ?? '').split('|');
  const model = referenceOf(label);
  return model === undefined ? undefined : { model, share: Number(share) };
}

/** Names have no @. */
function referenceOf(label: string | undefined): ModelReference | undefined {
  if (label === undefined || label === '') return undefined;
  const [name, version] = label.split('@');
  return { name, version: Number(version) };
}

const modelName = (model: { readonly name: string; readonly version?: number | undefined }): string =>
  model.version === undefined ? model.name : `${model.name}@${model.version}`;

const notFound = (label: string): RiverrunError =>
  new RiverrunError('MODEL_NOT_FOUND', `there is no model ${label}: see \`riverrun model ls\``);
