/** As much of Kafka's wire protocol as a proxy needs: frames, and the header of requests. */

/** Keys of the requests that tests name. */
export const Api = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetCommit: 8,
  OffsetFetch: 9,
  FindCoordinator: 10,
  JoinGroup: 11,
  Heartbeat: 12,
  LeaveGroup: 13,
  SyncGroup: 14,
  ApiVersions: 18,
  CreateTopics: 19,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28,
} as const;

export interface KafkaRequest {
  readonly api: number;
  readonly version: number;
  readonly correlationId: number;
  readonly clientId: string | null;
  /** What follows the client id. Names in it are plain UTF-8: `body.includes(transactionalId)`. */
  readonly body: Buffer;
}

/** `frame` with its four bytes of length. */
export function parseRequest(frame: Buffer): KafkaRequest {
  const length = frame.readInt16BE(12);
  const body = 14 + Math.max(length, 0);
  return {
    api: frame.readInt16BE(4),
    version: frame.readInt16BE(6),
    correlationId: frame.readInt32BE(8),
    clientId: length < 0 ? null : frame.toString('utf8', 14, body),
    body: frame.subarray(body),
  };
}

export const correlationIdOfResponse = (frame: Buffer): number => frame.readInt32BE(4);

/** Cuts a stream of bytes into frames, each with its four bytes of length. */
export class FrameSplitter {
  private rest: Buffer = Buffer.alloc(0);

  push(data: Buffer): Buffer[] {
    this.rest = this.rest.length === 0 ? data : Buffer.concat([this.rest, data]);
    const frames: Buffer[] = [];
    while (this.rest.length >= 4) {
      const end = 4 + this.rest.readInt32BE(0);
      if (this.rest.length < end) break;
      frames.push(this.rest.subarray(0, end));
      this.rest = this.rest.subarray(end);
    }
    return frames;
  }
}
