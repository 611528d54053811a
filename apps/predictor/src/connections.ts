/** From settings to what the adapters ask for. */
import type { Config } from '#config/config';
import type { Logger } from '#domain/ports';
import type { KafkaPartitionsOptions } from '#adapters/kafka/kafka-partitions';
import type { KafkaConnection } from '#adapters/kafka/kafkajs';
import type { ConnectOptions } from '#adapters/redis/redis-client';
import type { Metrics } from '#telemetry/metrics';

export function kafkaConnection(config: Config): KafkaConnection {
  return {
    brokers: config.kafkaBrokers,
    clientId: config.app,
    ssl: config.kafkaSsl,
    ca: config.kafkaSslCa,
    cert: config.kafkaSslCert,
    key: config.kafkaSslKey,
    sasl:
      config.kafkaSaslMechanism === undefined
        ? undefined
        : {
            mechanism: config.kafkaSaslMechanism,
            username: config.kafkaSaslUsername!,
            password: config.kafkaSaslPassword!,
          },
  };
}

export function kafkaOptions(config: Config, logger: Logger): KafkaPartitionsOptions {
  return {
    connection: kafkaConnection(config),
    app: config.app,
    topics: {
      inputs: config.pipelines.flatMap(({ topics }) => topics),
      predictions: config.predictionsTopic,
      deadLetters: config.deadLetterTopic,
      checkpoints: config.checkpointTopic,
    },
    delivery: config.delivery,
    from: config.from,
    sessionTimeoutMs: config.sessionTimeout,
    codec: config.kafkaCodec,
    logger,
  };
}

export function redisOptions(config: Config, metrics?: Metrics): ConnectOptions {
  return {
    url: config.redisUrl,
    tlsCa: config.redisTlsCa,
    mode: config.redisMode,
    nodes: config.redisNodes,
    ...(metrics !== undefined && { onCommand: (name: string, seconds: number) => metrics.redisCommand(name, seconds) }),
  };
}
