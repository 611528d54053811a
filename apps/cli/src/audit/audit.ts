/** The whole of what an app has done: its input topics partition by partition, against its outputs and its states. */
import type { TopicReader } from '#adapters/kafka/topic-reader';
import type { RedisClient } from '#adapters/redis/redis-client';
import { RedisStateStore } from '#adapters/redis/redis-state-store';
import type { Config, PipelineConfig } from '#config/config';
import type { ModelRegistry } from '#domain/ports';
import { modelsByLabel } from '../models/models-by-label.js';
import { auditPartition } from './audit-partition.js';
import { openOutputs } from './open-outputs.js';
import { Reference, referenceOptions } from './reference.js';
import { reportOf, skipped, totalOf, type AuditReport, type PartitionReport } from './report.js';

export interface AuditOptions {
  readonly topic?: string | undefined;
  readonly partition?: number | undefined;
  /** Begin there instead of where the app began: outcomes are counted, nothing is recomputed. */
  readonly since?: number | undefined;
  /** Records judged of each partition. */
  readonly limit?: number | undefined;
  readonly onProgress?: (topic: string, partition: number, offset: number, to: number) => void;
}

export interface AuditPlaces {
  readonly config: Config;
  readonly kafka: TopicReader;
  readonly redis: RedisClient;
  readonly registry: ModelRegistry;
}

export async function audit(places: AuditPlaces, options: AuditOptions): Promise<AuditReport> {
  const { config, kafka } = places;
  const reports: PartitionReport[] = [];
  for (const pipeline of config.pipelines)
    for (const topic of pipeline.topics) {
      if (options.topic !== undefined && options.topic !== topic) continue;
      const count = await kafka.partitions(topic);
      for (let partition = 0; partition < count; partition++)
        if (options.partition === undefined || options.partition === partition)
          reports.push(await auditOne(places, pipeline, { topic, partition, count }, options));
    }
  return totalOf(reports);
}

async function auditOne(
  { config, kafka, redis, registry }: AuditPlaces,
  pipeline: PipelineConfig,
  { topic, partition, count }: { topic: string; partition: number; count: number },
  options: AuditOptions,
): Promise<PartitionReport> {
  const part = { topic, partition };
  const states = new RedisStateStore(redis, { app: config.app, ...part, windowSegments: 0 });
  // W before c before the ends: each is a bound of what comes after it.
  const watermark = await states.open();
  const { committed, metadata } = (await kafka.committed(config.app, topic, count))[partition];
  const place = { ...part, from: null, committed: committed ?? null };
  if (committed === undefined) return skipped(place, 'nothing is committed for it');
  if (metadata === undefined) return skipped(place, 'its committed offset is not of riverrun: nothing can be said');
  const { start } = await kafka.edges(part);
  const base = metadata.b;
  const from = Math.max(base, start, options.since ?? 0);
  const whole = from === base;
  const end = whole ? Math.max(committed, watermark?.offset ?? 0) : committed;
  const outputs = await openOutputs(kafka, config, part);
  const reference = whole
    ? await Reference.start(pipeline, base, modelsByLabel(registry), referenceOptions(config, pipeline))
    : undefined;
  const audited = await auditPartition(
    { from, to: committed, end, limit: options.limit ?? Infinity },
    {
      inputs: kafka.read(part, from, end),
      outputs,
      reference,
      states: whole ? states : undefined,
      onProgress: (offset) => options.onProgress?.(topic, partition, offset, end),
    },
  );
  if (!whole)
    audited.notes.push(
      `${start > base && from === start ? `the log begins at ${start}, the app began at ${base}` : `looked at from offset ${from} on`}: outcomes were counted, predictions and states were not recomputed`,
    );
  return reportOf({ ...place, from }, audited, config.delivery === 'at-least-once');
}
