/** The settings a command runs under: the same as the service's. */
import type { Config } from '#config/config';
import { loadConfig } from '#config/load-config';
import { UsageError } from './exit-codes.js';
import { note } from './output.js';

export function settings(): Config {
  const { config, warnings } = loadConfig();
  for (const warning of warnings) note(`warning: ${warning}`);
  return config;
}

/** Where the service of these settings answers. */
export function serviceUrl({ host, port }: Config): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/** The pipeline of that name, or the first. */
export function pipelineOf(config: Config, name: string | undefined): Config['pipelines'][number] {
  const pipeline = name === undefined ? config.pipelines[0] : config.pipelines.find((p) => p.name === name);
  if (pipeline === undefined)
    throw new UsageError(
      `there is no pipeline ${JSON.stringify(name)}; there is ${config.pipelines.map((p) => p.name).join(', ')}`,
    );
  return pipeline;
}

/** UsageError in embedded mode. */
export function mustBeDistributed({ mode }: Config, command: string): void {
  if (mode === 'embedded')
    throw new UsageError(`${command} works on Kafka and Redis: set RIVERRUN_MODE=distributed and their addresses`);
}

/** UsageError unless it is an input topic; all of them are meant without a name. */
export function inputTopic(config: Config, topic: string | undefined): void {
  const topics = config.pipelines.flatMap((pipeline) => pipeline.topics);
  if (topic !== undefined && !topics.includes(topic))
    throw new UsageError(`${topic} is no input topic; there is ${topics.join(', ')}`);
}
