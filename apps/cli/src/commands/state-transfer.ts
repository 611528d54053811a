import { examples, type AddCommand } from '../arguments.js';
import { openServers } from '../connections.js';
import { EXIT } from '../exit-codes.js';
import { openRegistry } from '../models/find-model.js';
import { note, print, printJson } from '../output.js';
import { pipelineOf, settings } from '../settings.js';
import { choosePartitioner, withPartitioner, type PartitionerOptions } from '../states/choose-partitioner.js';
import { exportDistributed, importDistributed } from '../states/transfer-distributed.js';
import { exportEmbedded, importEmbedded } from '../states/transfer-embedded.js';

interface Options {
  json?: true;
  pipeline?: string;
}

/** export and import. */
export const addStateTransfer: AddCommand = (state, done) => {
  state
    .command('export')
    .description('all streams of a pipeline, their windows too, as one file for any instance, cluster and mode')
    .argument('<file>', 'NDJSON; overwritten')
    .option('--pipeline <name>', 'default: the first')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
In embedded mode the service must not run. Models are not in the file: riverrun model export.
${examples('riverrun state export states.ndjson')}`,
    )
    .action(async (file: string, options: Options) => {
      const config = settings();
      const pipeline = pipelineOf(config, options.pipeline);
      const streams =
        config.mode === 'embedded'
          ? await exportEmbedded(config, pipeline, file)
          : await exportDistributed(
              { ...(await openServers(config)), registry: await openRegistry(config) },
              pipeline,
              file,
            );
      const { json } = options;
      await (json === true
        ? printJson({ pipeline: pipeline.name, file, streams })
        : print(`${streams} streams of pipeline ${pipeline.name} are in ${file}`));
      done(EXIT.ok);
    });
  withPartitioner(
    state
      .command('import')
      .description('take states over from such a file; the service must not run')
      .argument('<file>')
      .option('--pipeline <name>', 'default: the first')
      .option('--replace', 'forget the states that are there')
      .option('--json', 'print one JSON document'),
  )
    .addHelpText(
      'after',
      `
Into the log they came from the streams go back to where they were, and the service replays what came since. Into any other log they go on from where it
stands; where its number of partitions is another, the partitioner says which one a stream goes to. The file is held in memory.
${examples('riverrun state import states.ndjson', 'riverrun state import states.ndjson --replace --partitioner consistent')}`,
    )
    .action(async (file: string, options: Options & PartitionerOptions & { replace?: true }) => {
      const config = settings();
      const pipeline = pipelineOf(config, options.pipeline);
      const replace = options.replace === true;
      const partitionOf = choosePartitioner(options);
      const imported =
        config.mode === 'embedded'
          ? await importEmbedded(config, pipeline, file, replace)
          : await importDistributed(
              { ...(await openServers(config)), registry: await openRegistry(config) },
              pipeline,
              file,
              { replace, partitionOf },
            );
      for (const text of imported.notes) note(text);
      await (options.json === true
        ? printJson({ pipeline: pipeline.name, ...imported })
        : print(
            `${imported.streams} streams are imported; they go on from ${imported.adopted ? "the log's present position" : 'their own position in the log'}`,
          ));
      done(EXIT.ok);
    });
};
