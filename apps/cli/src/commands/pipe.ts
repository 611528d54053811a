import { Option } from 'commander';
import { MemoryStateStore } from '#adapters/memory/memory-state-store';
import type { Config } from '#config/config';
import { loadDefaultModel, suitsDefaultModel } from '#default-model/default-model';
import type { ModelArtifact } from '#domain/model';
import { SEGMENT_ROWS } from '#domain/ports';
import { DEFAULT_PIPELINE, MOST_INPUTS, type PipelineSpec } from '#domain/pipeline-spec';
import { DEFAULT_OPTIONS } from '#pipeline/core';
import { Pipeline } from '#pipeline/pipeline';
import { names, type AddCommand } from '../arguments.js';
import { EXIT, UsageError } from '../exit-codes.js';
import { findModel } from '../models/find-model.js';
import { StandardLog } from '../pipe/standard-log.js';
import { settings } from '../settings.js';

interface Options {
  model?: string;
  inputs?: string[];
  vocabulary?: string;
  scaler?: 'none' | 'standard';
}

/** Rows of history kept, at least. A model that serves from the start needs only what it warms up from. */
const LEAST_WINDOW = 64;

export const addPipe: AddCommand = (parent, done) => {
  parent
    .command('pipe')
    .description('ticks on stdin, one JSON object a line; predictions on stdout, in the same order')
    .option(
      '--model <name|file>',
      'NAME or NAME@VERSION of the data folder, or a .keras, .h5, model.json or exported file (default: the model that ships)',
    )
    .option('--inputs <names>', 'names of the inputs, comma-separated, as in "values" (default: value)', names)
    .option('--vocabulary <file>', 'words of the model file: JSON array, {word: id}, or one a line')
    .addOption(
      new Option('--scaler <scaler>', 'how a model file wants its inputs (default: none)').choices([
        'none',
        'standard',
      ]),
    )
    .addHelpText(
      'after',
      `
A rejected line goes to stderr as {"line","code","message"}; the lines around it are unaffected. Exit code 3 if there was any.

Examples:
  $ echo '{"stream":"s1","ts":1700000000000,"value":0.5}' | riverrun pipe
  $ riverrun pipe --model lstm.keras < ticks.ndjson > predictions.ndjson
  $ riverrun pipe --model weather@3 --inputs temp,load < ticks.ndjson 2> rejected.ndjson`,
    )
    .action(async (options: Options) => done(await pipe(options)));
};

async function pipe(options: Options): Promise<number> {
  if (options.model === undefined && (options.vocabulary ?? options.scaler) !== undefined)
    throw new UsageError('--vocabulary and --scaler go with --model FILE');
  if ((options.inputs?.length ?? 1) > MOST_INPUTS) throw new UsageError(`--inputs takes at most ${MOST_INPUTS} names`);
  const config = settings();
  const chosen = options.model === undefined ? undefined : await findModel(options.model, options, config);
  const spec: PipelineSpec = {
    ...DEFAULT_PIPELINE,
    name: 'pipe',
    inputs: options.inputs ?? DEFAULT_PIPELINE.inputs,
    window: Math.max(LEAST_WINDOW, 2 * (chosen?.manifest.warmUp ?? 0)),
  };
  const shipped =
    chosen === undefined && config.defaultModel && suitsDefaultModel(spec) ? await loadDefaultModel() : undefined;
  const artifact = chosen ?? shipped;
  const log = new StandardLog(process.stdin, process.stdout, process.stderr, {
    topic: spec.topics[0],
    maxRecords: DEFAULT_OPTIONS.maxBatch,
    maxRecordBytes: config.maxRecordBytes,
  });
  const pipeline = await openPipeline(spec, log, artifact, config);
  while ((await pipeline.next()) !== null);
  return log.rejected === 0 ? EXIT.ok : EXIT.rejected;
}

async function openPipeline(
  spec: PipelineSpec,
  log: StandardLog,
  artifact: ModelArtifact | undefined,
  { hotBytes, maxRecordBytes }: Config,
): Promise<Pipeline> {
  const states = new MemoryStateStore({ windowSegments: Math.ceil(spec.window / SEGMENT_ROWS) });
  const ports = { log, states, windows: states };
  const pipeline = await Pipeline.open(spec, ports, () => Promise.reject(new Error('no stored model')), {
    hotBytes,
    // There is no crash to come back from: states are put aside only to make room for other streams.
    saveAfterMs: Infinity,
    maxRecordBytes,
  });
  if (artifact !== undefined) await pipeline.swapModel(artifact);
  return pipeline;
}
