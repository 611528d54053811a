import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { consistent, murmur2, type Partitioner } from '#adapters/kafka/partitioners';
import { RiverrunError } from '#domain/errors';
import { UsageError } from '../exit-codes.js';

export interface PartitionerOptions {
  partitioner: 'murmur2' | 'consistent' | 'map';
  map?: string;
}

export const withPartitioner = (command: Command): Command =>
  command
    .addOption(
      new Option(
        '--partitioner <how>',
        "how producers choose a key's partition: murmur2 (Java, kafkajs), consistent (librdkafka), map",
      )
        .choices(['murmur2', 'consistent', 'map'])
        .default('murmur2'),
    )
    .option('--map <file>', 'for --partitioner map: a JSON object, {stream: partition}');

/** UsageError, or RiverrunError PARTITION_MAP where the file does not say where a stream goes. */
export function choosePartitioner({ partitioner, map }: PartitionerOptions): Partitioner {
  if ((partitioner === 'map') !== (map !== undefined))
    throw new UsageError('--partitioner map and --map FILE go together');
  if (map === undefined) return partitioner === 'consistent' ? consistent : murmur2;
  const wrong = (what: string): RiverrunError => new RiverrunError('PARTITION_MAP', `${map}: ${what}`);
  let partitions: unknown;
  try {
    partitions = JSON.parse(readFileSync(map, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) throw wrong('is not JSON');
    throw error;
  }
  if (typeof partitions !== 'object' || partitions === null) throw wrong('is no JSON object');
  const byStream = new Map(Object.entries(partitions));
  return (stream, count) => {
    const partition: unknown = byStream.get(stream);
    if (typeof partition === 'number' && Number.isInteger(partition) && partition >= 0 && partition < count)
      return partition;
    throw wrong(`says nothing of stream ${JSON.stringify(stream)}, or no partition from 0 to ${count - 1}`);
  };
}
