/** Connections that commands open: closed when the command is over, or its process would not end. */
import type { Config } from '#config/config';
import { kafkaConnection, redisConnection } from '#config/connections';
import { GroupAdmin } from '#adapters/kafka/group-admin';
import { TopicReader } from '#adapters/kafka/topic-reader';
import type { KafkaPublisher } from '#adapters/kafka/kafka-publisher';
import { connectRedis, type RedisClient } from '#adapters/redis/redis-client';

const open: { close(): Promise<unknown> }[] = [];

export async function openRedis(config: Config): Promise<RedisClient> {
  const client = await connectRedis(redisConnection(config));
  open.push(client);
  return client;
}

export async function openTopicReader(config: Config): Promise<TopicReader> {
  const reader = await TopicReader.connect(kafkaConnection(config));
  open.push(reader);
  return reader;
}

export async function openPublisher(config: Config, topic: string): Promise<KafkaPublisher> {
  // Only when asked for: every command starts through here, and kafkajs takes its time.
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
  return { config, kafka, admin: new GroupAdmin(kafka, kafkaConnection(config)), redis: await openRedis(config) };
}

export async function closeConnections(): Promise<void> {
  await Promise.allSettled(open.splice(0).map((connection) => connection.close()));
}
