import { writeFile } from 'node:fs/promises';
import { errorMessage, RiverrunError } from '#domain/errors';
import { modelLabel } from '#domain/model';
import { examples, modelName, type AddCommand, type NamedModel } from '../arguments.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { openRegistry } from '../models/find-model.js';
import { encodeModelFile } from '../models/model-file.js';
import { describeModel, listModels } from '../models/model-views.js';
import { print, printJson } from '../output.js';
import { settings } from '../settings.js';

interface Json {
  json?: true;
}

/** ls, show, export: what there is. */
export const addModelViews: AddCommand = (model, done) => {
  model
    .command('ls')
    .alias('list')
    .description('models, newest last, and what the pipelines serve')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('riverrun model ls', 'riverrun model ls --json | jq .pipelines'))
    .action(async ({ json }: Json) => {
      const config = settings();
      const registry = await openRegistry(config);
      const aliases = await Promise.all(
        config.pipelines.map(async ({ name }) => ({ name, ...(await registry.aliases(name)) })),
      );
      const view = listModels(await registry.list(), aliases);
      await (json === true ? printJson(view.json) : print(view.text));
      done(EXIT.ok);
    });
  model
    .command('show')
    .description('one model: layers, origin, training')
    .argument('<name[@version]>', 'default version: the newest', modelName)
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('riverrun model show lstm@1'))
    .action(async (name: NamedModel, { json }: Json) => {
      const view = describeModel((await (await openRegistry(settings())).load(name)).manifest);
      await (json === true ? printJson(view.json) : print(view.text));
      done(EXIT.ok);
    });
  model
    .command('export')
    .description('write a model to one JSON file (manifest, and weights as base64 float32) that import reads')
    .argument('<name[@version]>', 'default version: the newest', modelName)
    .argument('<file>', 'ends in .json')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('riverrun model export lstm@1 lstm.riverrun.json'))
    .action(async (name: NamedModel, file: string, { json }: Json) => {
      if (!file.toLowerCase().endsWith('.json'))
        throw new UsageError(`${file}: the file's name has to end in .json, so that import knows it`);
      const artifact = await (await openRegistry(settings())).load(name);
      try {
        await writeFile(file, encodeModelFile(artifact));
      } catch (error) {
        throw new RiverrunError('MODEL_FILE', `cannot write ${file}: ${errorMessage(error)}`, { cause: error });
      }
      const label = modelLabel(artifact.manifest);
      await (json === true ? printJson({ model: label, file }) : print(`${label} written to ${file}`));
      done(EXIT.ok);
    });
};
