import type { FetchedPartition, Isolation } from './fetch-response.js';
import type { ReadRecords } from './read-records.js';
import type { BatchFields, RecordHeaders } from './record-batch-writer.js';

/** Builds one record batch after another; see RecordBatchWriter. */
export interface BatchWriter {
  readonly count: number;
  readonly byteLength: number;
  add(
    key: Uint8Array | null,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array | null,
    valueStart: number,
    valueEnd: number,
    headers?: RecordHeaders,
  ): void;
  clear(): void;
  /** The finished batch; good until the writer is used again. */
  finish(fields: BatchFields): Buffer | Promise<Buffer>;
}

/** Record sets to columns and records to batches: the bytes are the same whichever codec is chosen. */
export interface KafkaCodec {
  readRecords(fetched: FetchedPartition, fetchOffset: number, isolation: Isolation): ReadRecords | Promise<ReadRecords>;
  createWriter(): BatchWriter;
}
