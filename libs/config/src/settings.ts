/** Every setting, once: its name, its kind, its default. The variable's name follows from the key, see `variableOf`. */
import * as z from 'zod';
import { pipelineSchema } from './pipelines.js';
import * as kinds from './values.js';

/** At the end of this line a PEM file's text, or the path of one; load-config.ts reads the path. */
const pem = (): z.ZodType<string> => kinds.verbatim(/-----BEGIN [A-Z ]+-----/, 'PEM text, or the path of a PEM file');
const topic = kinds.topic;

export const settingsShape = {
  mode: kinds.choice('embedded', 'distributed').default('embedded'),
  role: kinds.choice('all', 'predictor', 'trainer').default('all'),
  host: kinds.matching(/^[A-Za-z0-9.:_%-]{1,253}$/, 'a host name or an IP address').default('127.0.0.1'),
  port: kinds.integer(0, 65_535).default(3000),
  logLevel: kinds.choice('debug', 'info', 'warn', 'error').default('info'),
  app: kinds.matching(/^[A-Za-z0-9._-]{1,100}$/, 'a name of letters, digits, . _ -, at most 100').default('riverrun'),
  dataDir: kinds.verbatim(/^[^\0]+$/, 'a directory').default('.riverrun'),
  adminToken: kinds.verbatim(/^[\x21-\x7e]{1,512}$/, '1 to 512 printable characters without spaces').optional(),
  demo: kinds.flag().optional(),

  ticksTopic: kinds.list(topic(), 'topic names (letters, digits, . _ -), comma-separated').optional(),
  predictionsTopic: topic().default('predictions'),
  deadLetterTopic: topic().default('ticks-dlt'),
  checkpointTopic: topic().optional(),
  checkpointInterval: kinds.durationOrOff(1_000).default(60_000),
  delivery: kinds.choice('exactly-once', 'at-least-once').default('exactly-once'),
  from: kinds.choice('earliest', 'latest').default('latest'),
  sessionTimeout: kinds.duration(1_000, 1_800_000).default(6_000),
  // No timer: it may be longer than one can be.
  stateTtl: kinds.durationOrOff(1_000, 3_650 * 86_400_000).default(null),
  maxBatch: kinds.integer(1, 1_000_000).default(4_096),
  maxBatchWait: kinds.duration(0, 60_000).default(10),
  maxRecordBytes: kinds.bytes(1_024, 64 * 1024 ** 2).default(1024 ** 2),
  hotBytes: kinds.bytes(1024 ** 2, 1024 ** 4).optional(),
  retrainInterval: kinds.durationOrOff(1_000).optional(),
  defaultModel: kinds.flag().default(true),

  kafkaBrokers: kinds.list(kinds.hostAndPort(), 'host:port, comma-separated').default([]),
  kafkaSsl: kinds.flag().optional(),
  kafkaSslCa: pem().optional(),
  kafkaSslCert: pem().optional(),
  kafkaSslKey: pem().optional(),
  kafkaSaslMechanism: saslMechanism().optional(),
  kafkaSaslUsername: kinds.verbatim(/^[^\0]{1,1024}$/, 'a user name').optional(),
  kafkaSaslPassword: kinds.verbatim(/^[^\0]{1,1024}$/, 'a password').optional(),

  /** For the fault tests: see CONTRIBUTING.md. */
  failpoint: kinds.matching(/^[a-z-]{1,40}(:[1-9]\d{0,6})?$/, 'the name of a step, or name:count').optional(),

  kafkaCodec: kinds.choice('fast', 'stock').default('fast'),

  redisUrl: redisUrl().optional(),
  redisTlsCa: pem().optional(),
  redisMode: kinds.choice('standalone', 'sentinel', 'cluster').default('standalone'),
  redisNodes: kinds.list(kinds.hostAndPort(), 'host:port, comma-separated').default([]),

  pipelines: z.array(pipelineSchema).min(1, { error: 'expected at least one pipeline' }).max(1_000).optional(),
};

export const settingsSchema = z.object(settingsShape);
export type Settings = z.output<typeof settingsSchema>;
export type Key = Exclude<keyof typeof settingsShape, 'pipelines'>;
export const KEYS = Object.keys(settingsShape).filter((key) => key !== 'pipelines') as Key[];

/** Never printed, never quoted in an error. A Redis URL carries a password. */
export const SECRETS: ReadonlySet<string> = new Set<Key>([
  'adminToken',
  'kafkaSslKey',
  'kafkaSaslPassword',
  'redisUrl',
]);

/** Also taken as `…_FILE` (in YAML `…File`): the path of a file that holds the value. */
export const FROM_FILES: ReadonlySet<string> = new Set<Key>([
  ...(SECRETS as ReadonlySet<Key>),
  'kafkaSslCa',
  'kafkaSslCert',
  'kafkaSaslUsername',
  'redisTlsCa',
]);

/** Where a value that is not PEM text is taken as a path. */
export const PEM_OR_PATH: ReadonlySet<string> = new Set<Key>([
  'kafkaSslCa',
  'kafkaSslCert',
  'kafkaSslKey',
  'redisTlsCa',
]);

/** Paths, durations and sizes, for printing. */
export const DURATIONS: ReadonlySet<string> = new Set<Key>([
  'sessionTimeout',
  'maxBatchWait',
  'checkpointInterval',
  'stateTtl',
  'retrainInterval',
]);
export const SIZES: ReadonlySet<string> = new Set<Key>(['maxRecordBytes', 'hotBytes']);

/** ticksTopic → RIVERRUN_TICKS_TOPIC; kafkaBrokers → KAFKA_BROKERS; port → PORT. */
export function variableOf(key: string): string {
  const name = key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
  return /^(kafka|redis)[A-Z]|^(port|logLevel)$/.test(key) ? name : `RIVERRUN_${name}`;
}

function saslMechanism(): z.ZodType<'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'> {
  return z.unknown().transform((value, context) => {
    if (value === 'PLAIN' || value === 'SCRAM-SHA-256' || value === 'SCRAM-SHA-512') return value;
    const later = value === 'OAUTHBEARER' ? ' (OAUTHBEARER is not supported yet)' : '';
    context.addIssue({ code: 'custom', message: `expected PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512${later}` });
    return z.NEVER;
  });
}

function redisUrl(): z.ZodType<string> {
  return kinds
    .verbatim(/^rediss?:\/\/\S+$/, 'redis://host:port or rediss://host:port')
    .refine(
      (url) => URL.canParse(url) && new URL(url).hostname !== '' && /^(\/\d{0,4})?$/.test(new URL(url).pathname),
      { error: 'expected redis://host:port or rediss://host:port, with user, password and /database where needed' },
    );
}
