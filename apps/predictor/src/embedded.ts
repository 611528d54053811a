/** Composes the embedded service: adapters over files in one data folder, a pipeline service for each pipeline, the demo's sources. */
import { join } from 'node:path';
import type { Config } from '#config/config';
import { RiverrunError } from '#domain/errors';
import type { ModelArtifact } from '#domain/model';
import type { Clock, Logger, ModelRegistry } from '#domain/ports';
import { FileModelRegistry } from '#adapters/files/file-model-registry';
import { MemoryStateStore } from '#adapters/memory/memory-state-store';
import { MemoryTickLog } from '#adapters/memory/memory-tick-log';
import { Pipeline } from '#pipeline/pipeline';
import { bytesPerStream } from '#pipeline/stream-table';
import { selectImplementation } from '#rnn/network';
import { DemoSources } from './demo-sources.js';
import type { DeadLetterView } from './health.js';
import { PipelineService } from './pipeline-service.js';

export interface Embedded {
  readonly services: readonly PipelineService[];
  readonly registry: ModelRegistry;
  readonly demo: DemoSources | undefined;
  /** Which kernel steps the networks. */
  readonly kernel: string;
  deadLetters(limit: number): DeadLetterView[];
  close(): Promise<void>;
}

/** Hidden floats a stream is reckoned with when RIVERRUN_HOT_BYTES becomes a number of streams. */
const TYPICAL_HIDDEN = 64;

export async function openEmbedded(config: Config, logger: Logger, clock: Clock): Promise<Embedded> {
  const registry = new FileModelRegistry(join(config.dataDir, 'models'));
  const services: PipelineService[] = [];
  for (const spec of config.pipelines) {
    const log = new MemoryTickLog({ topic: spec.topics[0] });
    const states = new MemoryStateStore({ windowSegments: Math.ceil(spec.window / 16) });
    const pipeline = await Pipeline.open(
      spec,
      { log, states, windows: states, clock },
      (digest) => findByDigest(registry, digest),
      {
        hotStreams: Math.max(
          2 * config.maxBatch,
          Math.floor(
            config.hotBytes / config.pipelines.length / (bytesPerStream(spec.inputs.length) + 4 * TYPICAL_HIDDEN),
          ),
        ),
        maxBatch: config.maxBatch,
        maxRecordBytes: config.maxRecordBytes,
        nameTopic: spec.topics.length > 1,
      },
    );
    services.push(new PipelineService(pipeline, log, registry, logger, () => states.close()));
  }
  return {
    services,
    registry,
    demo: config.demo ? new DemoSources(services[0].log, services[0].pipeline.spec.topics[0], logger) : undefined,
    kernel: selectImplementation(),
    deadLetters: () => [],
    close: () => Promise.resolve(),
  };
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
