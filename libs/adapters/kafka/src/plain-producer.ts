/** At-least-once: outcomes are written and acknowledged, then the states move, then the offset is committed. After a crash outcomes may repeat. */
import { errorMessage } from '#domain/errors';
import type { Logger } from '#domain/ports';
import { partitionKey } from './assign-partitions.js';
import { revoked, type CommitRequest } from './committer.js';
import type { Assignment } from './group-member.js';
import type { Cluster } from './kafkajs.js';
import type { OutcomeSink } from './kafka-tick-log.js';
import { produceTo, type ProducedPartition } from './transactional-producer.js';

const NO_PRODUCER = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false };
const COMMIT_MS = 200;

export class PlainProducer implements OutcomeSink {
  private readonly offsets = new Map<string, CommitRequest>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly cluster: Cluster,
    private readonly groupId: string,
    /** Names the instance in the offsets' metadata, as a transactional id does. */
    readonly transactionalId: string,
    private readonly assignment: () => Assignment | undefined,
    private readonly logger: Logger,
  ) {}

  ready(): Promise<void> {
    return Promise.resolve();
  }

  async commit({ records, source }: CommitRequest): Promise<void> {
    const assignment = this.assignment();
    if (assignment?.partitions.some((p) => partitionKey(p) === partitionKey(source)) !== true) throw revoked(source);
    await Promise.all(records.map((part) => this.produce(part)));
  }

  absorbed(request: CommitRequest): void {
    this.offsets.set(partitionKey(request.source), request);
    this.timer ??= setTimeout(() => void this.flush(), COMMIT_MS);
  }

  /** Commits the offsets known so far; a failure is no loss, the next one commits more. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const assignment = this.assignment();
    const owned = new Set(assignment?.partitions.map(partitionKey));
    const requests = [...this.offsets.values()].filter(({ source }) => owned.has(partitionKey(source)));
    this.offsets.clear();
    if (assignment === undefined || requests.length === 0) return;
    try {
      const { groupId } = this;
      const coordinator = await this.cluster.findGroupCoordinator({ groupId });
      await coordinator.offsetCommit({
        groupId,
        groupGenerationId: assignment.generation,
        memberId: assignment.memberId,
        topics: requests.map(({ source, offset }) => ({
          topic: source.topic,
          partitions: [{ partition: source.partition, offset: String(offset.offset), metadata: offset.metadata }],
        })),
      });
    } catch (error) {
      this.logger.debug('committing offsets failed', { error: errorMessage(error) });
    }
  }

  private async produce({ topic, partition, writers }: ProducedPartition): Promise<void> {
    for (const writer of writers) {
      const leader = this.cluster.findTopicPartitionMetadata(topic).find((p) => p.partitionId === partition)?.leader;
      const broker = await this.cluster.findBroker({ nodeId: leader ?? -1 });
      const records = await writer.finish({ ...NO_PRODUCER, timestamp: Date.now() });
      await produceTo(broker, null, [{ topic, partition, records }]);
    }
  }
}
