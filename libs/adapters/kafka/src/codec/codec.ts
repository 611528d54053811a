import type { KafkaCodec } from './codec.types.js';
import { readRecords } from './read-records.js';
import { RecordBatchWriter } from './record-batch-writer.js';

export type { BatchWriter, KafkaCodec } from './codec.types.js';
export { stockCodec } from './stock-codec.js';

/** Bytes to columns and back in one pass. */
export const fastCodec: KafkaCodec = { readRecords, createWriter: () => new RecordBatchWriter() };
