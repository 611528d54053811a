import { setTimeout as sleep } from 'node:timers/promises';
import { RiverrunError } from '#domain/errors';
import { examples, url, type AddCommand } from '../arguments.js';
import { EXIT } from '../exit-codes.js';
import { print, printJson } from '../output.js';
import { ProgressLine } from '../progress-line.js';
import { getJson, postAdmin } from '../service-client.js';
import { serviceUrl, settings } from '../settings.js';

interface Options {
  url?: string;
  pipeline?: string;
  json?: true;
}

interface Training {
  readonly state: string;
  readonly progress: number;
  readonly detail: string;
  readonly lastTrainedAt: string | null;
}

const POLL_MS = 200;
const WIDTH = 30;

export const addTrain: AddCommand = (parent, done) => {
  parent
    .command('train')
    .description('train a model from the stored windows now, and say what came of it')
    .option('--url <url>', 'the service that trains (default: http://127.0.0.1:3000, or as the settings say)', url)
    .option('--pipeline <name>', 'default: the first')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
The service trains beside its ticks. The first model serves at once, a later one once it is known to be better (riverrun model ls).
With RIVERRUN_ADMIN_TOKEN set, the token is sent.
${examples('riverrun train', 'riverrun train --pipeline plant --json')}`,
    )
    .action(async (options: Options) => done(await train(options)));
};

async function train(options: Options): Promise<number> {
  const config = settings();
  const base = options.url ?? serviceUrl(config);
  const query = options.pipeline === undefined ? '' : `?pipeline=${encodeURIComponent(options.pipeline)}`;
  const asked = await postAdmin<{ pipeline: string; training: Training }>(
    base,
    `/models/train${query}`,
    config.adminToken,
  );
  const { pipeline } = asked;
  const progress = new ProgressLine();
  for (;;) {
    const { training } = await getJson<{ training: Record<string, Training> }>(base, '/models');
    const now = training[pipeline];
    if (now.state !== 'training') {
      progress.clear();
      return tell(pipeline, now, options, now.lastTrainedAt !== asked.training.lastTrainedAt);
    }
    const filled = Math.round(WIDTH * now.progress);
    progress.show(`[${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${now.detail}`);
    await sleep(POLL_MS);
  }
}

async function tell(pipeline: string, training: Training, { json }: Options, trained: boolean): Promise<number> {
  if (!trained) throw new RiverrunError('TRAINING_FAILED', `pipeline ${pipeline} was not trained: ${training.detail}`);
  if (json === true) await printJson({ pipeline, ...training });
  else await print(`pipeline ${pipeline} was trained: ${training.detail}`);
  return EXIT.ok;
}
