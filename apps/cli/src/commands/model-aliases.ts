import { RiverrunError } from '#domain/errors';
import { modelLabel, type ModelReference } from '#domain/model';
import type { Aliases } from '#domain/ports';
import { checkFit } from '#pipeline/model-slot';
import { shareStreams } from '#pipeline/share-streams';
import { examples, modelName, share, type AddCommand, type NamedModel } from '../arguments.js';
import { EXIT } from '../exit-codes.js';
import { openRegistry } from '../models/find-model.js';
import { note, print, printJson, shortNumber } from '../output.js';
import { pipelineOf, settings } from '../settings.js';

interface Common {
  json?: true;
  pipeline?: string;
}

/** activate, promote, canary, rollback: who serves. */
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
    .command('canary')
    .description(
      'serve a share of the streams with a model, the others with the champion; which ones, their ids decide',
    )
    .argument('<name[@version]>', 'default version: the newest', modelName)
    .requiredOption('--share <share>', 'of the streams, as 0.1; 0 ends it', share)
    .option('--pipeline <name>', 'default: the first')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples('riverrun model canary lstm@2 --share 0.1', 'riverrun model promote lstm@2'))
    .action(async (name: NamedModel, options: Common & { share: number }) => {
      const config = settings();
      const registry = await openRegistry(config);
      const pipeline = pipelineOf(config, options.pipeline);
      const { manifest } = await registry.load(name);
      await serve(pipeline.name, await shareStreams(registry, pipeline, manifest, options.share), options);
    });
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
    const { canary } = aliases;
    if (json === true)
      await printJson({
        ...{ pipeline, champion, previous },
        ...(canary !== undefined && { canary: label(canary.model), share: canary.share }),
      });
    else {
      const part =
        canary === undefined ? '' : `, and ${label(canary.model)} ${shortNumber(100 * canary.share)} % of its streams`;
      await print(`pipeline ${pipeline} serves ${champion}${part}`);
      if (previous !== null) note(`before: ${previous}`);
    }
    done(EXIT.ok);
  }
};
