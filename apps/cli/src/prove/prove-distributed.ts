/** From Kafka and Redis, beside the running service. */
import type { TopicPartition } from '#adapters/kafka/assign-partitions';
import type { TopicReader } from '#adapters/kafka/topic-reader';
import { RedisStateStore } from '#adapters/redis/redis-state-store';
import type { Config, PipelineConfig } from '#config/config';
import { RiverrunError } from '#domain/errors';
import type { AuditPlaces } from '../audit/audit.js';
import { auditPartition } from '../audit/audit-partition.js';
import { openOutputs } from '../audit/open-outputs.js';
import { Reference, referenceOptions } from '../audit/reference.js';
import { modelsByLabel } from '../models/models-by-label.js';
import { proofOf, type Proof } from './proof.js';
import { streamOfRecord } from './stream-of-record.js';

export interface ProveOptions {
  readonly topic?: string | undefined;
  readonly partition?: number | undefined;
  readonly onProgress: (offset: number, to: number) => void;
}

export async function proveDistributed(
  places: AuditPlaces,
  stream: string,
  offset: number,
  options: ProveOptions,
): Promise<Proof> {
  const { config, kafka, redis, registry } = places;
  const { part, pipeline, count } = await locate(config, kafka, stream, offset, options);
  const { topic, partition } = part;
  const states = new RedisStateStore(redis, { app: config.app, ...part, windowSegments: 0 });
  await states.open();
  const { states: stored } = await states.load([stream], { storedOnly: true });
  const { committed = 0, metadata } = (await kafka.committed(config.app, topic, count))[partition];
  const { start } = await kafka.edges(part);
  const from = Math.max(start, metadata?.b ?? 0);
  if (offset < from)
    throw new RiverrunError(
      'OFFSET',
      `riverrun began ${topic}/${partition} at offset ${from}: ${offset} has no outcome`,
    );
  const notes =
    metadata !== undefined && start > metadata.b
      ? [`the log begins at ${start}, the stream's past from ${metadata.b} on is gone: a difference proves nothing`]
      : [];
  const reference = await Reference.start(pipeline, from, modelsByLabel(registry), referenceOptions(config, pipeline));
  const to = offset + 1;
  const audited = await auditPartition(
    { from, to, end: to, limit: Infinity, watch: offset },
    {
      inputs: kafka.read(part, from, to),
      outputs: await openOutputs(kafka, config, part),
      reference,
      states: undefined,
      onProgress: (at) => options.onProgress(at, to),
    },
  );
  const { expected, found } = audited.ledger.watched;
  const { lost, wrong } = audited.ledger.counts;
  if (offset >= committed) notes.push('its outcome is not committed yet');
  if (lost + wrong > 0)
    notes.push(`of the partition's outcomes up to there ${lost + wrong} are lost or wrong: riverrun audit`);
  return proofOf({
    stream,
    pipeline: pipeline.name,
    ...part,
    offset,
    from,
    model: reference.modelOf(stream),
    replayed: expected!,
    found,
    isCommitted: offset < committed,
    state: await reference.stateOf(stream),
    stored: stored[0],
    notes: [...notes, ...audited.notes],
  });
}

/** The one partition whose record at that offset is the stream's. */
async function locate(
  config: Config,
  kafka: TopicReader,
  stream: string,
  offset: number,
  options: ProveOptions,
): Promise<{ part: TopicPartition; pipeline: PipelineConfig; count: number }> {
  const others = new Set<string>();
  for (const pipeline of config.pipelines)
    for (const topic of pipeline.topics) {
      if (options.topic !== undefined && options.topic !== topic) continue;
      const count = await kafka.partitions(topic);
      for (let partition = 0; partition < count; partition++) {
        if (options.partition !== undefined && options.partition !== partition) continue;
        const part = { topic, partition };
        const { start, end } = await kafka.edges(part);
        if (offset < start || offset >= end) continue;
        const read = await kafka.read(part, offset, offset + 1).next();
        if (read === null) continue;
        const found = await streamOfRecord(read.batch, pipeline, config);
        if (found === stream) return { part, pipeline, count };
        others.add(`${topic}/${partition}: ${found === undefined ? 'a record of no stream' : JSON.stringify(found)}`);
      }
    }
  const seen = others.size === 0 ? '' : `; there is ${[...others].slice(0, 5).join(', ')}`;
  throw new RiverrunError('RECORD_NOT_FOUND', `no partition has a record of ${stream} at offset ${offset}${seen}`);
}
