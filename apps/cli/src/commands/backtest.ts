import { writeFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { isReject } from '#adapters/csv/csv.types';
import { RiverrunError } from '#domain/errors';
import { TRANSFORMS, type Transform } from '#domain/model';
import { inputsOf } from '#domain/pipeline-spec';
import { LOSSES, type Cell, type Loss } from '#training/train.types';
import { examples, integer, names, timeZone, type AddCommand } from '../arguments.js';
import { Backtest, type BacktestResult, type Point } from '../backtest/backtest.js';
import { plot } from '../backtest/plot.js';
import { csvColumns, readColumns } from '../csv-columns.js';
import { EXIT } from '../exit-codes.js';
import { note, print, printJson, table } from '../output.js';
import { ProgressLine } from '../progress-line.js';

interface Options {
  streamColumn?: string;
  timeColumn: string;
  valueColumn: string[];
  knownColumn?: string[];
  timeZone: string;
  horizon: number;
  season: number | 'auto';
  window: number;
  retrainEvery?: number;
  evaluateFrom: number;
  cell: Cell;
  hidden: number;
  transform: Transform | 'auto';
  loss: Loss;
  seed: number;
  plot?: string;
  json?: true;
}

/** Points of the first stream that the plot shows: the last ones. */
const PLOTTED = 1_000;

export const addBacktest: AddCommand = (parent, done) => {
  parent
    .command('backtest')
    .description('forecast a recorded file as if it came live, and say how good that was (progressive validation)')
    .argument('<file.csv>')
    .requiredOption('--time-column <column>', 'ISO 8601, epochs in s, ms, us or ns, or one of the usual date forms')
    .requiredOption('--value-column <columns>', 'the first is forecast, the network is given the others too', names)
    .option('--known-column <columns>', 'given too, and known --horizon rows ahead, as holidays are', names)
    .option('--stream-column <column>', 'default: the file is one stream')
    .option('--time-zone <zone>', 'of times without an offset, and of the calendar', timeZone, 'UTC')
    .option('--horizon <steps>', 'steps ahead; the scores are of the last', integer(1, 1_000), 1)
    .option(
      '--season <n|auto>',
      'rows of a season, 0 for none, or found from the rows before each training',
      season,
      'auto',
    )
    .option('--window <rows>', 'rows of each stream that a training sees', integer(256, 1_000_000), 16_384)
    .option(
      '--retrain-every <rows>',
      'rows of a stream between trainings (default: a season, at least 336); 0: never again',
      integer(0, 1e9),
    )
    .option('--evaluate-from <row>', 'the first row of a stream that is scored', integer(0, 1e9), 1_000)
    .addOption(new Option('--cell <cell>', 'of the network').choices(['simple-rnn', 'gru', 'lstm']).default('gru'))
    .option('--hidden <n>', 'units', integer(1, 512), 64)
    .addOption(
      new Option(
        '--transform <transform>',
        'of what the network is given and asked for; auto: chosen on held-back rows',
      )
        .choices(['auto', ...TRANSFORMS])
        .default('auto'),
    )
    .addOption(new Option('--loss <loss>', 'that the network learns to make small').choices(LOSSES).default('mae'))
    .option('--seed <n>', 'of everything random', integer(0, 2 ** 31 - 1), 1)
    .option('--plot <file.svg>', 'draw truth, forecast and interval')
    .option('--json', 'print the result as one JSON document')
    .addHelpText(
      'after',
      `
Every row is forecast before it is seen, by a network that is trained again and again on the rows before it, mixed with simple baselines by what
each has been worth so far. Metrics are of the forecast exactly --horizon steps ahead, beside the baselines on the same rows; they are fractions.
${examples(
  'riverrun backtest load.csv --time-column time --value-column load --horizon 24 --season auto',
  'riverrun backtest shop.csv --time-column day --value-column sales,price --known-column holiday --horizon 7',
)}`,
    )
    .action(async (file: string, options: Options) => done(await backtest(file, options)));
};

async function backtest(file: string, options: Options): Promise<number> {
  const points: Point[] = [];
  let first: string | undefined;
  const columns = csvColumns(options, options.horizon);
  const run = new Backtest({ ...options, inputs: inputsOf(columns) }, (stream, point) => {
    first ??= stream;
    if (stream === first && points.push(point) > 2 * PLOTTED) points.splice(0, PLOTTED);
  });
  const progress = new ProgressLine();
  let rejected = 0;
  const rows = readColumns(file, columns, options);
  for await (const batch of rows)
    for (const row of batch) {
      if (isReject(row)) {
        progress.clear();
        note(JSON.stringify({ line: row.line, ...row.error }));
        rejected += 1;
      } else await run.add(row.stream, row.ts, row.values);
      progress.show(`${run.rows} rows, ${run.retrains} trainings, ${run.trainingSeconds.toFixed(1)} CPU-s of training`);
    }
  progress.clear();
  const result = await run.result();
  if (result.refused > 0) note(`${result.refused} rows were refused: late, or the same once more`);
  if (result.evaluated === 0)
    throw new RiverrunError(
      'NOT_EVALUATED',
      `${result.rows} rows were read, and none was scored: lower --evaluate-from (${options.evaluateFrom})`,
    );
  if (options.plot !== undefined) writeFileSync(options.plot, plot(basename(file), points.slice(-PLOTTED)));
  const { season: found, transform, refused: _, ...rest } = result;
  if (options.json === true)
    await printJson({
      dataset: basename(file, extname(file)),
      ...rest,
      ...{ horizon: options.horizon, season: found, transform },
    });
  else await print(report(result, options.horizon));
  return rejected === 0 ? EXIT.ok : EXIT.rejected;
}

function report(
  { metrics, evaluated, rows, season: found, transform, retrains, cpuSeconds }: BacktestResult,
  horizon: number,
): string {
  const percent = (x: number | undefined): string => (x === undefined || Number.isNaN(x) ? '-' : (100 * x).toFixed(2));
  const lines = Object.entries(metrics).map(([name, m]) => [
    name,
    m.mae.toPrecision(5),
    m.rmse.toPrecision(5),
    percent(m.wape),
    m.nrmse.toFixed(4),
    m.mase.toFixed(4),
  ]);
  const { model, ...baselines } = metrics;
  const best = Math.min(...Object.values(baselines).map(({ mae }) => mae));
  const { coverage, meanWidth, winkler } = model;
  return [
    `${evaluated} of ${rows} rows scored, ${horizon} steps ahead, ${found === 0 ? 'no season' : `season ${found}`}${transform === null ? '' : `, transform ${transform}`}; ${retrains} trainings, ${cpuSeconds.toFixed(1)} CPU-s`,
    table([['', 'MAE', 'RMSE', 'WAPE %', 'NRMSE', 'MASE'], ...lines], [1, 2, 3, 4, 5]),
    `skill against the best baseline: ${percent(1 - model.mae / best)} %`,
    `90 % interval: coverage ${percent(coverage)} %, mean width ${meanWidth?.toPrecision(5) ?? '-'}, Winkler score ${winkler?.toPrecision(5) ?? '-'}`,
  ].join('\n');
}

function season(text: string): number | 'auto' {
  if (text === 'auto') return 'auto';
  if (!/^\d{1,6}$/.test(text) || text === '1') throw new InvalidArgumentError('Expected a number of rows, 0, or auto.');
  return Number(text);
}
