import { RiverrunError } from '#domain/errors';
import { modelLabel, type ModelReference } from '#domain/model';
import type { Aliases } from '#domain/ports';
import { checkFit } from '#pipeline/model-slot';
import { examples, modelName, type AddCommand, type NamedModel } from '../arguments.js';
import { EXIT } from '../exit-codes.js';
import { openRegistry } from '../models/find-model.js';
import { note, print, printJson } from '../output.js';
import { pipelineOf, settings } from '../settings.js';

interface Common {
  json?: true;
  pipeline?: string;
}

/** activate, promote, rollback: who serves. */
export const addModelAliases: AddCommand = (model, done) => {
  for (const [command, description] of [
    ['activate', 'make a model the champion of a pipeline'],
    ['promote', 'the same, for a version that ran beside the champion'],
  ] as const) {
    model
      .command(command)
      .description(description)
      .argument('<name[@version]>', 'default version: the newest', modelName)
      .option('--pipeline <name>', 'default: the first')
      .option('--json', 'print one JSON document')
      .addHelpText('after', examples(`riverrun model ${command} lstm@1`))
      .action(async (name: NamedModel, options: Common) => {
        const config = settings();
        const registry = await openRegistry(config);
        const pipeline = pipelineOf(config, options.pipeline);
        const { manifest } = await registry.load(name);
        checkFit(manifest, pipeline);
        await serve(pipeline.name, await registry.activate(pipeline.name, manifest), options);
      });
  }
  model
    .command('rollback')
    .description('go back to the champion before this one')
    .argument('[name]', 'only if the champion has this name')
    .option('--pipeline <name>', 'default: the first')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('riverrun model rollback'))
    .action(async (name: string | undefined, options: Common) => {
      const config = settings();
      const registry = await openRegistry(config);
      const pipeline = pipelineOf(config, options.pipeline).name;
      const { champion, previous } = await registry.aliases(pipeline);
      if (champion === undefined || previous === undefined || (name !== undefined && champion.name !== name))
        throw new RiverrunError(
          'MODEL_NOT_FOUND',
          `pipeline ${pipeline} serves ${champion === undefined ? 'no model' : modelLabel(champion)} and has no former champion${name === undefined ? '' : ` of ${name}`} to go back to`,
        );
      await serve(pipeline, await registry.activate(pipeline, previous, champion), options);
    });

  async function serve(pipeline: string, aliases: Aliases, { json }: Common): Promise<void> {
    const label = (m: ModelReference | undefined): string | null => (m === undefined ? null : modelLabel(m));
    const [champion, previous] = [label(aliases.champion), label(aliases.previous)];
    if (json === true) await printJson({ pipeline, champion, previous });
    else {
      await print(`pipeline ${pipeline} serves ${champion}`);
      if (previous !== null) note(`before: ${previous}`);
    }
    done(EXIT.ok);
  }
};
