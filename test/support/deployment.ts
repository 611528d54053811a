/** The built service in distributed mode, with names of its own on servers that others use too. */
import { connectRedis } from '#adapters/redis/redis-client';
import { RedisModelRegistry } from '#adapters/redis/redis-model-registry';
import type { ModelArtifact } from '#domain/model';
import { batchOf, type PlainRecord } from '../contract/records.js';
import { modelOf, gruSpec } from './models.js';
import type { Service } from './service.js';
import { TestPipeline, type Outcome } from './pipelines.js';
import { uniqueName } from './servers/unique-name.js';
import { DEFAULT_PIPELINE } from '#domain/pipeline-spec';

export interface Deployment {
  readonly app: string;
  readonly inputs: readonly string[];
  readonly predictions: string;
  readonly deadLetters: string;
  readonly checkpoints: string;
  /** Settings that name all of it; the servers' addresses come beside them. */
  readonly env: Readonly<Record<string, string>>;
}

export function deployment(inputTopics = 1, prefix = 'it'): Deployment {
  const app = uniqueName(prefix);
  const inputs = Array.from({ length: inputTopics }, (_, i) => `${app}-ticks-${i}`);
  const names = { predictions: `${app}-predictions`, deadLetters: `${app}-dlt`, checkpoints: `${app}-state-changelog` };
  const env = {
    RIVERRUN_MODE: 'distributed',
    RIVERRUN_APP: app,
    RIVERRUN_TICKS_TOPIC: inputs.join(','),
    RIVERRUN_PREDICTIONS_TOPIC: names.predictions,
    RIVERRUN_DEAD_LETTER_TOPIC: names.deadLetters,
    RIVERRUN_FROM: 'earliest',
  };
  return { app, inputs, ...names, env };
}

/** What /readyz says: the status and the reasons. */
export async function readiness(service: Service): Promise<string> {
  const { status, json } = await service.get('/readyz');
  return `${status} ${(json.reasons as string[]).join('; ')}`;
}

/** Makes a raw GRU the champion, so that every prediction depends on all ticks before it. */
export async function activateModel(redisUrl: string, app: string): Promise<ModelArtifact> {
  const client = await connectRedis({ url: redisUrl });
  try {
    const registry = new RedisModelRegistry(client, { app });
    const { manifest, weights } = modelOf(gruSpec(8), 5, { name: 'm' });
    const published = await registry.publish(manifest, weights);
    await registry.activate('default', published);
    return { manifest: published, weights };
  } finally {
    await client.close();
  }
}

/** What one uninterrupted pass over a partition gives, by a pipeline over memory adapters. */
export async function referenceOf(
  records: readonly PlainRecord[],
  model: ModelArtifact,
  { inputs }: Deployment,
  topic = inputs[0],
): Promise<Outcome[]> {
  const spec = { ...DEFAULT_PIPELINE, topics: inputs };
  const reference = await new TestPipeline(spec, { nameTopic: inputs.length > 1 }).open();
  await reference.swap(model);
  await reference.log.append(batchOf(records, 0, topic));
  return reference.take(records.length);
}
