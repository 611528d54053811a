import type { Command } from 'commander';
import { examples, integer, url, type AddCommand } from '../arguments.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { note, print, printJson, shortNumber, table } from '../output.js';
import { getJson, postTicks } from '../service-client.js';
import { serviceUrl, settings } from '../settings.js';

interface StreamJson {
  readonly id: string;
  readonly ticks: number;
  readonly ts: number;
  readonly value: number | null;
  readonly prediction: number | null;
  readonly source: string;
}
interface Options {
  url?: string;
  json?: true;
  limit: number;
  cursor?: string;
}

/** The service answers at most this many at once. */
const PAGE = 1000;

export const addState: AddCommand = (parent, done) => {
  const state = parent.command('state').description('the streams of a running service and what it remembers of them');
  state.addHelpText(
    'after',
    examples('riverrun state ls --limit 20', 'riverrun state show s12', 'riverrun state reset s12'),
  );
  service(state.command('ls').description('streams, page by page'), 'ls --limit 20')
    .option('--limit <n>', 'how many', integer(1, 1_000_000), 100)
    .option('--cursor <id>', 'go on behind this stream')
    .action(async (options: Options) => done(await list(options)));
  service(state.command('show').description('one stream').argument('<stream>'), 'show s12').action(
    async (stream: string, options: Options) => {
      const view = await getJson<Record<string, unknown>>(base(options), `/streams/${encodeURIComponent(stream)}`);
      await (options.json === true
        ? printJson(view)
        : print(table(Object.entries(view).map(([k, v]) => [k, cell(k, v)]))));
      done(EXIT.ok);
    },
  );
  service(
    state.command('reset').description('forget what the model remembers of a stream').argument('<stream>'),
    'reset s12',
  ).action(async (stream: string, options: Options) => {
    const answer = await postTicks(base(options), JSON.stringify({ stream, control: 'reset' }), 'application/json');
    await (options.json === true ? printJson(JSON.parse(answer)) : print(`${stream} starts over`));
    done(EXIT.ok);
  });
  later(state, 'export');
  later(state, 'import');
};

function service(command: Command, example: string): Command {
  return command
    .option('--url <url>', 'the service (default: http://127.0.0.1:3000, or as the settings say)', url)
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples(`riverrun state ${example}`));
}

const base = (options: { url?: string }): string => options.url ?? serviceUrl(settings());

async function list({ limit, cursor, json, ...options }: Options): Promise<number> {
  const at = base(options);
  const streams: StreamJson[] = [];
  let next: string | null = cursor ?? null;
  do {
    const query = new URLSearchParams({ limit: String(Math.min(PAGE, limit - streams.length)) });
    if (next !== null) query.set('cursor', next);
    const page: { streams: StreamJson[]; cursor: string | null } = await getJson(at, `/streams?${query.toString()}`);
    streams.push(...page.streams);
    next = page.cursor;
  } while (next !== null && streams.length < limit);
  if (json === true) await printJson({ streams, cursor: next });
  else {
    await print(
      table(
        [
          ['STREAM', 'TICKS', 'LAST', 'VALUE', 'NEXT', 'SOURCE'],
          ...streams.map((s) => [
            s.id,
            String(s.ticks),
            time(s.ts),
            shortNumber(s.value),
            shortNumber(s.prediction),
            s.source,
          ]),
        ],
        [1, 3, 4],
      ),
    );
    if (next !== null) note(`more: --cursor ${JSON.stringify(next)}`);
  }
  return EXIT.ok;
}

const time = (ts: number | null): string =>
  ts === null || Math.abs(ts) > 8.64e15 ? '-' : new Date(ts).toISOString().slice(0, 19).replace('T', ' ');

const cell = (key: string, value: unknown): string =>
  /^(ts|targetTs)$/.test(key) && typeof value === 'number'
    ? `${value} (${time(value)})`
    : typeof value === 'string'
      ? value
      : JSON.stringify(value);

/** The names are taken; what stands behind them comes later. Better a clear answer than half of one. */
function later(state: Command, name: 'export' | 'import'): void {
  state
    .command(name)
    .description('comes with a later version')
    .argument('[args...]')
    .allowUnknownOption()
    .action(() => {
      throw new UsageError(`state ${name} is not available yet: it comes with a later version`);
    });
}
