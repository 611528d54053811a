/** Export and import over a data folder, while no service has it. */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DataDir } from '#adapters/files/data-dir';
import { FileModelRegistry } from '#adapters/files/file-model-registry';
import { FileStateStore } from '#adapters/files/file-state-store';
import { FileTickLog } from '#adapters/files/file-tick-log';
import type { Config, PipelineConfig } from '#config/config';
import { RiverrunError } from '#domain/errors';
import { SEGMENT_ROWS } from '#domain/ports';
import { layoutId } from '#pipeline/state-codec';
import { fillStore, streamsOf } from './place-states.js';
import { readStateFile, writeStateFile, type StateFileHeader } from './state-file.js';
import { checkLayout, knownModel, statesExist, type Imported } from './transfer.js';

interface Opened {
  readonly log: FileTickLog;
  readonly store: FileStateStore;
  readonly statesFolder: string;
}

export async function exportEmbedded(config: Config, pipeline: PipelineConfig, file: string): Promise<number> {
  if (!existsSync(join(config.dataDir, 'pipelines', pipeline.name, 'states')))
    throw new RiverrunError('DATA_DIR', `${config.dataDir} holds no states of pipeline ${pipeline.name}`);
  return withData(config, pipeline, async ({ log, store }) => {
    const { committed } = await log.open();
    const watermark = await store.open();
    if (watermark === undefined || watermark.offset !== committed)
      throw new RiverrunError(
        'STATE_POSITION',
        `the states stand at offset ${watermark?.offset ?? 'none'}, the log at ${committed}: start the service and stop it once, then they meet`,
      );
    const [topic] = pipeline.topics;
    const header: StateFileHeader = {
      ...{ riverrun: 'states', version: 1, app: config.app, pipeline: pipeline.name, mode: 'embedded', cluster: null },
      layout: watermark.layout,
      createdAt: new Date().toISOString(),
      partitions: [{ topic, partition: 0, count: 1, watermark }],
    };
    return writeStateFile(file, header, streamsOf(store, { topic, partition: 0 }));
  });
}

/** The streams go on from where the log ends. */
export async function importEmbedded(
  config: Config,
  pipeline: PipelineConfig,
  file: string,
  replace: boolean,
): Promise<Imported> {
  const { header, streams } = await readStateFile(file);
  checkLayout(header, pipeline);
  return withData(config, pipeline, async ({ log, store, statesFolder }) => {
    const { committed } = await log.open();
    await store.open();
    const held = store.size.streams;
    if (held > 0 && !replace) throw statesExist(held, pipeline.name);
    await store.close();
    rmSync(statesFolder, { recursive: true, force: true });
    mkdirSync(statesFolder);
    const registry = new FileModelRegistry(join(config.dataDir, 'models'));
    const { model, notes } = await knownModel(registry, header);
    const watermark = { offset: committed, model, layout: layoutId(pipeline.inputs) };
    await fillStore(store, watermark, streams, pipeline.inputs.length, committed);
    return { streams: streams.length, partitions: 1, adopted: true, notes };
  });
}

async function withData<T>(config: Config, pipeline: PipelineConfig, work: (opened: Opened) => Promise<T>): Promise<T> {
  const data = await DataDir.open(config.dataDir);
  const statesFolder = join(config.dataDir, 'pipelines', pipeline.name, 'states');
  const log = new FileTickLog(data.folder('pipelines', pipeline.name, 'log'), { topic: pipeline.topics[0] });
  const store = new FileStateStore(statesFolder, { windowSegments: Math.ceil(pipeline.window / SEGMENT_ROWS) });
  try {
    data.folder('pipelines', pipeline.name, 'states');
    return await work({ log, store, statesFolder });
  } finally {
    await log.close();
    await store.close();
    data.close();
  }
}
