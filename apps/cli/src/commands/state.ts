import type { Command } from 'commander';
import type { Config } from '#config/config';
import { examples, integer, type AddCommand } from '../arguments.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { note, print, printJson, shortNumber, table } from '../output.js';
import { getJson } from '../service-client.js';
import { settings } from '../settings.js';
import { listStored, showStored } from '../states/state-views.js';
import { statePartitions, type StatePartition } from '../states/stored-states.js';
import { openServers } from '../connections.js';
import { base, service } from './state-service.js';
import { addStateReset } from './state-reset.js';

interface StreamJson {
  readonly id: string;
  readonly ticks: number;
  readonly ts: number | null;
  readonly value: number | null;
  readonly prediction: number | null;
  readonly source: string;
}
interface Page {
  readonly streams: StreamJson[];
  readonly cursor: string | null;
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
  const state = parent.command('state').description('streams and what is remembered of them');
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
      const config = settings();
      const view: object = isStored(config, options)
        ? await showStored(await openStates(config), stream)
        : await getJson<Record<string, unknown>>(base(options), `/streams/${encodeURIComponent(stream)}`);
      await (options.json === true
        ? printJson(view)
        : print(table(Object.entries(view).map(([k, v]) => [k, cell(k, v)]))));
      done(EXIT.ok);
    },
  );
  addStateReset(state, done);
  later(state, 'export');
  later(state, 'import');
};

/** In distributed mode no single service knows all streams: Redis does. */
const isStored = ({ mode }: Config, { url }: { url?: string }): boolean => mode === 'distributed' && url === undefined;

async function openStates(config: Config): Promise<StatePartition[]> {
  const { kafka, redis } = await openServers(config);
  return statePartitions(config, kafka, redis);
}

async function list({ limit, cursor, json, ...options }: Options): Promise<number> {
  const config = settings();
  const stored = isStored(config, options) ? await openStates(config) : undefined;
  const streams: StreamJson[] = [];
  let next: string | null = cursor ?? null;
  do {
    const count = Math.min(PAGE, limit - streams.length);
    const query = new URLSearchParams({ limit: String(count), ...(next !== null && { cursor: next }) });
    const page: Page =
      stored === undefined
        ? await getJson(base(options), `/streams?${query.toString()}`)
        : await listStored(stored, next, count);
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
