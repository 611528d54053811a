/** What the rest of the house works with, and the checks that need more than one setting. Durations are in ms, sizes in bytes. */
import { resolve } from 'node:path';
import type { Settings } from './settings.js';

type ParsedPipeline = NonNullable<Settings['pipelines']>[number];

/** Fits PipelineSpec of libs/domain. */
export interface PipelineConfig extends Omit<ParsedPipeline, 'topics' | 'retrain'> {
  readonly topics: readonly string[];
  /** How often a challenger is trained; null = never. */
  readonly retrainInterval: number | null;
}

export interface Config extends Omit<
  Settings,
  'ticksTopic' | 'checkpointTopic' | 'demo' | 'hotBytes' | 'kafkaSsl' | 'retrainInterval' | 'pipelines'
> {
  readonly checkpointTopic: string;
  readonly demo: boolean;
  readonly hotBytes: number;
  readonly kafkaSsl: boolean;
  readonly retrainInterval: number | null;
  /** At least one; every topic stands in exactly one of them. */
  readonly pipelines: readonly PipelineConfig[];
}

interface Checked {
  readonly config: Config;
  readonly problems: string[];
  readonly warnings: string[];
}

/** Distributed, states that are not hot are a round trip away, and instances share a node with others. */
const HOT_BYTES = { embedded: 512 * 1024 ** 2, distributed: 160 * 1024 ** 2 };
const RETRAIN_INTERVAL = { embedded: 2 * 60_000, distributed: 15 * 60_000 };

export function checkTogether(
  { ticksTopic, ...settings }: Settings,
  place: (key: string) => string,
  isGiven: (key: string) => boolean,
  file: string,
): Checked {
  const problems: string[] = [];
  const warnings: string[] = [];
  const embedded = settings.mode === 'embedded';
  const retrainInterval =
    settings.retrainInterval === undefined ? RETRAIN_INTERVAL[settings.mode] : settings.retrainInterval;
  const config: Config = {
    ...settings,
    dataDir: resolve(settings.dataDir),
    checkpointTopic: settings.checkpointTopic ?? `${settings.app}-state-changelog`,
    // Who names pipelines of their own has ticks of their own.
    demo: embedded && (settings.demo ?? settings.pipelines === undefined),
    hotBytes: settings.hotBytes ?? HOT_BYTES[settings.mode],
    retrainInterval,
    kafkaSsl: settings.kafkaSsl ?? (settings.kafkaSslCa ?? settings.kafkaSslCert ?? settings.kafkaSslKey) !== undefined,
    ...(settings.kafkaSaslUsername !== undefined && { kafkaSaslMechanism: settings.kafkaSaslMechanism ?? 'PLAIN' }),
    pipelines: (settings.pipelines ?? [defaultPipeline()]).map(({ retrain, ...pipeline }) => ({
      ...pipeline,
      topics: pipeline.topics ?? ticksTopic ?? ['ticks'],
      retrainInterval: retrain === 'on' ? retrainInterval : retrain,
    })),
  };
  checkConnections(config, place, problems, warnings);
  checkPipelines(config, settings.pipelines, file, problems);
  if (isGiven('ticksTopic') && settings.pipelines?.every((pipeline) => pipeline.topics !== undefined)) {
    warnings.push(`${place('ticksTopic')} is not used: every pipeline of ${file} names its topics`);
  }
  if (!embedded && settings.demo === true)
    warnings.push(`${place('demo')} is not used: the demo runs in embedded mode only`);
  return { config, problems, warnings };
}

function checkConnections(
  config: Config,
  place: (key: string) => string,
  problems: string[],
  warnings: string[],
): void {
  const { mode, redisMode } = config;
  if (mode === 'distributed') {
    if (config.kafkaBrokers.length === 0)
      problems.push(`KAFKA_BROKERS is missing: ${place('mode')}=distributed needs it, as host:port`);
    if (config.redisUrl === undefined && config.redisNodes.length === 0) {
      problems.push(`REDIS_URL is missing: ${place('mode')}=distributed needs it (or REDIS_NODES)`);
    }
  }
  if (redisMode !== 'standalone' && config.redisNodes.length === 0) {
    problems.push(`REDIS_NODES is missing: ${place('redisMode')}=${redisMode} needs it, as host:port,host:port`);
  }
  if (redisMode === 'standalone' && config.redisNodes.length > 1) {
    problems.push(`${place('redisNodes')} has several nodes: expected one, or REDIS_MODE=sentinel or cluster`);
  }
  for (const [one, other] of [
    ['kafkaSslCert', 'kafkaSslKey'],
    ['kafkaSslKey', 'kafkaSslCert'],
    ['kafkaSaslUsername', 'kafkaSaslPassword'],
    ['kafkaSaslPassword', 'kafkaSaslUsername'],
    ['kafkaSaslMechanism', 'kafkaSaslUsername'],
  ] as const) {
    if (config[one] !== undefined && config[other] === undefined) {
      problems.push(`${place(one)} is given without ${place(other)}: expected both`);
    }
  }
  const tls = (['kafkaSslCa', 'kafkaSslCert', 'kafkaSslKey'] as const).find((key) => config[key] !== undefined);
  if (tls !== undefined && !config.kafkaSsl)
    problems.push(`${place('kafkaSsl')} is off although ${place(tls)} is given: expected on`);
  if (config.kafkaSaslMechanism === 'PLAIN' && !config.kafkaSsl) {
    warnings.push(`KAFKA_SASL_MECHANISM=PLAIN without KAFKA_SSL sends the password unencrypted`);
  }
  if (config.redisTlsCa !== undefined && config.redisUrl?.startsWith('rediss:') !== true) {
    warnings.push(`${place('redisTlsCa')} is not used: REDIS_URL does not begin with rediss://`);
  }
}

/** A topic read by two pipelines would be predicted twice into one output; one that is also written would feed itself. */
function checkPipelines(config: Config, written: Settings['pipelines'], file: string, problems: string[]): void {
  const users = new Map<string, string>([
    [config.predictionsTopic, 'the predictions'],
    [config.deadLetterTopic, 'the dead letters'],
    [config.checkpointTopic, 'the checkpoints'],
  ]);
  if (users.size < 3)
    problems.push('the topics of predictions, dead letters and checkpoints have to be three different ones');
  const names = new Set<string>();
  for (const [i, { name, topics }] of config.pipelines.entries()) {
    const where = written === undefined ? 'RIVERRUN_TICKS_TOPIC' : `${file}: pipelines[${i}].topics`;
    for (const topic of topics) {
      const user = users.get(topic);
      if (user !== undefined) problems.push(`${where}: ${topic} is already the topic of ${user}`);
      users.set(topic, `pipeline ${name}`);
    }
    if (names.has(name))
      problems.push(`${file}: pipelines[${i}].name: ${name} is already the name of another pipeline`);
    names.add(name);
  }
}

const defaultPipeline = (): ParsedPipeline => ({
  name: 'default',
  topics: undefined,
  fields: {},
  timeUnit: 'ms',
  timeZone: 'UTC',
  inputs: ['value'],
  named: undefined,
  horizon: 1,
  season: 'auto',
  regular: 'auto',
  window: 512,
  level: 0.9,
  blend: true,
  model: { transform: 'auto', gaps: 'auto', loss: 'mae' },
  retrain: 'on',
});
