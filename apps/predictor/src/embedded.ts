/** Composes the embedded service: adapters over files in one data folder, a pipeline service for each pipeline, the demo's sources. */
import type { Config } from '#config/config';
import { RiverrunError } from '#domain/errors';
import type { ModelArtifact } from '#domain/model';
import { SEGMENT_ROWS, type Logger, type ModelRegistry } from '#domain/ports';
import { DataDir } from '#adapters/files/data-dir';
import { FileModelRegistry } from '#adapters/files/file-model-registry';
import { FileStateStore } from '#adapters/files/file-state-store';
import { FileTickLog } from '#adapters/files/file-tick-log';
import { Pipeline } from '#pipeline/pipeline';
import { DemoSources } from './demo-sources.js';
import type { DeadLetterView } from './health.js';
import type { StreamTitle } from './live-feed.js';
import type { ModelSource } from './model-source.js';
import { PipelineService } from './pipeline-service.js';
import type { Running, ServiceObserver } from './running.js';
import { Services } from './services.js';
import { standInFrom } from './stand-in.js';
import { LiveTrainingSource, OwnTurns } from './training-source.js';

export async function openEmbedded(config: Config, logger: Logger, observer: ServiceObserver): Promise<Running> {
  const data = await DataDir.open(config.dataDir);
  const registry = new FileModelRegistry(data.folder('models'));
  const models: ModelSource = {
    aliases: (pipeline) => registry.aliases(pipeline),
    load: (model) => registry.load(model),
    activate: (...change) => registry.activate(...change),
    standIn: standInFrom(registry, config.defaultModel, logger),
  };
  const logs = new Map<string, FileTickLog>();
  const services: PipelineService[] = [];
  for (const spec of config.pipelines) {
    const log = new FileTickLog(data.folder('pipelines', spec.name, 'log'), { topic: spec.topics[0], logger });
    const states = new FileStateStore(data.folder('pipelines', spec.name, 'states'), {
      windowSegments: Math.ceil(spec.window / SEGMENT_ROWS),
      logger,
    });
    const pipeline = await Pipeline.open(
      spec,
      { log, states, windows: states },
      (digest) => findByDigest(registry, digest),
      {
        hotBytes: config.hotBytes / config.pipelines.length,
        maxBatch: config.maxBatch,
        maxRecordBytes: config.maxRecordBytes,
        nameTopic: spec.topics.length > 1,
        stateTtlMs: config.stateTtl,
      },
    );
    const service = new PipelineService(pipeline, log, models, logger, () => states.close(), log);
    // One log for all the pipeline's topics, and so is its lag.
    observer.added(service, { topic: spec.topics.join(','), partition: 0 });
    logs.set(spec.name, log);
    services.push(service);
  }
  const [first] = config.pipelines;
  const demo = config.demo ? new DemoSources(logs.get(first.name)!, first.topics[0], logger) : undefined;
  return {
    services: new Services(services),
    registry,
    training: { sources: services.map((service) => new LiveTrainingSource(service)), turns: new OwnTurns() },
    titles: demo?.titles ?? new Map<string, StreamTitle>(),
    problems: () => [],
    deadLetters: (limit) => newestDeadLetters(logs, limit),
    start: async () => {
      for (const service of services) {
        await service.followChampion();
        service.start();
      }
      await demo?.start();
    },
    stop: async () => {
      demo?.stop();
      for (const service of services) await service.stop();
      data.close();
    },
  };
}

function newestDeadLetters(logs: ReadonlyMap<string, FileTickLog>, limit: number): DeadLetterView[] {
  return [...logs]
    .flatMap(([pipeline, log]) => log.deadLetters(limit).map((letter) => ({ pipeline, letter })))
    .sort((a, b) => b.letter.ts - a.letter.ts)
    .slice(0, limit)
    .map(({ pipeline, letter: { topic, offset, code, message, key, value } }) => ({
      pipeline,
      topic,
      offset,
      code,
      message,
      key: key === null ? null : Buffer.from(key).toString(),
      value: value === null ? null : Buffer.from(value).toString('base64'),
    }));
}

async function findByDigest(registry: ModelRegistry, digest: string): Promise<ModelArtifact> {
  const manifest = (await registry.list()).find((m) => m.digest === digest);
  if (manifest === undefined)
    throw new RiverrunError(
      'MODEL_NOT_FOUND',
      `stored states were made with the model of digest ${digest.slice(0, 12)}, which is not in the registry: put its files back`,
    );
  return registry.load(manifest);
}
