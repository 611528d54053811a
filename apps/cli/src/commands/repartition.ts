import { examples, type AddCommand } from '../arguments.js';
import { openServers } from '../connections.js';
import { EXIT } from '../exit-codes.js';
import { openRegistry } from '../models/find-model.js';
import { note, print, printJson } from '../output.js';
import { mustBeDistributed, settings } from '../settings.js';
import { choosePartitioner, withPartitioner, type PartitionerOptions } from '../states/choose-partitioner.js';
import { repartition } from '../states/transfer-distributed.js';

export const addRepartition: AddCommand = (parent, done) => {
  withPartitioner(
    parent
      .command('repartition')
      .description('after the number of partitions changed: move states to where their ticks go now'),
  )
    .option('--backup <prefix>', 'states are written to PREFIX.TOPIC.ndjson first', 'riverrun-repartition')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
All instances must be stopped, in order, after everything from before the change was processed. If it is cut off: riverrun state import BACKUP --replace, with
the same partitioner.
${examples('riverrun repartition', 'riverrun repartition --partitioner map --map partitions.json')}`,
    )
    .action(async (options: PartitionerOptions & { backup: string; json?: true }) => {
      const config = settings();
      mustBeDistributed(config, 'repartition');
      const partitionOf = choosePartitioner(options);
      const places = { ...(await openServers(config)), registry: await openRegistry(config) };
      const topics = await repartition(places, { backup: options.backup, partitionOf });
      if (topics.length === 0) note('no topic has changed its number of partitions');
      for (const { topic, unprocessed } of topics)
        if (unprocessed > 0)
          note(
            `${topic}: up to ${unprocessed} records are not processed yet; those of streams that have moved will start them anew`,
          );
      if (options.json === true) await printJson({ topics });
      else
        for (const { topic, before, now, streams, moved } of topics)
          await print(`${topic}: ${before} partitions became ${now}; ${moved} of ${streams} streams have moved`);
      done(EXIT.ok);
    });
};
