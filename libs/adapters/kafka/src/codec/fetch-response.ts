import { ProtocolReader, ProtocolWriter } from './protocol-bytes.js';

export type Isolation = 'read_committed' | 'read_uncommitted';

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

export interface FetchedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly abortedTransactions: readonly AbortedTransaction[];
  /** The record set: a view into the response, its last batch perhaps cut off. */
  readonly records: Buffer;
}

export interface FetchResponse {
  readonly errorCode: number;
  /** Under this name kafkajs' connection honours a quota: ms to wait before the next request. */
  readonly clientSideThrottleTime: number;
  readonly partitions: FetchedPartition[];
}

export interface FetchRequest {
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolation: Isolation;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: number;
      readonly maxBytes: number;
    }[];
  }[];
}

/** Body of a Fetch v11 request: a full fetch without a session, so every answer stands alone. */
export function encodeFetchRequest(request: FetchRequest): Buffer {
  const writer = new ProtocolWriter(1024)
    .int32(-1) // replica id: a client
    .int32(request.maxWaitMs)
    .int32(request.minBytes)
    .int32(request.maxBytes)
    .int8(request.isolation === 'read_committed' ? 1 : 0)
    .int32(0) // session id and epoch: none
    .int32(-1);
  writer.array(request.topics, ({ topic, partitions }) => {
    writer.string(topic).array(partitions, ({ partition, fetchOffset, maxBytes }) => {
      writer
        .int32(partition)
        .int32(-1) // leader epoch: unknown
        .int64(fetchOffset)
        .int64(-1) // log start offset: for followers only
        .int32(maxBytes);
    });
  });
  // No forgotten topics, no rack.
  return writer.int32(0).string('').finish();
}

/** Body of a Fetch v11 response. RiverrunError KAFKA_RESPONSE if it is cut off. */
export function decodeFetchResponse(payload: Buffer): FetchResponse {
  const reader = new ProtocolReader(payload, 'Fetch');
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  reader.int32(); // session id
  const partitions = reader.array(() => {
    const topic = reader.string();
    return reader.array(() => readPartition(reader, topic));
  });
  return { errorCode, clientSideThrottleTime, partitions: partitions.flat() };
}

function readPartition(reader: ProtocolReader, topic: string): FetchedPartition {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = reader.int64();
  const lastStableOffset = reader.int64();
  const logStartOffset = reader.int64();
  const abortedTransactions = reader.array(() => ({
    producerId: reader.bigInt64(),
    firstOffset: reader.int64(),
  }));
  reader.int32(); // preferred read replica: only with a rack
  const records = reader.view();
  return {
    topic,
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    logStartOffset,
    abortedTransactions,
    records,
  };
}
