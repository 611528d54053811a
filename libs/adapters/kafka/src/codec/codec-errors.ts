import { RiverrunError } from '#domain/errors';

/** Where in the log a record set was read, for messages. */
export interface LogPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

const name = ({ topic, partition, offset }: LogPosition): string => `${topic}[${partition}] at offset ${offset}`;

export function recordsCorrupt(at: LogPosition, what: string, cause?: unknown): RiverrunError {
  return new RiverrunError(
    'KAFKA_RECORDS_CORRUPT',
    `${name(at)}: ${what}. If reading it again gives the same, the broker's copy is damaged: ` +
      'look at the segment with kafka-dump-log and restore the partition from a replica',
    { cause },
  );
}

export function compressionUnknown(at: LogPosition, id: number): RiverrunError {
  return new RiverrunError(
    'KAFKA_COMPRESSION',
    `${name(at)}: unknown compression ${id}. Let the producer use gzip, snappy, lz4, zstd or none`,
  );
}

export function formatUnknown(at: LogPosition, magic: number): RiverrunError {
  return new RiverrunError(
    'KAFKA_FORMAT',
    magic < 2
      ? `${name(at)}: message format v${magic}, from before Kafka 0.11. Set the topic's message.format.version ` +
          "(or the broker's log.message.format.version) to 0.11.0 or later and copy the old records into a new topic"
      : `${name(at)}: record batch of magic ${magic}, newer than this version of riverrun reads. Upgrade riverrun`,
  );
}
