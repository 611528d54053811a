/** From settings to what clients of Kafka and Redis need: plain values, as the adapters take them. */
import type { Config } from './config.js';

export interface KafkaSettings {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl: boolean;
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly sasl:
    | {
        readonly mechanism: NonNullable<Config['kafkaSaslMechanism']>;
        readonly username: string;
        readonly password: string;
      }
    | undefined;
}

export function kafkaConnection(config: Config): KafkaSettings {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername, kafkaSaslPassword } = config;
  return {
    brokers: config.kafkaBrokers,
    clientId: config.app,
    ssl: config.kafkaSsl,
    ca: config.kafkaSslCa,
    cert: config.kafkaSslCert,
    key: config.kafkaSslKey,
    // The settings' own check has seen to it that all three are there, or none.
    sasl: mechanism && { mechanism, username: kafkaSaslUsername!, password: kafkaSaslPassword! },
  };
}

export interface RedisSettings {
  readonly url: string | undefined;
  readonly tlsCa: string | undefined;
  readonly mode: Config['redisMode'];
  readonly nodes: readonly string[];
}

export const redisConnection = (config: Config): RedisSettings => ({
  url: config.redisUrl,
  tlsCa: config.redisTlsCa,
  mode: config.redisMode,
  nodes: config.redisNodes,
});

export interface TopicSettings {
  readonly inputs: readonly string[];
  readonly predictions: string;
  readonly deadLetters: string;
  readonly checkpoints: string;
}

export const topicNames = (config: Config): TopicSettings => ({
  inputs: config.pipelines.flatMap(({ topics }) => topics),
  predictions: config.predictionsTopic,
  deadLetters: config.deadLetterTopic,
  checkpoints: config.checkpointTopic,
});
