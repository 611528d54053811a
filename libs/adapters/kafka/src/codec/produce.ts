import { HEADROOM } from '../frame-request.js';
import { ProtocolReader, ProtocolWriter } from './protocol-bytes.js';

export interface ProduceRequest {
  readonly transactionalId: string | null;
  /** -1: all in-sync replicas. */
  readonly acks: number;
  readonly timeoutMs: number;
  readonly partitions: readonly {
    readonly topic: string;
    readonly partition: number;
    /** One finished record batch. */
    readonly records: Buffer;
  }[];
}

export interface ProducedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  /** Offset of the batch's first record; -1 on an error. */
  readonly baseOffset: number;
}

/** Body of a Produce v7 request, with HEADROOM free bytes before it. */
export function encodeProduceRequest(request: ProduceRequest): Buffer {
  const topics = new Map<string, ProduceRequest['partitions'][number][]>();
  let size = 64;
  for (const entry of request.partitions) {
    const entries = topics.get(entry.topic);
    if (entries === undefined) topics.set(entry.topic, [entry]);
    else entries.push(entry);
    size += entry.records.length + 3 * entry.topic.length + 16;
  }
  const writer = new ProtocolWriter(size, HEADROOM)
    .string(request.transactionalId)
    .int16(request.acks)
    .int32(request.timeoutMs);
  return writer
    .array([...topics], ([topic, entries]) => {
      writer.string(topic).array(entries, ({ partition, records }) => {
        writer.int32(partition).blob(records);
      });
    })
    .finish();
}

/** Body of a Produce v7 response. RiverrunError KAFKA_RESPONSE if it is cut off. */
export function decodeProduceResponse(payload: Buffer): ProducedPartition[] {
  const reader = new ProtocolReader(payload, 'Produce');
  const topics = reader.array(() => {
    const topic = reader.string();
    return reader.array(() => {
      const partition = reader.int32();
      const errorCode = reader.int16();
      const baseOffset = reader.int64();
      reader.int64(); // log append time
      reader.int64(); // log start offset
      return { topic, partition, errorCode, baseOffset };
    });
  });
  return topics.flat();
}
