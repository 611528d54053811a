import type { TopicPartition } from '#adapters/kafka/assign-partitions';
import type { TopicReader } from '#adapters/kafka/topic-reader';
import type { Config } from '#config/config';
import { OutputSource, type OutputPartition } from './output-source.js';

/** The outcomes of one input partition, from the first that is still there to the last there is now. */
export async function openOutputs(
  kafka: TopicReader,
  { predictionsTopic, deadLetterTopic }: Config,
  source: TopicPartition,
): Promise<OutputSource> {
  const { partition } = source;
  const partitions = await Promise.all(
    [predictionsTopic, deadLetterTopic].map(async (topic): Promise<OutputPartition> => {
      const isDeadLetters = topic === deadLetterTopic;
      const { start, end } = await kafka.edges({ topic, partition });
      return {
        reader: kafka.read({ topic, partition }, start, end, { headers: isDeadLetters }),
        isDeadLetters,
        isCut: start > 0,
      };
    }),
  );
  return new OutputSource(partitions, source);
}
