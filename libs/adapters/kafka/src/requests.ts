/** The requests of KIP-447 (and what goes with them) that kafkajs 2.2.4 does not have. Layouts: the protocol guide of Apache Kafka. */
import { WireReader, WireWriter } from './wire.js';
import type { TopicPartitions, WireRequest } from './kafkajs.js';

export interface CommittedOffset {
  readonly topic: string;
  readonly partition: number;
  /** -1: none. */
  readonly offset: number;
  readonly metadata: string;
  readonly errorCode: number;
}

/** OffsetFetch v7. With `requireStable` a partition with an offset pending in an open transaction answers UNSTABLE_OFFSET_COMMIT (88). */
export function offsetFetch(
  groupId: string,
  topics: readonly TopicPartitions<number>[],
  requireStable: boolean,
): WireRequest<{ errorCode: number; offsets: CommittedOffset[] }> {
  const w = new WireWriter().noTags().string(groupId);
  w.array(topics, ({ topic, partitions }) => {
    w.string(topic)
      .array(partitions, (p) => w.int32(p))
      .noTags();
  });
  return {
    apiKey: 9,
    apiVersion: 7,
    apiName: 'OffsetFetch',
    body: w.boolean(requireStable).noTags().done(),
    decode: (payload) => {
      const r = new WireReader(payload);
      r.skipTags();
      r.int32();
      const offsets = r.array(() => {
        const topic = r.string()!;
        const partitions = r.array(() => {
          const partition = r.int32();
          const offset = Number(r.int64());
          r.int32();
          const metadata = r.string() ?? '';
          const errorCode = r.int16();
          r.skipTags();
          return { topic, partition, offset, metadata, errorCode };
        });
        r.skipTags();
        return partitions;
      });
      return { errorCode: r.int16(), offsets: offsets.flat() };
    },
  };
}

export interface OffsetToCommit {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly metadata: string;
}

export interface Producer {
  readonly transactionalId: string;
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** TxnOffsetCommit v3: refused unless member and generation are the group's present ones. Answers the first error code, 0 if there is none. */
export function txnOffsetCommit(
  { transactionalId, producerId, producerEpoch }: Producer,
  group: { readonly groupId: string; readonly memberId: string; readonly generation: number },
  offsets: readonly OffsetToCommit[],
): WireRequest<number> {
  const byTopic = new Map<string, OffsetToCommit[]>();
  for (const offset of offsets) byTopic.set(offset.topic, [...(byTopic.get(offset.topic) ?? []), offset]);
  const w = new WireWriter().noTags().string(transactionalId).string(group.groupId);
  w.int64(producerId).int16(producerEpoch).int32(group.generation).string(group.memberId).string(null);
  w.array([...byTopic], ([topic, parts]) => {
    w.string(topic).array(parts, ({ partition, offset, metadata }) => {
      w.int32(partition).int64(BigInt(offset)).int32(-1).string(metadata).noTags();
    });
    w.noTags();
  });
  return {
    apiKey: 28,
    apiVersion: 3,
    apiName: 'TxnOffsetCommit',
    body: w.noTags().done(),
    decode: (payload) => {
      const r = new WireReader(payload);
      r.skipTags();
      r.int32();
      let first = 0;
      r.array(() => {
        r.string();
        r.array(() => {
          r.int32();
          first ||= r.int16();
          r.skipTags();
        });
        r.skipTags();
      });
      return first;
    },
  };
}

export interface TransactionState {
  readonly errorCode: number;
  /** Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, … */
  readonly state: string;
  readonly partitions: readonly TopicPartitions<number>[];
}

/** DescribeTransactions v0, for one transactional id; to its coordinator. */
export function describeTransaction(transactionalId: string): WireRequest<TransactionState> {
  const w = new WireWriter().noTags();
  w.array([transactionalId], (id) => w.string(id)).noTags();
  return {
    apiKey: 65,
    apiVersion: 0,
    apiName: 'DescribeTransactions',
    body: w.done(),
    decode: (payload) => {
      const r = new WireReader(payload);
      r.skipTags();
      r.int32();
      const [state] = r.array(() => {
        const errorCode = r.int16();
        r.string();
        const name = r.string() ?? '';
        r.int32();
        r.int64();
        r.int64();
        r.int16();
        const partitions = r.array(() => {
          const topic = r.string()!;
          const numbers = r.array(() => r.int32());
          r.skipTags();
          return { topic, partitions: numbers };
        });
        r.skipTags();
        return { errorCode, state: name, partitions };
      });
      return state;
    },
  };
}
