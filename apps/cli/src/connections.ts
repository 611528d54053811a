/** Connections that commands open: closed when the command is over, or its process would not end. The clients are loaded when one is asked for: every command
 *  starts through here, and they take their time. */
import type { Config } from '#config/config';
import { kafkaConnection, redisConnection } from '#config/connections';
import type { GroupAdmin } from '#adapters/kafka/group-admin';
import type { TopicReader } from '#adapters/kafka/topic-reader';
import type { KafkaPublisher } from '#adapters/kafka/kafka-publisher';
import type { RedisClient } from '#adapters/redis/redis-client';

const open: { close(): Promise<unknown> }[] = [];

export async function openRedis(config: Config): Promise<RedisClient> {
  const redis = await import('#adapters/redis/redis-client');
  const client = await redis.connectRedis(redisConnection(config));
  open.push(client);
  return client;
}

export async function openTopicReader(config: Config): Promise<TopicReader> {
  const kafka = await import('#adapters/kafka/topic-reader');
  const reader = await kafka.TopicReader.connect(kafkaConnection(config));
  open.push(reader);
  return reader;
}

export async function openPublisher(config: Config, topic: string): Promise<KafkaPublisher> {
  const kafka = await import('#adapters/kafka/kafka-publisher');
  const publisher = await kafka.KafkaPublisher.connect(kafkaConnection(config), topic);
  open.push(publisher);
  return publisher;
}

/** Everything a command on an app in distributed mode needs. */
export async function openServers(
  config: Config,
): Promise<{ config: Config; kafka: TopicReader; admin: GroupAdmin; redis: RedisClient }> {
  const kafka = await openTopicReader(config);
  const { GroupAdmin } = await import('#adapters/kafka/group-admin');
  return { config, kafka, admin: new GroupAdmin(kafka, kafkaConnection(config)), redis: await openRedis(config) };
}

export async function closeConnections(): Promise<void> {
  await Promise.allSettled(open.splice(0).map((connection) => connection.close()));
}
