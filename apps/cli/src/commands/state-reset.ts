import type { Config } from '#config/config';
import { integer, type AddCommand } from '../arguments.js';
import { openServers } from '../connections.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { print, printJson } from '../output.js';
import { postTicks } from '../service-client.js';
import { inputTopic, mustBeDistributed, settings } from '../settings.js';
import { resetPartition, whatIsLost } from '../states/reset-partition.js';
import { resetStream } from '../states/reset-stream.js';
import { base, service } from './state-service.js';

interface Options {
  url?: string;
  json?: true;
  topic?: string;
  partition?: number;
  from?: number;
  yes?: true;
}

export const addStateReset: AddCommand = (state, done) => {
  service(
    state
      .command('reset')
      .description('forget what the model remembers of a stream; or have a whole partition start anew')
      .argument('[stream]')
      .option('--topic <name>', 'distributed mode, all instances stopped: the partition of this input topic')
      .option('--partition <n>', 'its number', integer(0, 1_000_000))
      .option('--from <offset>', 'where it starts anew, without any states', integer(0, 2 ** 49))
      .option('--yes', 'do it: without, it only says what would be lost'),
    'reset s12',
    'reset --topic ticks --partition 3 --from 48213 --yes',
  ).action(async (stream: string | undefined, options: Options) => {
    const config = settings();
    const { topic, partition, from } = options;
    if (stream === undefined) done(await partitionStartsAnew(config, options));
    else if ((topic ?? partition ?? from ?? options.yes) !== undefined)
      throw new UsageError('state reset takes either a stream, or --topic, --partition and --from');
    else done(await streamStartsOver(config, stream, options));
  });
};

async function partitionStartsAnew(config: Config, options: Options): Promise<number> {
  const { topic, partition, from, yes = false, json } = options;
  if (topic === undefined || partition === undefined || from === undefined)
    throw new UsageError('state reset needs either a stream, or --topic, --partition and --from');
  mustBeDistributed(config, 'state reset --partition');
  inputTopic(config, topic);
  const reset = await resetPartition(await openServers(config), { topic, partition, from, yes });
  await (json === true ? printJson(reset) : print(`done: ${whatIsLost(reset)}`));
  return EXIT.ok;
}

async function streamStartsOver(config: Config, stream: string, options: Options): Promise<number> {
  if (config.mode === 'distributed' && options.url === undefined) {
    const published = await resetStream(await openServers(config), stream);
    const place = `${published.topic}/${published.partition}`;
    await (options.json === true ? printJson(published) : print(`${stream} starts over at its turn in ${place}`));
    return EXIT.ok;
  }
  const answer = await postTicks(base(options), JSON.stringify({ stream, control: 'reset' }), 'application/json');
  await (options.json === true ? printJson(JSON.parse(answer)) : print(`${stream} starts over`));
  return EXIT.ok;
}
