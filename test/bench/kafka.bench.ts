/** npm run bench:kafka: the distributed service on a Kafka and a Redis of its own. Ticks of GRU-32 streams, all of them published first, then read as fast as it goes;
 *  and latency under a steady rate. CPU is the service's, per 100,000 ticks, and as a ratio to the embedded pipeline's in the same run.
 *    node dist/test/bench/kafka.bench.js [streams] [ticks a stream] [partitions]     prints one JSON document */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectRedis } from '#adapters/redis/redis-client';
import { RedisModelRegistry } from '#adapters/redis/redis-model-registry';
import { createTopic, kafkaClient } from '../support/kafka-clients.js';
import { gruSpec, modelOf } from '../support/models.js';
import { startKafka } from '../support/servers/kafka.js';
import { startRedis } from '../support/servers/redis.js';

const [streams = 1000, ticks = 500, partitions = 4] = process.argv.slice(2).map(Number);
const SERVICE = fileURLToPath(new URL('../../apps/predictor/src/main.js', import.meta.url));
const EMBEDDED = fileURLToPath(new URL('pipeline-run.js', import.meta.url));
const FIRST_TS = 1_700_000_000_000;
const RATE = 2000;
const PACED_SECONDS = 20;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const kafka = await startKafka();
const redis = await startRedis();
const client = kafkaClient(kafka.brokers);
const producer = client.producer({ allowAutoTopicCreation: false });
const admin = client.admin();
await Promise.all([producer.connect(), admin.connect()]);

interface App {
  readonly ticks: string;
  readonly predictions: string;
  readonly process: ChildProcess;
}

/** A service of its own names, with a raw GRU-32. */
async function start(name: string): Promise<App> {
  const names = { ticks: `${name}-ticks`, predictions: `${name}-predictions` };
  for (const topic of Object.values(names)) await createTopic(kafka.brokers, topic, partitions);
  const connection = await connectRedis({ url: redis.url });
  const registry = new RedisModelRegistry(connection, { app: name });
  const { manifest, weights } = modelOf(gruSpec(32), 1);
  await registry.activate('default', await registry.publish(manifest, weights));
  await connection.close();
  return {
    ...names,
    process: spawn(process.execPath, [SERVICE], {
      env: {
        PATH: process.env.PATH,
        PORT: '0',
        LOG_LEVEL: 'warn',
        RIVERRUN_MODE: 'distributed',
        RIVERRUN_ROLE: 'predictor',
        RIVERRUN_FROM: 'earliest',
        RIVERRUN_APP: name,
        RIVERRUN_TICKS_TOPIC: names.ticks,
        RIVERRUN_PREDICTIONS_TOPIC: names.predictions,
        RIVERRUN_DEAD_LETTER_TOPIC: `${name}-dlt`,
        RIVERRUN_DATA_DIR: mkdtempSync(join(tmpdir(), 'riverrun-bench-')),
        KAFKA_BROKERS: kafka.brokers.join(','),
        REDIS_URL: redis.url,
      },
      stdio: ['ignore', 'inherit', 'inherit'],
    }),
  };
}

async function stop({ process: child }: App): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

const tick = (i: number): { key: string; value: string; partition: number } => {
  const stream = i % streams;
  const round = Math.floor(i / streams);
  const value = (Math.sin(round / 5 + stream) * 0.9).toFixed(4);
  const key = `s${stream}`;
  const json = `{"stream":"${key}","ts":${FIRST_TS + 1000 * round},"value":${value}}`;
  return { key, value: json, partition: stream % partitions };
};

/** User and system seconds, and resident MB. */
function usage({ process: child }: App): { cpu: number; mb: number } {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return { cpu: (Number(fields[11]) + Number(fields[12])) / 100, mb: (Number(fields[21]) * 4096) / 1e6 };
}

async function written(topic: string): Promise<number> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return offsets.reduce((sum, { high }) => sum + Number(high), 0);
}

async function throughput(): Promise<Record<string, number>> {
  const total = streams * ticks;
  const app = await start('throughput');
  app.process.kill('SIGSTOP');
  for (let from = 0; from < total; from += 5000) {
    const messages = Array.from({ length: Math.min(5000, total - from) }, (_, k) => tick(from + k));
    await producer.send({ topic: app.ticks, messages });
  }
  app.process.kill('SIGCONT');
  let first: { at: number; cpu: number; done: number } | undefined;
  let last = { at: 0, cpu: 0, done: 0 };
  let peak = 0;
  // Transaction markers count as offsets: the last tick is there once nothing has moved for a second.
  while (last.done < total || performance.now() - last.at < 1000) {
    await sleep(20);
    const done = await written(app.predictions);
    const { cpu, mb } = usage(app);
    peak = Math.max(peak, mb);
    if (done > last.done) last = { at: performance.now(), cpu, done };
    if (first === undefined && done > 0) first = last;
  }
  await stop(app);
  const counted = last.done - first!.done;
  return {
    ticksPerSecond: Math.round((counted / (last.at - first!.at)) * 1000),
    cpuSecondsPer100k: ((last.cpu - first!.cpu) / counted) * 1e5,
    peakMb: Math.round(peak),
  };
}

async function latency(): Promise<Record<string, number>> {
  const app = await start('latency');
  const sent = new Map<string, number>();
  const took: number[] = [];
  const consumer = client.consumer({ groupId: 'latency-reader', maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic: app.predictions, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: ({ batch }) => {
      for (const { value } of batch.messages) {
        const { stream, ts } = JSON.parse(value!.toString()) as { stream: string; ts: number };
        took.push(performance.now() - sent.get(`${stream}/${ts}`)!);
      }
      return Promise.resolve();
    },
  });
  await sleep(5000);
  const began = performance.now();
  const total = RATE * PACED_SECONDS;
  for (let i = 0; i < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - began) / 1000) * RATE));
    const messages = Array.from({ length: due - i }, (_, k) => tick(i + k));
    const now = performance.now();
    for (let k = i; k < due; k++) sent.set(`s${k % streams}/${FIRST_TS + 1000 * Math.floor(k / streams)}`, now);
    if (messages.length > 0) await producer.send({ topic: app.ticks, messages });
    i = due;
    await sleep(2);
  }
  for (let waited = 0; took.length < total && waited < 10_000; waited += 100) await sleep(100);
  await consumer.disconnect();
  await stop(app);
  // The first fifth warms up.
  const steady = took.slice(took.length / 5).sort((a, b) => a - b);
  const quantile = (q: number): number => Math.round(steady[Math.floor(steady.length * q)] * 10) / 10;
  return { received: took.length, of: total, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}

const fast = await throughput();
const slow = await latency();
const embedded = JSON.parse(
  execFileSync(process.execPath, [EMBEDDED, String(streams), String(Math.min(ticks, 1000)), '8192'], {
    encoding: 'utf8',
  }),
) as { cpuMicrosPerTick: number };
await Promise.all([producer.disconnect(), admin.disconnect()]);
await Promise.all([kafka.stop(), redis.stop()]);
process.stdout.write(
  `${JSON.stringify(
    {
      streams,
      ticks,
      partitions,
      throughput: { ...fast, timesEmbeddedCpu: fast.cpuSecondsPer100k / (embedded.cpuMicrosPerTick / 10) },
      latency: { rate: RATE, ...slow },
    },
    null,
    2,
  )}\n`,
);
