import { writeFile } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import { errorMessage, RiverrunError } from '#domain/errors';
import { modelLabel, type ModelReference } from '#domain/model';
import { checkFit } from '#pipeline/model-slot';
import { modelName, type AddCommand, type Done, type NamedModel } from '../arguments.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { openRegistry } from '../models/find-model.js';
import { encodeModelFile } from '../models/model-file.js';
import { describeModel, listModels } from '../models/model-views.js';
import { readModel, type ImportOptions } from '../models/read-model.js';
import { note, print, printJson } from '../output.js';
import { pipelineOf, settings } from '../settings.js';

interface Common {
  json?: true;
  pipeline?: string;
}

export const addModel: AddCommand = (parent, done) => {
  const model = parent
    .command('model')
    .description('models of the data folder; a running service follows within a second');
  model.addHelpText(
    'after',
    `
Examples:
  $ riverrun model import lstm.keras --activate
  $ riverrun model ls
  $ riverrun model activate lstm@1
  $ riverrun model export lstm@1 lstm.riverrun.json`,
  );
  addImport(model, done);
  addViews(model, done);
  addAliases(model, done);
};

function addViews(model: Command, done: Done): void {
  common(model.command('ls').description('models, newest last, and what the pipelines serve'), false).action(
    async ({ json }: Common) => {
      const config = settings();
      const registry = openRegistry(config);
      const aliases = await Promise.all(
        config.pipelines.map(async ({ name }) => ({ name, ...(await registry.aliases(name)) })),
      );
      const view = listModels(await registry.list(), aliases);
      await (json === true ? printJson(view.json) : print(view.text));
      done(EXIT.ok);
    },
  );
  common(
    model
      .command('show')
      .description('one model: layers, origin, training')
      .argument('<name[@version]>', 'the model', modelName),
    false,
  ).action(async (name: NamedModel, { json }: Common) => {
    const view = describeModel((await openRegistry(settings()).load(name)).manifest);
    await (json === true ? printJson(view.json) : print(view.text));
    done(EXIT.ok);
  });
  common(
    model
      .command('export')
      .description('write a model to one JSON file (manifest, and weights as base64 float32) that import reads')
      .argument('<name[@version]>', 'the model', modelName)
      .argument('<file>', 'ends in .json'),
    false,
  ).action(async (name: NamedModel, file: string, { json }: Common) => {
    if (!file.toLowerCase().endsWith('.json'))
      throw new UsageError(`${file}: the file's name has to end in .json, so that import knows it`);
    const artifact = await openRegistry(settings()).load(name);
    try {
      await writeFile(file, encodeModelFile(artifact));
    } catch (error) {
      throw new RiverrunError('MODEL_FILE', `cannot write ${file}: ${errorMessage(error)}`, { cause: error });
    }
    const label = modelLabel(artifact.manifest);
    await (json === true ? printJson({ model: label, file }) : print(`${label} written to ${file}`));
    done(EXIT.ok);
  });
}

function addImport(model: Command, done: Done): void {
  common(
    model
      .command('import')
      .description('take in a model: .keras, .h5, TensorFlow.js model.json, or a file that export wrote')
      .argument('<file>')
      .option('--name <name>', "default: the file's name")
      .addOption(
        new Option(
          '--scaler <scaler>',
          'none: served raw; standard: inputs normalised per stream (default: none)',
        ).choices(['none', 'standard']),
      )
      .option('--vocabulary <file>', 'words for the ids of an embedding: JSON array, {word: id}, or one a line')
      .option('--activate', 'make it the champion of the pipeline'),
    true,
  ).action(async (file: string, options: Common & ImportOptions & { activate?: true }) => {
    const config = settings();
    const registry = openRegistry(config);
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
}

function addAliases(model: Command, done: Done): void {
  for (const [command, description] of [
    ['activate', 'make a model the champion of a pipeline'],
    ['promote', 'the same, for a version that ran beside the champion'],
  ] as const) {
    common(
      model
        .command(command)
        .description(description)
        .argument('<name[@version]>', 'default version: the newest', modelName),
      true,
    ).action(async (name: NamedModel, options: Common) => {
      const config = settings();
      const registry = openRegistry(config);
      const pipeline = pipelineOf(config, options.pipeline);
      const { manifest } = await registry.load(name);
      checkFit(manifest, pipeline);
      await serve(pipeline.name, await registry.activate(pipeline.name, manifest), options);
    });
  }
  common(
    model
      .command('rollback')
      .description('go back to the champion before this one')
      .argument('[name]', 'only if the champion has this name'),
    true,
  ).action(async (name: string | undefined, options: Common) => {
    const config = settings();
    const registry = openRegistry(config);
    const pipeline = pipelineOf(config, options.pipeline).name;
    const { champion, previous } = await registry.aliases(pipeline);
    if (champion === undefined || previous === undefined || (name !== undefined && champion.name !== name))
      throw new RiverrunError(
        'MODEL_NOT_FOUND',
        `pipeline ${pipeline} serves ${champion === undefined ? 'no model' : modelLabel(champion)} and has no former champion${name === undefined ? '' : ` of ${name}`} to go back to`,
      );
    await serve(pipeline, await registry.activate(pipeline, previous, champion), options);
  });

  async function serve(
    pipeline: string,
    aliases: { champion: ModelReference | undefined; previous: ModelReference | undefined },
    { json }: Common,
  ): Promise<void> {
    const label = (m: ModelReference | undefined): string | null => (m === undefined ? null : modelLabel(m));
    const [champion, previous] = [label(aliases.champion), label(aliases.previous)];
    if (json === true) await printJson({ pipeline, champion, previous });
    else {
      await print(`pipeline ${pipeline} serves ${champion}`);
      if (previous !== null) note(`before: ${previous}`);
    }
    done(EXIT.ok);
  }
}

function common(command: Command, withPipeline: boolean): Command {
  if (withPipeline) command.option('--pipeline <name>', 'default: the first');
  return command.option('--json', 'print one JSON document');
}
