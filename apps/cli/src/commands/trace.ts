import type { Trace } from '#pipeline/pipeline';
import { integer, numberRows, url, type AddCommand } from '../arguments.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { findModel } from '../models/find-model.js';
import { note, print, printJson } from '../output.js';
import { getJson } from '../service-client.js';
import { serviceUrl, settings } from '../settings.js';
import { traceModel } from '../trace/trace-model.js';
import { traceTable } from '../trace/trace-table.js';

interface Options {
  url?: string;
  limit: number;
  json?: true;
  model?: string;
  tokens?: string;
  values?: number[][];
  vocabulary?: string;
}

export const addTrace: AddCommand = (parent, done) => {
  parent
    .command('trace')
    .description('the steps of a stream, or of a model over what you give it: Step, Input, Memory, Output')
    .argument('[stream]', 'a stream of a running service')
    .option('--url <url>', 'the service (default: http://127.0.0.1:3000, or as the settings say)', url)
    .option('--limit <n>', 'the last n steps', integer(1, 1000), 20)
    .option('--model <name|file>', 'step this model from zeros instead, without a service')
    .option('--tokens <text>', 'words for it, separated by blanks')
    .option('--values <numbers>', 'or numbers: 1,2,3, or 1,2;3,4 for two inputs', numberRows)
    .option('--vocabulary <file>', 'words of the model file: JSON array, {word: id}, or one a line')
    .option('--json', 'print one JSON document, with the whole memory')
    .addHelpText(
      'after',
      `
Examples:
  $ riverrun trace s12 --limit 5
  $ riverrun trace --model sentiment.keras --vocabulary words.json --tokens "I love pizza"
  $ riverrun trace --model weather@3 --values 21.5,21.7,22.0 --json`,
    )
    .action(async (stream: string | undefined, options: Options) => done(await trace(stream, options)));
};

async function trace(stream: string | undefined, options: Options): Promise<number> {
  const offline = options.model !== undefined;
  if (offline === (stream !== undefined))
    throw new UsageError('trace needs either a stream of the service, or --model with --tokens or --values');
  if (!offline && (options.tokens ?? options.values ?? options.vocabulary) !== undefined)
    throw new UsageError('--tokens, --values and --vocabulary go with --model');
  if (offline && (options.tokens === undefined) === (options.values === undefined))
    throw new UsageError('--model needs either --tokens or --values');
  const config = settings();
  if (!offline) {
    const path = `/streams/${encodeURIComponent(stream!)}/trace?limit=${options.limit}`;
    const traced = await getJson<Trace>(options.url ?? serviceUrl(config), path);
    if (options.json === true) await printJson(traced);
    else {
      await print(traceTable(traced.rows));
      note(
        `stream ${traced.stream}, ${traced.model === null ? 'baseline' : `model ${traced.model}`}${traced.exact ? '' : '; the stored window is shorter than the memory: the steps are close, not exact'}`,
      );
    }
    return EXIT.ok;
  }
  const traced = traceModel(await findModel(options.model!, { vocabulary: options.vocabulary }, config), options);
  if (options.json === true) await printJson(traced);
  else await print(traceTable(traced.rows));
  return EXIT.ok;
}
