import { Redis } from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import { expect, it } from 'vitest';
import { describeWithServers, kafkaBrokers, redisUrl, uniqueName } from './use.js';

await describeWithServers(['kafka', 'redis'], 'the shared servers', () => {
  it('answer, and are the same at each call', async () => {
    const brokers = await kafkaBrokers();
    const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const topic = uniqueName('shared');
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
    expect(await admin.listTopics()).toContain(topic);
    await admin.deleteTopics({ topics: [topic] });
    await admin.disconnect();
    const redis = new Redis(await redisUrl());
    expect(await redis.ping()).toBe('PONG');
    redis.disconnect();
    expect([await kafkaBrokers(), await redisUrl()]).toEqual([brokers, await redisUrl()]);
  });
});
