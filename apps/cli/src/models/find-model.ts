/** What `--model NAME|FILE` means. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FileModelRegistry } from '#adapters/files/file-model-registry';
import { RedisModelRegistry } from '#adapters/redis/redis-model-registry';
import type { Config } from '#config/config';
import type { ModelArtifact } from '#domain/model';
import type { ModelRegistry } from '#domain/ports';
import { modelName } from '../arguments.js';
import { openRedis } from '../connections.js';
import { UsageError } from '../exit-codes.js';
import { readArtifact, type ImportOptions } from './read-model.js';

/** The registry the service uses: the data folder's files, or Redis in distributed mode. */
export async function openRegistry(config: Config): Promise<ModelRegistry> {
  if (config.mode === 'embedded') return new FileModelRegistry(join(config.dataDir, 'models'));
  return new RedisModelRegistry(await openRedis(config), { app: config.app });
}

/** A path that exists, or that can only be one, is a file; everything else names a model of the registry. */
export async function findModel(model: string, options: ImportOptions, config: Config): Promise<ModelArtifact> {
  if (/[/\\]|\.(keras|h5|hdf5|json)$/i.test(model) || existsSync(model)) return readArtifact(model, options);
  if (options.vocabulary !== undefined || options.scaler !== undefined)
    throw new UsageError(`--vocabulary and --scaler go with a model file; ${model} of the registry has its own`);
  return (await openRegistry(config)).load(modelName(model));
}
