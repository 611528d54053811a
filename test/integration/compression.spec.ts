/** Ticks that other clients compressed, through a broker and the built service. */
import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { decodeFetchResponse } from '#adapters/kafka/codec/fetch-response';
import { KafkaClient } from '#adapters/kafka/kafkajs';
import { produceTo } from '#adapters/kafka/transactional-producer';
import type { Logger } from '#domain/ports';
import type { PlainRecord } from '../contract/records.js';
import { activateModel, deployment, readiness, referenceOf } from '../support/deployment.js';
import { createTopic, readCommitted } from '../support/kafka-clients.js';
import { describeWithServers, kafkaBrokers, redisUrl } from '../support/servers/use.js';
import { Service } from '../support/service.js';

const CAPTURED = ['librdkafka', 'java'].flatMap((client) =>
  ['gzip', 'snappy', 'lz4', 'zstd'].map((compression) => `${client}-${compression}`),
);
const QUIET: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** What each of them holds: see the README beside them. */
const RECORDS = Array.from({ length: 1200 }, (_, i): PlainRecord => {
  const number = ((7919 * i) % 1000) / 1000;
  const ts = 1_700_000_000_000 + 10 * i;
  const value = `{"stream":"s${i % 10}","ts":${ts},"value":${Number.isInteger(number) ? number.toFixed(1) : number}}`;
  return { key: `s${i % 10}`, value: i % 97 === 0 ? null : value, ts: i % 50 === 0 ? ts - 5000 : ts };
});

function batchesOf(name: string): Buffer[] {
  const file = new URL(`../fixtures/kafka/${name}.fetch-v11.base64`, import.meta.url);
  const { records } = decodeFetchResponse(Buffer.from(readFileSync(file, 'utf8'), 'base64')).partitions[0];
  const batches: Buffer[] = [];
  for (let at = 0; at < records.length; at += batches.at(-1)!.length)
    batches.push(Buffer.from(records.subarray(at, at + 12 + records.readInt32BE(at + 8))));
  // As sent: the broker put the offset in.
  for (const batch of batches) batch.writeBigInt64BE(0n);
  return batches;
}

/** The very bytes the other client sent. */
async function produceCaptured(brokers: readonly string[], topics: readonly string[]): Promise<void> {
  const cluster = new KafkaClient({ brokers, clientId: 'test', ssl: false }, QUIET).cluster();
  await cluster.connect();
  try {
    await cluster.addMultipleTargetTopics([...topics]);
    for (const [i, topic] of topics.entries()) {
      const broker = await cluster.findBroker({ nodeId: cluster.findTopicPartitionMetadata(topic)[0].leader });
      for (const records of batchesOf(CAPTURED[i])) await produceTo(broker, null, [{ topic, partition: 0, records }]);
    }
  } finally {
    await cluster.disconnect();
  }
}

await describeWithServers(['kafka', 'redis'], 'compressed ticks', () => {
  let service: Service;
  afterEach(() => service?.end());

  it.each(['fast', 'stock'])(
    'of librdkafka and the Java client are predicted as any others (%s codec)',
    async (codec) => {
      const [brokers, redis] = [await kafkaBrokers(), await redisUrl()];
      const names = deployment(CAPTURED.length);
      const model = await activateModel(redis, names.app);
      for (const topic of names.inputs) await createTopic(brokers, topic);
      await produceCaptured(brokers, names.inputs);
      const env = { KAFKA_BROKERS: brokers.join(), REDIS_URL: redis, KAFKA_CODEC: codec };
      service = await new Service({ ...names.env, ...env }).start();
      await expect.poll(() => readiness(service), { timeout: 30_000 }).toMatch(/^200/);
      const reference = await referenceOf(RECORDS, model, names);
      const good = reference.flatMap(({ json }) => (json === undefined ? [] : [json]));
      const read = await readCommitted(brokers, names.predictions, { until: names.inputs.length * good.length });
      const answers = read.map(({ value }) => JSON.parse(value!.toString()) as Record<string, unknown>);
      for (const topic of names.inputs)
        expect(answers.filter((answer) => answer.topic === topic)).toEqual(good.map((json) => ({ ...json, topic })));
      const letters = await readCommitted(brokers, names.deadLetters);
      const offsets = reference.flatMap(({ code }, i) => (code === undefined ? [] : [`${code} ${i}`]));
      for (const topic of names.inputs)
        expect(
          letters
            .filter(({ headers }) => headers['source-topic'] === topic)
            .map(({ headers }) => `${headers['error-code']} ${headers['source-offset']}`),
        ).toEqual(offsets);
    },
    120_000,
  );
});
