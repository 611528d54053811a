import { audit } from '../audit/audit.js';
import { printReport } from '../audit/report.js';
import { examples, integer, type AddCommand } from '../arguments.js';
import { openRedis, openTopicReader } from '../connections.js';
import { EXIT } from '../exit-codes.js';
import { openRegistry } from '../models/find-model.js';
import { printJson } from '../output.js';
import { ProgressLine } from '../progress-line.js';
import { inputTopic, mustBeDistributed, settings } from '../settings.js';

interface Options {
  json?: true;
  topic?: string;
  partition?: number;
  since?: number;
  limit?: number;
}

export const addAudit: AddCommand = (parent, done) => {
  parent
    .command('audit')
    .description('check that every record has exactly one outcome, and that outcomes and states are right to the bit')
    .option('--topic <name>', 'one input topic only')
    .option('--partition <n>', 'one partition only', integer(0, 1_000_000))
    .option('--since <offset>', 'from there on, counting only: nothing is recomputed', integer(0, 2 ** 49))
    .option('--limit <n>', 'no more records of each partition', integer(1, 2 ** 49))
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Reads the input topics, predictions and dead letters as committed, recomputes the whole log in one pass, and compares bit for bit; states in Redis
as of their watermark. It claims nothing and writes nothing, and may run beside the service; states are compared where the service does not save meanwhile.
Exit code 1 if anything is lost, duplicated, out of order, wrong, or stored differently.
${examples('riverrun audit', 'riverrun audit --topic ticks --partition 3 --json')}`,
    )
    .action(async ({ json, ...options }: Options) => {
      const config = settings();
      mustBeDistributed(config, 'audit');
      inputTopic(config, options.topic);
      const progress = new ProgressLine();
      const kafka = await openTopicReader(config);
      const [redis, registry] = [await openRedis(config), await openRegistry(config)];
      const report = await audit(
        { config, kafka, redis, registry },
        {
          ...options,
          onProgress: (topic, partition, offset, to) =>
            progress.show(`auditing ${topic}/${partition}: offset ${offset} of ${to}`),
        },
      ).finally(() => progress.clear());
      await (json === true ? printJson(report) : printReport(report));
      done(report.ok ? EXIT.ok : EXIT.failed);
    });
};
