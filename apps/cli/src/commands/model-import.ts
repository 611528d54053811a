import { Option } from 'commander';
import { errorMessage, RiverrunError } from '#domain/errors';
import { modelLabel } from '#domain/model';
import { checkFit } from '#pipeline/model-slot';
import { examples, newModelName, type AddCommand } from '../arguments.js';
import { EXIT } from '../exit-codes.js';
import { openRegistry } from '../models/find-model.js';
import { describeModel } from '../models/model-views.js';
import { readModel, type ImportOptions } from '../models/read-model.js';
import { print, printJson } from '../output.js';
import { pipelineOf, settings } from '../settings.js';

interface Options extends ImportOptions {
  activate?: true;
  json?: true;
  pipeline?: string;
}

const NOTES = `
An imported model is pinned: training never replaces it. It is served raw and from the first tick, unless --scaler standard asks for
inputs on each stream's own scale; then it speaks from a stream's 17th tick on.
`;

export const addModelImport: AddCommand = (model, done) => {
  model
    .command('import')
    .description('take in a model: .keras, .h5, TensorFlow.js model.json, or a file that export wrote')
    .argument('<file>')
    .option('--name <name>', "default: the file's name", newModelName)
    .addOption(
      new Option(
        '--scaler <scaler>',
        'none: served raw; standard: inputs normalised per stream (default: none)',
      ).choices(['none', 'standard']),
    )
    .option('--vocabulary <file>', 'words for the ids of an embedding: JSON array, {word: id}, or one a line')
    .option('--activate', 'make it the champion of the pipeline')
    .option('--pipeline <name>', 'default: the first')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      NOTES +
        examples(
          'riverrun model import lstm.keras --activate',
          'riverrun model import sentiment/model.json --name sentiment --vocabulary words.json',
          'riverrun model import lstm.riverrun.json',
        ),
    )
    .action(async (file: string, options: Options) => {
      const config = settings();
      const registry = await openRegistry(config);
      const { draft, weights } = await readModel(file, options);
      const pipeline = pipelineOf(config, options.pipeline);
      const manifest = await registry.publish(draft, weights);
      if (options.activate === true) {
        try {
          checkFit(manifest, pipeline);
        } catch (error) {
          const why = errorMessage(error);
          throw new RiverrunError('MODEL_MISMATCH', `imported, but not activated: ${why}`, { cause: error });
        }
        await registry.activate(pipeline.name, manifest);
      }
      const serving = options.activate === true ? ` and serves pipeline ${pipeline.name}` : '';
      await (options.json === true
        ? printJson({ ...describeModel(manifest).json, activated: options.activate === true ? pipeline.name : null })
        : print(`${modelLabel(manifest)} is imported${serving}`));
      done(EXIT.ok);
    });
};
