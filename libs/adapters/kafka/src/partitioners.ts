/** Which partition a producer sends a key to. It is the producers' business; these are the usual ways. */
import { crc32 } from 'node:zlib';
import { kafkajs } from './kafkajs.js';

export type Partitioner = (key: string, partitions: number) => number;

/** Java clients' default, and that of kafkajs 2. */
export const murmur2: Partitioner = (key, partitions) =>
  kafkajs.Partitioners.DefaultPartitioner()({
    topic: '',
    partitionMetadata: Array.from({ length: partitions }, (_, partitionId) => ({
      partitionErrorCode: 0,
      partitionId,
      leader: 0,
      replicas: [],
      isr: [],
    })),
    message: { key, value: null },
  });

/** librdkafka's `consistent`: CRC-32 of the key. */
export const consistent: Partitioner = (key, partitions) => crc32(key) % partitions;
