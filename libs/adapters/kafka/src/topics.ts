/** Makes the topics that are missing, and refuses those that cannot do: an output needs at least the partitions of its input, because an outcome goes to the partition its tick came from. */
import type { Admin, ITopicConfig } from 'kafkajs';
import { RiverrunError } from '#domain/errors';
import type { Logger } from '#domain/ports';
import { kafkaErrorType, kafkajs } from './kafkajs.js';

export interface TopicNames {
  readonly inputs: readonly string[];
  readonly predictions: string;
  readonly deadLetters: string;
  readonly checkpoints: string;
}

/** Partitions of an input topic that is made here. */
const DEFAULT_PARTITIONS = 4;
const DEAD_LETTER_MAX_BYTES = 2 * 1024 ** 2;

export interface PreparedTopics {
  /** max.message.bytes of the dead-letter topic. */
  readonly deadLetterMaxBytes: number;
}

export async function prepareTopics(admin: Admin, names: TopicNames, logger: Logger): Promise<PreparedTopics> {
  const existing = new Set(await admin.listTopics());
  const make = async (topics: ITopicConfig[]): Promise<void> => {
    if (topics.length === 0) return;
    logger.info('making topics', { topics: topics.map((t) => t.topic) });
    try {
      await admin.createTopics({ topics, waitForLeaders: true });
    } catch (error) {
      if (/AUTHORIZATION/.test(kafkaErrorType(error)) || /authoriz/i.test(String(error)))
        throw new RiverrunError(
          'KAFKA_TOPIC',
          `these topics do not exist and this user may not make them: ${topics.map((t) => `${t.topic} (${t.numPartitions} partitions)`).join(', ')}`,
          { cause: error },
        );
      // Another instance was quicker.
      if (!/already exists|TOPIC_ALREADY_EXISTS/i.test(`${kafkaErrorType(error)} ${String(error)}`)) throw error;
    }
  };
  await make(
    names.inputs
      .filter((topic) => !existing.has(topic))
      .map((topic) => ({ topic, numPartitions: DEFAULT_PARTITIONS, replicationFactor: -1 })),
  );
  const counts = await partitionCounts(admin, names.inputs);
  const needed = Math.max(...counts.values());
  const outputs: ITopicConfig[] = [
    { topic: names.predictions },
    {
      topic: names.deadLetters,
      configEntries: [{ name: 'max.message.bytes', value: String(DEAD_LETTER_MAX_BYTES) }],
    },
    // Compaction only: a state that is never written again must not be deleted by age.
    { topic: names.checkpoints, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] },
  ].map((topic) => ({ numPartitions: needed, replicationFactor: -1, ...topic }));
  await make(outputs.filter(({ topic }) => !existing.has(topic)));
  for (const [topic, count] of await partitionCounts(
    admin,
    outputs.map((o) => o.topic),
  ))
    if (count < needed)
      throw new RiverrunError(
        'KAFKA_TOPIC',
        `topic ${topic} has ${count} partitions, but an input topic has ${needed}: give it ${needed} (kafka-topics --alter --topic ${topic} --partitions ${needed})`,
      );
  return { deadLetterMaxBytes: await maxMessageBytes(admin, names.deadLetters) };
}

async function partitionCounts(admin: Admin, topics: readonly string[]): Promise<Map<string, number>> {
  const { topics: metadata } = await admin.fetchTopicMetadata({ topics: [...topics] });
  return new Map(metadata.map(({ name, partitions }) => [name, partitions.length]));
}

/** Without the right to look, the broker's default is assumed. */
async function maxMessageBytes(admin: Admin, topic: string): Promise<number> {
  try {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: ['max.message.bytes'] }],
    });
    const value = Number(resources[0]?.configEntries[0]?.configValue);
    return Number.isFinite(value) && value > 0 ? value : 1_048_588;
  } catch {
    return 1_048_588;
  }
}
