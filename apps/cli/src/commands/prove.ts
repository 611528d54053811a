import { examples, integer, type AddCommand } from '../arguments.js';
import { openRedis, openTopicReader } from '../connections.js';
import { EXIT } from '../exit-codes.js';
import { openRegistry } from '../models/find-model.js';
import { printJson } from '../output.js';
import { ProgressLine } from '../progress-line.js';
import { printProof, type Proof } from '../prove/proof.js';
import { proveDistributed } from '../prove/prove-distributed.js';
import { proveEmbedded } from '../prove/prove-embedded.js';
import { inputTopic, pipelineOf, settings } from '../settings.js';

interface Options {
  json?: true;
  topic?: string;
  partition?: number;
  pipeline?: string;
}

export const addProve: AddCommand = (parent, done) => {
  parent
    .command('prove')
    .description(
      'replay a stream from the log up to an offset, and show that outcome and state are the same to the bit',
    )
    .argument('<stream>')
    .argument('<offset>', 'of one of its records: predictions name it', integer(0, 2 ** 49))
    .option('--topic <name>', 'look in this input topic only')
    .option('--partition <n>', 'look in this partition only', integer(0, 1_000_000))
    .option('--pipeline <name>', 'embedded mode: default the first')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
The outcome is compared with the one in the predictions topic; the stored state where it stands at that very offset. In embedded mode the service must
not run, and the state alone can be compared. Exit code 1 if something differs, or nothing could be compared.
${examples('riverrun prove s12 48213', 'riverrun prove s12 48213 --topic ticks --json')}`,
    )
    .action(async (stream: string, offset: number, options: Options) => {
      const proof = await prove(stream, offset, options);
      await (options.json === true ? printJson(proof) : printProof(proof));
      done(proof.ok ? EXIT.ok : EXIT.failed);
    });
};

async function prove(stream: string, offset: number, options: Options): Promise<Proof> {
  const config = settings();
  const progress = new ProgressLine();
  const onProgress = (at: number, to: number): void => progress.show(`replaying: offset ${at} of ${to}`);
  try {
    if (config.mode === 'embedded')
      return await proveEmbedded(config, pipelineOf(config, options.pipeline), stream, offset, onProgress);
    inputTopic(config, options.topic);
    const kafka = await openTopicReader(config);
    const [redis, registry] = [await openRedis(config), await openRegistry(config)];
    const { topic, partition } = options;
    return await proveDistributed({ config, kafka, redis, registry }, stream, offset, { topic, partition, onProgress });
  } finally {
    progress.clear();
  }
}
