/** Models in a folder, shared by the service and the command line: <name>/<version>/{manifest.json, weights.bin}, and the champions in aliases/.
 *  A version appears by one rename, an alias by one exclusive create: no locks, and a crash at any point leaves the former state. */
import * as fs from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { mustBeCanary, mustBeChampion } from '#domain/champion';
import { RiverrunError, errorMessage } from '#domain/errors';
import { type ModelArtifact, type ModelDraft, type ModelManifest, type ModelReference } from '#domain/model';
import { MODEL_NAME, digestOf, validateModel, validateModelName } from '#domain/model-digest';
import type { Aliases, ModelRegistry } from '#domain/ports';
import type { Canary } from '#domain/served';
import { fileError } from './file-error.js';
import { JsonGenerations } from './json-generations.js';

type Entry = { -readonly [alias in keyof Aliases]?: NonNullable<Aliases[alias]> };
type AliasFile = Record<string, Entry>;

/** Not a valid model name, so no model can be in its way. */
const ALIASES = '_aliases';

export class FileModelRegistry implements ModelRegistry {
  private readonly champions: JsonGenerations<AliasFile>;

  constructor(private readonly folder: string) {
    this.champions = new JsonGenerations(join(folder, ALIASES));
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- synchronous inside; a refusal must be a rejected promise
  async publish(draft: ModelDraft, weights: Float32Array): Promise<ModelManifest> {
    validateModelName(draft.name);
    return this.placed(draft.name, weights, (place) => {
      for (;;) {
        const content = { ...draft, format: 1 as const, version: (this.versionsOf(draft.name).at(-1) ?? 0) + 1 };
        validateModel(content, weights);
        const manifest: ModelManifest = { ...content, digest: digestOf(content, weights) };
        if (place(manifest)) return manifest;
      }
    });
  }

  /** Puts a model in as the version it is; one that is there stays as it is. RiverrunError MODEL_INVALID. */
  // eslint-disable-next-line @typescript-eslint/require-await
  async restore({ manifest, weights }: ModelArtifact): Promise<void> {
    validateModel(manifest, weights);
    if (!this.exists(manifest.name, manifest.version)) this.placed(manifest.name, weights, (place) => place(manifest));
  }

  /** `write` names the version; its placing is true unless another process was first with that version. */
  private placed<T>(name: string, weights: Float32Array, write: (place: (m: ModelManifest) => boolean) => T): T {
    const home = join(this.folder, name);
    const temporary = join(home, `.new-${randomBytes(6).toString('hex')}`);
    try {
      fs.mkdirSync(temporary, { recursive: true });
      fs.writeFileSync(
        join(temporary, 'weights.bin'),
        new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength),
        { flush: true },
      );
      return write((manifest) => {
        fs.writeFileSync(join(temporary, 'manifest.json'), JSON.stringify(manifest, null, 2) + '\n', { flush: true });
        return renamedTo(temporary, join(home, String(manifest.version)));
      });
    } catch (error) {
      throw fileError(error, this.folder);
    } finally {
      fs.rmSync(temporary, { recursive: true, force: true });
    }
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async load(model: { readonly name: string; readonly version?: number | undefined }): Promise<ModelArtifact> {
    const version = model.version ?? (MODEL_NAME.test(model.name) ? this.versionsOf(model.name).at(-1) : undefined);
    if (version === undefined || !this.exists(model.name, version)) throw notFound(model);
    const where = join(this.folder, model.name, String(version));
    const corrupt = (what: string, cause?: unknown): RiverrunError =>
      new RiverrunError('MODEL_CORRUPT', `model ${model.name}@${version} in ${where} is damaged: ${what}`, { cause });
    try {
      const manifest = readManifest(where);
      if (manifest.name !== model.name || manifest.version !== version)
        throw corrupt('its manifest is that of another model');
      const bytes = fs.readFileSync(join(where, 'weights.bin'));
      if (bytes.length % 4 !== 0) throw corrupt('weights.bin is cut off');
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

  // eslint-disable-next-line @typescript-eslint/require-await
  async list(): Promise<ModelManifest[]> {
    const manifests: ModelManifest[] = [];
    for (const name of this.entries(this.folder)
      .filter((entry) => MODEL_NAME.test(entry))
      .sort())
      for (const version of this.versionsOf(name)) {
        try {
          manifests.push(readManifest(join(this.folder, name, String(version))));
        } catch {
          // A damaged model is reported by `load`; it must not hide the others.
        }
      }
    return manifests;
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async aliases(pipeline: string): Promise<Aliases> {
    return aliasesIn(this.champions.read().value, pipeline);
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async activate(
    pipeline: string,
    model: ModelReference,
    expected?: ModelReference | null,
    keepBeside = false,
  ): Promise<Aliases> {
    const next = this.reference(model);
    return this.change(pipeline, expected, (aliases) => {
      const { champion } = aliases;
      if (champion?.name === next.name && champion.version === next.version) return { ...aliases, canary: undefined };
      return { champion: next, previous: champion, challenger: keepBeside ? champion : undefined, canary: undefined };
    });
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async challenge(pipeline: string, model: ModelReference | null, champion: ModelReference): Promise<Aliases> {
    const challenger = model === null ? undefined : this.reference(model);
    return this.change(pipeline, champion, (aliases) => ({ ...aliases, challenger }));
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async setCanary(pipeline: string, canary: Canary<ModelReference> | null, champion: ModelReference): Promise<Aliases> {
    if (canary === null) return this.change(pipeline, champion, (aliases) => ({ ...aliases, canary: undefined }));
    mustBeCanary(canary, champion);
    const next = { model: this.reference(canary.model), share: canary.share };
    return this.change(pipeline, champion, (aliases) => ({ ...aliases, challenger: undefined, canary: next }));
  }

  private change(
    pipeline: string,
    expected: ModelReference | null | undefined,
    to: (aliases: Aliases) => Aliases,
  ): Aliases {
    try {
      const file = this.champions.update((value) => {
        const aliases = aliasesIn(value, pipeline);
        mustBeChampion(pipeline, aliases.champion, expected);
        return { ...value, [pipeline]: to(aliases) as Entry };
      });
      return aliasesIn(file, pipeline);
    } catch (error) {
      throw fileError(error, this.folder);
    }
  }

  private reference({ name, version }: ModelReference): ModelReference {
    if (!this.exists(name, version)) throw notFound({ name, version });
    return { name, version };
  }

  private exists(name: string, version: number): boolean {
    return (
      MODEL_NAME.test(name) && Number.isSafeInteger(version) && fs.existsSync(join(this.folder, name, String(version)))
    );
  }

  private versionsOf(name: string): number[] {
    const versions = this.entries(join(this.folder, name)).filter((entry) => /^[1-9]\d{0,14}$/.test(entry));
    return versions.map(Number).sort((a, b) => a - b);
  }

  private entries(folder: string): string[] {
    try {
      return fs.readdirSync(folder);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return [];
      throw error;
    }
  }
}

function readManifest(where: string): ModelManifest {
  const manifest: unknown = JSON.parse(fs.readFileSync(join(where, 'manifest.json'), 'utf8'));
  if (typeof manifest !== 'object' || manifest === null) throw new TypeError('manifest.json is not an object');
  return manifest as ModelManifest;
}

/** False if another process published that version first. */
function renamedTo(from: string, to: string): boolean {
  try {
    fs.renameSync(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}

function aliasesIn(file: AliasFile | undefined, pipeline: string): Aliases {
  const entry = file !== undefined && Object.hasOwn(file, pipeline) ? file[pipeline] : undefined;
  return {
    champion: entry?.champion,
    previous: entry?.previous,
    challenger: entry?.challenger,
    canary: entry?.canary,
  };
}

const notFound = (model: { readonly name: string; readonly version?: number | undefined }): RiverrunError =>
  new RiverrunError(
    'MODEL_NOT_FOUND',
    `there is no model ${model.name}${model.version === undefined ? '' : `@${model.version}`}: see \`riverrun model list\``,
  );
