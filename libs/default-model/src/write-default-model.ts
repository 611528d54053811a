/** npm run model:default [-- FOLDER]: makes the model that ships anew, and writes it to libs/default-model/models or another folder. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { FileModelRegistry } from '#adapters/files/file-model-registry';
import { modelLabel } from '#domain/model';
import { trainDefaultModel } from './train-default-model.js';

const [folder = join('libs', 'default-model', 'models')] = process.argv.slice(2);
const artifact = await trainDefaultModel();
const { name, version, digest, training } = artifact.manifest;
rmSync(join(folder, name, String(version)), { recursive: true, force: true });
await new FileModelRegistry(folder).restore(artifact);
process.stdout.write(
  `${modelLabel(artifact.manifest)} is in ${folder}, digest ${digest.slice(0, 12)}; first ticks, in scales: ${JSON.stringify(training?.validation)}\n`,
);
