/** The service, predictor and trainer or one of them: reads the settings, opens the pipelines, serves, and stops in order. */
import { createRequire } from 'node:module';
import { Registry } from 'prom-client';
import { loadConfig } from '#config/load-config';
import { RiverrunError, errorMessage } from '#domain/errors';
import { targetCount } from '#domain/pipeline-spec';
import { createJsonLogger } from '#telemetry/json-logger';
import { createMetrics } from '#telemetry/metrics';
import { selectImplementation } from '#rnn/network';
import { trainInProcess } from '#training/train-in-process';
import { openEmbedded } from './embedded.js';
import { Health } from './health.js';
import { createServer, listen } from './http/server.js';
import { LiveFeed } from './live-feed.js';
import { observeService } from './observe.js';
import type { ServiceObserver } from './running.js';
import { TrainerScheduler, type TrainingStatus } from './trainer-scheduler.js';

const STOP_WITHIN_MS = 4500;
const FOLLOW_REGISTRY_MS = 1000;

// Whoever read the log may go away; the ticks must not.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

async function main(): Promise<void> {
  // Until there is something to stop, a stop is just the end.
  const leave = (): never => process.exit(0);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, leave);
  const { config, warnings } = loadConfig();
  const logger = createJsonLogger({ level: config.logLevel, format: process.stdout.isTTY ? 'pretty' : 'json' });
  for (const warning of warnings) logger.warn(warning);
  const distributed = config.mode === 'distributed';
  if (config.role === 'trainer' && !distributed)
    throw new RiverrunError(
      'ROLE',
      'RIVERRUN_ROLE=trainer needs the distributed mode: embedded, the predictor trains by itself (RIVERRUN_ROLE=all)',
    );
  const { version } = createRequire(import.meta.url)('../../../../package.json') as { version: string };
  const clock = { now: () => Date.now() };
  const prometheus = new Registry();
  const metrics = createMetrics(prometheus, { version });

  const observer: ServiceObserver = {
    added: (service, place) => observeService(service, metrics, clock, place),
    removed: (service) => metrics.forget(service.label),
  };
  const running = distributed
    ? // The clients of Kafka and Redis take their time to load: the embedded service has no use for them.
      new (await import('./distributed.js')).Distributed(config, logger, observer, metrics, fail)
    : await openEmbedded(config, logger, observer);
  const { services, registry } = running;
  const { sources, turns } = running.training;
  const scheduler = new TrainerScheduler({
    registry,
    turns,
    logger,
    clock,
    train: trainInProcess,
    onAttempt: (_pipeline, outcome, seconds) => metrics.trainingAttempt(outcome, seconds, clock.now() / 1000),
  });
  for (const source of config.role === 'predictor' ? [] : sources) {
    const pipeline = config.pipelines.find(({ name }) => name === source.pipeline)!;
    const { model, retrainInterval, horizon, season, regular, timeZone, level } = pipeline;
    scheduler.add(source, {
      interval: retrainInterval,
      cell: model.cell ?? 'gru',
      hidden: model.hidden ?? 16,
      transform: model.transform,
      gaps: model.gaps,
      loss: model.loss,
      horizon,
      season,
      regular,
      timeZone,
      level,
      targets: targetCount(pipeline),
    });
  }
  const training = (pipeline: string): TrainingStatus => scheduler.status(pipeline);
  const feed = new LiveFeed(services, running.titles, training, clock, config.pipelines[0].name);
  const health = new Health(
    services,
    (limit) => running.deadLetters(limit),
    () => running.problems(),
  );
  const app = await createServer(
    { config, services, registry, feed, health, prometheus, trainer: scheduler },
    version,
    logger,
  );
  const url = await listen(app, config.port, config.host);

  await running.start();
  const drifts = new Map<string, number>();
  const follow = setInterval(() => {
    for (const service of services.all) if (service.problem === undefined) void service.followChampion();
    for (const { label, name, pipeline } of services.all) {
      if (pipeline.tally.drifts > (drifts.get(label) ?? 0)) scheduler.wake(name, 'drift');
      drifts.set(label, pipeline.tally.drifts);
    }
  }, FOLLOW_REGISTRY_MS);
  logger.info(`riverrun ${version} is at ${url}`, {
    kernel: selectImplementation(),
    role: config.role,
    ...(distributed ? { app: config.app, kafka: config.kafkaBrokers.join(',') } : { dataDir: config.dataDir }),
  });

  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    logger.info('stopping', { signal });
    health.stopping = true;
    setTimeout(() => {
      logger.error(`not stopped within ${STOP_WITHIN_MS} ms: leaving; the log has every accepted tick`);
      process.exit(1);
    }, STOP_WITHIN_MS).unref();
    clearInterval(follow);
    await scheduler.stop();
    await running.stop();
    feed.stop();
    app.getHttpServer().closeAllConnections();
    await app.close();
    logger.info('stopped');
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => void stop(signal));
    process.off(signal, leave);
  }
}

function fail(error: unknown): never {
  const code = error instanceof RiverrunError ? `${error.code}: ` : '';
  process.stderr.write(`riverrun: ${code}${errorMessage(error)}\n`);
  if (code === '' && error instanceof Error && error.name !== 'ConfigError')
    process.stderr.write(`${error.stack ?? ''}\n`);
  process.exit(error instanceof Error && error.name === 'ConfigError' ? 2 : 1);
}

main().catch(fail);
