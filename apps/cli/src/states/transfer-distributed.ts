/** Export, import and repartitioning over Kafka and Redis. */
import type { GroupAdmin } from '#adapters/kafka/group-admin';
import type { Partitioner } from '#adapters/kafka/partitioners';
import type { TopicReader } from '#adapters/kafka/topic-reader';
import { broughtAt, countStreams, dropPartition, markBrought } from '#adapters/redis/partition-admin';
import type { RedisClient } from '#adapters/redis/redis-client';
import type { Config, PipelineConfig } from '#config/config';
import type { CommitMetadata } from '#adapters/kafka/commit-metadata';
import { RiverrunError } from '#domain/errors';
import type { ModelRegistry, Watermark } from '#domain/ports';
import { layoutId, stateTicks } from '#pipeline/state-codec';
import { fillStore, streamsOf } from './place-states.js';
import {
  readStateFile,
  writeStateFile,
  type FilePartition,
  type FileStream,
  type StateFileHeader,
} from './state-file.js';
import { asOfOneWatermark, openStore, statePartitions, type StatePartition } from './stored-states.js';
import { checkLayout, knownModel, statesExist, type Imported } from './transfer.js';

export interface TransferPlaces {
  readonly config: Config;
  readonly kafka: TopicReader;
  readonly admin: GroupAdmin;
  readonly redis: RedisClient;
  readonly registry: ModelRegistry;
}

/** An input partition as it stands. */
interface Target {
  readonly topic: string;
  readonly partition: number;
  readonly count: number;
  readonly start: number;
  readonly end: number;
  readonly committed: number | undefined;
  readonly metadata: CommitMetadata | undefined;
}

/** Beside the running service too: pages are of different moments then, none before the partition's watermark. */
export async function exportDistributed(
  { config, kafka, admin, redis }: TransferPlaces,
  pipeline: PipelineConfig,
  file: string,
): Promise<number> {
  const places = await statePartitions(config, kafka, redis, pipeline.name);
  return writePlaces({ config, admin }, pipeline, places, file);
}

async function writePlaces(
  { config, admin }: Pick<TransferPlaces, 'config' | 'admin'>,
  pipeline: PipelineConfig,
  places: readonly StatePartition[],
  file: string,
): Promise<number> {
  const partitions: FilePartition[] = [];
  const stored: StatePartition[] = [];
  for (const place of places) {
    const watermark = await place.store.open();
    if (watermark === undefined) continue;
    const { topic, partition, count } = place;
    partitions.push({ topic, partition, count, watermark });
    stored.push(place);
  }
  const header: StateFileHeader = {
    ...{ riverrun: 'states', version: 1, app: config.app, pipeline: pipeline.name, mode: 'distributed' },
    cluster: await admin.clusterId(),
    layout: partitions[0]?.watermark.layout ?? layoutId(pipeline.inputs),
    createdAt: new Date().toISOString(),
    partitions,
  };
  async function* all(): AsyncGenerator<FileStream> {
    for (const place of stored) yield* streamsOf(place.store, place, (read) => asOfOneWatermark(place.store, read));
  }
  return writeStateFile(file, header, all());
}

export async function importDistributed(
  places: TransferPlaces,
  pipeline: PipelineConfig,
  file: string,
  { replace, partitionOf }: { replace: boolean; partitionOf: Partitioner },
): Promise<Imported> {
  const { config, admin, redis, registry } = places;
  const { header, streams } = await readStateFile(file);
  checkLayout(header, pipeline);
  await admin.mustBeEmpty(config.app);
  const targets = await targetsOf(places, pipeline);
  let held = 0;
  for (const { topic, partition } of targets) held += await countStreams(redis, { app: config.app, topic, partition });
  if (held > 0 && !replace) throw statesExist(held, pipeline.name);
  const { model, notes } = await knownModel(registry, header);
  const same = await sameLog(places, header, targets);
  const samePartitions = header.partitions.every(({ topic, partition, count }) =>
    targets.some((t) => t.topic === topic && t.partition === partition && t.count === count),
  );
  const byTarget = grouped(streams, targets, samePartitions ? undefined : partitionOf);
  for (const target of targets) {
    const mine = byTarget.get(target) ?? [];
    const from = header.partitions.find((p) => p.topic === target.topic && p.partition === target.partition);
    if (!same) await bringIn(places, pipeline, target, mine, model);
    else if (from !== undefined) {
      const name = { app: config.app, topic: target.topic, partition: target.partition };
      const brought = await broughtAt(redis, name);
      if (from.watermark.model !== null && notes.length > 0)
        throw new RiverrunError('MODEL_NOT_FOUND', `${notes[0]}; import the model first`);
      await replaceStates(places, pipeline, target, mine, from.watermark);
      if (brought !== undefined) await markBrought(redis, name, brought);
    }
  }
  return { streams: streams.length, partitions: targets.length, adopted: !same, notes };
}

export interface Repartitioned {
  readonly topic: string;
  readonly before: number;
  readonly now: number;
  readonly streams: number;
  /** Streams whose partition is another one now. */
  readonly moved: number;
  /** Records in the former partitions that have no outcome yet: those of streams that have moved start anew there. */
  readonly unprocessed: number;
}

/** For every topic whose number of partitions has changed. The file is there before anything is touched: with it, `state import --replace` finishes what was cut off. */
export async function repartition(
  places: TransferPlaces,
  { backup, partitionOf }: { backup: string; partitionOf: Partitioner },
): Promise<Repartitioned[]> {
  const { config, admin, redis } = places;
  await admin.mustBeEmpty(config.app);
  const done: Repartitioned[] = [];
  for (const pipeline of config.pipelines) {
    const targets = await targetsOf(places, pipeline);
    const changed = targets.filter(({ metadata, count }) => metadata !== undefined && metadata.n !== count);
    for (const topic of new Set(changed.map((target) => target.topic))) {
      const mine = targets.filter((target) => target.topic === topic);
      await mustBeDrained(places, mine);
      const stores = mine.map((target) => ({
        ...{ pipeline, topic, partition: target.partition, count: target.count },
        store: openStore(config, redis, pipeline, topic, target.partition),
      }));
      const file = `${backup}.${topic}.ndjson`;
      await writePlaces(places, pipeline, stores, file);
      const { header, streams } = await readStateFile(file);
      const { model } = await knownModel(places.registry, header);
      const byTarget = grouped(streams, mine, partitionOf);
      for (const target of mine) await bringIn(places, pipeline, target, byTarget.get(target) ?? [], model, 'start');
      const moved = [...byTarget].flatMap(([target, here]) => here.filter((s) => s.partition !== target.partition));
      const before = changed.find((target) => target.topic === topic)!.metadata!.n;
      const unprocessed = mine.reduce(
        (sum, { committed, end }) => sum + (committed === undefined ? 0 : end - committed),
        0,
      );
      done.push({ topic, before, now: mine.length, streams: streams.length, moved: moved.length, unprocessed });
    }
  }
  return done;
}

/** RiverrunError STATE_POSITION unless W = c everywhere: records between them would be replayed where their streams are no longer. */
async function mustBeDrained({ config, redis }: TransferPlaces, targets: readonly Target[]): Promise<void> {
  for (const { topic, partition, committed } of targets) {
    if (committed === undefined) continue;
    const [pipeline] = config.pipelines.filter(({ topics }) => topics.includes(topic));
    const watermark = await openStore(config, redis, pipeline, topic, partition).open();
    if (watermark?.offset !== committed)
      throw new RiverrunError(
        'STATE_POSITION',
        `${topic}/${partition}: states stand at ${watermark?.offset ?? 'none'}, outcomes at ${committed}: run the service until they meet and stop it in order, before the number of partitions changes`,
      );
  }
}

async function targetsOf({ config, kafka, admin }: TransferPlaces, { topics }: PipelineConfig): Promise<Target[]> {
  const targets: Target[] = [];
  for (const topic of topics) {
    const count = await kafka.partitions(topic);
    const fenced = new Set<string>();
    for (const { metadata } of await kafka.committed(config.app, topic, count))
      if (metadata !== undefined && !fenced.has(metadata.t)) {
        fenced.add(metadata.t);
        await admin.fence(metadata.t);
      }
    for (const { partition, committed, metadata } of await kafka.committed(config.app, topic, count))
      targets.push({ topic, partition, count, committed, metadata, ...(await kafka.edges({ topic, partition })) });
  }
  return targets;
}

/** Offsets keep their meaning: the same partitions of the same cluster, and no state is ahead of the outcomes or behind the log's start. */
async function sameLog(
  { admin }: TransferPlaces,
  { cluster, partitions }: StateFileHeader,
  targets: readonly Target[],
): Promise<boolean> {
  if (cluster === null || cluster !== (await admin.clusterId())) return false;
  if (partitions.length !== targets.length) return false;
  return partitions.every(({ topic, partition, count, watermark }) => {
    const target = targets.find((t) => t.topic === topic && t.partition === partition && t.count === count);
    if (target?.committed === undefined || target.metadata?.n !== count) return false;
    return watermark.offset <= target.committed && watermark.offset >= Math.max(target.start, target.metadata.b);
  });
}

/** Each stream with its topic where that is among the targets, else with the first. Without a partitioner: where it was. Of two states of one stream in one
 *  partition (ticks came before the states were moved) the one with the longer past stays. */
function grouped(
  streams: readonly FileStream[],
  targets: readonly Target[],
  partitionOf: Partitioner | undefined,
): Map<Target, FileStream[]> {
  const places = new Map(targets.map((target) => [`${target.topic}/${target.partition}`, target]));
  const counts = new Map(targets.map(({ topic, count }) => [topic, count]));
  const byTarget = new Map(targets.map((target) => [target, new Map<string, FileStream>()]));
  for (const stream of streams) {
    const topic = counts.has(stream.topic) ? stream.topic : targets[0].topic;
    const partition = partitionOf?.(stream.stream, counts.get(topic)!) ?? stream.partition;
    const here = byTarget.get(places.get(`${topic}/${partition}`)!)!;
    const other = here.get(stream.stream);
    if (other === undefined || stateTicks(other.state) < stateTicks(stream.state)) here.set(stream.stream, stream);
  }
  return new Map([...byTarget].map(([target, here]) => [target, [...here.values()]]));
}

/** Streams of another past go on from where the partition stands. */
async function bringIn(
  places: TransferPlaces,
  pipeline: PipelineConfig,
  target: Target,
  streams: readonly FileStream[],
  model: string | null,
  fresh: 'start' | 'end' = places.config.from === 'earliest' ? 'start' : 'end',
): Promise<void> {
  const { config, admin, redis } = places;
  const { topic, partition, count, metadata } = target;
  const offset = target.committed ?? target[fresh];
  const watermark = { offset, model, layout: layoutId(pipeline.inputs) };
  await replaceStates(places, pipeline, target, streams, watermark, offset);
  await markBrought(redis, { app: config.app, topic, partition }, offset);
  const { t, ts, crc, m } = metadata ?? { t: `${config.app}-command` };
  const last = { ...(ts !== undefined && { ts }), ...(crc !== undefined && { crc }), ...(m !== undefined && { m }) };
  await admin.setOffsets(config.app, [{ topic, partition, offset, metadata: { t, b: offset, n: count, ...last } }]);
}

async function replaceStates(
  { config, admin, redis }: TransferPlaces,
  pipeline: PipelineConfig,
  { topic, partition }: Target,
  streams: readonly FileStream[],
  watermark: Watermark,
  movedTo?: number,
): Promise<void> {
  await dropPartition(redis, { app: config.app, topic, partition });
  await admin.forgetCheckpoints(config.checkpointTopic, { topic, partition });
  const store = openStore(config, redis, pipeline, topic, partition);
  await fillStore(store, watermark, streams, pipeline.inputs.length, movedTo);
}
