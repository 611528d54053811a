/** What is asked about single partitions: who leads, where the log begins and ends, what lies at an offset, which offsets a group has committed. */
import { RiverrunError } from '#domain/errors';
import type { TopicPartition } from './assign-partitions.js';
import { decodeFetchResponse, encodeFetchRequest, type FetchedPartition } from './codec/fetch-response.js';
import { send, type Broker, type Cluster } from './kafkajs.js';
import { offsetFetch, type CommittedOffset } from './requests.js';
import { codedError } from './transactional-producer.js';

/** For `edgeOf`. */
export const EARLIEST = -2;
export const LATEST = -1;

export async function leaderOf(cluster: Cluster, { topic, partition }: TopicPartition): Promise<Broker> {
  await cluster.addMultipleTargetTopics([topic]);
  const leader = cluster.findTopicPartitionMetadata(topic).find((p) => p.partitionId === partition)?.leader;
  if (leader === undefined) throw new RiverrunError('KAFKA_TOPIC', `topic ${topic} has no partition ${partition}`);
  return cluster.findBroker({ nodeId: leader });
}

/** The first offset or the one behind the last: of committed records (`stable`), or those of open transactions too. */
export async function edgeOf(
  cluster: Cluster,
  { topic, partition }: TopicPartition,
  timestamp: typeof EARLIEST | typeof LATEST,
  { stable = true } = {},
): Promise<number> {
  const leader = await leaderOf(cluster, { topic, partition });
  const partitions = [{ partition, timestamp }];
  const { responses } = await leader.listOffsets({ isolationLevel: stable ? 1 : 0, topics: [{ topic, partitions }] });
  return Number(responses[0].partitions[0].offset);
}

/** Records from `offset` on, as the broker sends them; its error code is the caller's to read. */
export async function fetchAt(
  cluster: Cluster,
  { topic, partition }: TopicPartition,
  offset: number,
  { maxBytes, maxWaitMs }: { readonly maxBytes: number; readonly maxWaitMs: number },
): Promise<FetchedPartition> {
  const { errorCode, partitions } = await send(await leaderOf(cluster, { topic, partition }), {
    apiKey: 1,
    apiVersion: 11,
    apiName: 'Fetch',
    body: encodeFetchRequest({
      maxWaitMs,
      minBytes: 1,
      maxBytes: Math.max(maxBytes, 1 << 20),
      isolation: 'read_committed',
      topics: [{ topic, partitions: [{ partition, fetchOffset: offset, maxBytes }] }],
    }),
    decode: decodeFetchResponse,
  });
  if (errorCode !== 0) throw codedError(`Fetch of ${topic}/${partition}`, errorCode);
  return partitions[0];
}

/** The group's committed offsets; with `stable` those with an offset pending in an open transaction answer with an error code instead. */
export async function committedOffsets(
  cluster: Cluster,
  groupId: string,
  topic: string,
  partitions: readonly number[],
  stable: boolean,
): Promise<CommittedOffset[]> {
  const coordinator = await cluster.findGroupCoordinator({ groupId });
  const { errorCode, offsets } = await send(coordinator, offsetFetch(groupId, [{ topic, partitions }], stable));
  if (errorCode !== 0) throw codedError('OffsetFetch', errorCode);
  return offsets;
}
