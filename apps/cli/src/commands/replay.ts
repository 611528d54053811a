import { InvalidArgumentError, Option } from 'commander';
import { openPublisher } from '../connections.js';
import { integer, names, timeZone, url, type AddCommand } from '../arguments.js';
import { csvColumns, readColumns } from '../csv-columns.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { note, print, printJson } from '../output.js';
import { Progress } from '../replay/progress.js';
import { Replay } from '../replay/replay.js';
import { kafkaTarget, serviceTarget, type ReplayTarget } from '../replay/targets.js';
import { serviceUrl, settings } from '../settings.js';

interface Options {
  streamColumn?: string;
  timeColumn: string;
  valueColumn: string[];
  knownColumn?: string[];
  ahead?: number;
  speed: number;
  to?: 'embedded' | 'kafka';
  topic?: string;
  url?: string;
  timeZone: string;
  json?: true;
}

export const addReplay: AddCommand = (parent, done) => {
  parent
    .command('replay')
    .description('publish a CSV file as ticks: to a running service, or to Kafka')
    .argument('<file.csv>')
    .option('--stream-column <column>', "default: one stream, with the file's name")
    .requiredOption('--time-column <column>', 'ISO 8601, epochs in s, ms, us or ns, or one of the usual date forms')
    .requiredOption('--value-column <columns>', 'one, or several, comma-separated: they become "values" by name', names)
    .option(
      '--known-column <columns>',
      'of "values" too: each an array of what is known, now and --ahead rows on',
      names,
    )
    .option('--ahead <rows>', "default: the horizon of the topic's pipeline, else of the first", integer(1, 254))
    .option('--speed <n|max>', 'n times as fast as recorded, or as fast as they are taken', speed, Infinity)
    .addOption(
      new Option('--to <target>', 'where the service reads (default: as RIVERRUN_MODE says)').choices([
        'embedded',
        'kafka',
      ]),
    )
    .option('--topic <topic>', "of Kafka (default: the first pipeline's first)")
    .option('--url <url>', 'the embedded service (default: http://127.0.0.1:3000, or as the settings say)', url)
    .option('--time-zone <zone>', 'of times without an offset', timeZone, 'UTC')
    .option('--json', 'print the summary as one JSON document')
    .addHelpText(
      'after',
      `
A rejected line goes to stderr as {"line","code","message"}; the lines around it are published. Exit code 3 if there was any.

Examples:
  $ riverrun replay lynx.csv --time-column time --value-column value
  $ riverrun replay lynx.csv --time-column time --value-column value --to kafka --topic ticks
  $ riverrun replay load.csv --stream-column zone --time-column utc --value-column temp,load --speed 3600
  $ riverrun replay shop.csv --time-column day --value-column sales --known-column holiday --ahead 7`,
    )
    .action(async (file: string, options: Options) => done(await replay(file, options)));
};

async function replay(file: string, options: Options): Promise<number> {
  const columns = csvColumns(options, options.ahead ?? horizonOf(options.topic));
  const { target, topic } = await targetOf(options);
  const rows = readColumns(file, columns, options);
  const progress = new Progress();
  const run = new Replay(target, columns, options.speed, (line, code, message) => {
    progress.clear();
    note(JSON.stringify({ line, code, message }));
  });
  progress.start(() => run.summary());
  try {
    await run.publish(rows);
  } finally {
    progress.stop();
  }
  const summary = { file, ...(topic !== undefined && { topic }), ...run.summary() };
  if (options.json === true) await printJson(summary);
  else {
    const codes = Object.entries(summary.rejectedByCode).map(([code, n]) => `${n} ${code}`);
    const answered = summary.predictions === undefined ? '' : `, ${summary.predictions} predictions`;
    await print(
      `${summary.ticks} ticks${answered}, ${summary.rejected} rejected${codes.length > 0 ? ` (${codes.join(', ')})` : ''} in ${summary.seconds} s`,
    );
  }
  return summary.rejected === 0 ? EXIT.ok : EXIT.rejected;
}

async function targetOf(options: Options): Promise<{ target: ReplayTarget; topic?: string }> {
  const config = settings();
  const to = options.to ?? (config.mode === 'embedded' ? 'embedded' : 'kafka');
  if (to === 'embedded') {
    if (options.topic !== undefined) throw new UsageError('--topic is for --to kafka');
    return { target: serviceTarget(options.url ?? serviceUrl(config)) };
  }
  if (options.url !== undefined) throw new UsageError('--url is for --to embedded');
  if (config.kafkaBrokers.length === 0) throw new UsageError('--to kafka needs KAFKA_BROKERS, as host:port');
  const topic = options.topic ?? config.pipelines[0].topics[0];
  return { target: kafkaTarget(await openPublisher(config, topic)), topic };
}

function horizonOf(topic: string | undefined): number {
  const { pipelines } = settings();
  const its = topic === undefined ? undefined : pipelines.find(({ topics }) => topics.includes(topic));
  return (its ?? pipelines[0]).horizon;
}

function speed(text: string): number {
  if (text === 'max') return Infinity;
  const value = /^\d+(\.\d+)?([eE]\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(value > 0 && value < Infinity)) throw new InvalidArgumentError('Expected a number above 0, or max.');
  return value;
}
