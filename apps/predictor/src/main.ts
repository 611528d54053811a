/** The predictor: reads the settings, opens the pipelines, serves, and stops in order. */
import { createRequire } from 'node:module';
import { Registry } from 'prom-client';
import { loadConfig } from '#config/load-config';
import { RiverrunError, errorMessage } from '#domain/errors';
import { createJsonLogger } from '#telemetry/json-logger';
import { createMetrics } from '#telemetry/metrics';
import { openEmbedded } from './embedded.js';
import { Health } from './health.js';
import { createServer, listen } from './http/server.js';
import { LiveFeed } from './live-feed.js';
import { observeService } from './observe.js';
import { TrainerScheduler } from './trainer-scheduler.js';

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
  if (config.mode === 'distributed')
    throw new RiverrunError('MODE', 'RIVERRUN_MODE=distributed is not available in this version: leave it at embedded');
  if (config.role === 'trainer')
    throw new RiverrunError(
      'ROLE',
      'RIVERRUN_ROLE=trainer needs the distributed mode: embedded, the predictor trains by itself (RIVERRUN_ROLE=all)',
    );
  const { version } = createRequire(import.meta.url)('../../../../package.json') as { version: string };
  const clock = { now: () => Date.now() };
  const prometheus = new Registry();
  const metrics = createMetrics(prometheus, { version });

  const embedded = await openEmbedded(config, logger);
  const { services, registry, demo } = embedded;
  const scheduler = new TrainerScheduler(registry, logger, clock, (_pipeline, outcome, seconds) =>
    metrics.trainingAttempt(outcome, seconds, clock.now() / 1000),
  );
  for (const [i, service] of services.entries()) {
    observeService(service, metrics, clock);
    const { model, retrainInterval } = config.pipelines[i];
    scheduler.add(service, {
      interval: config.role === 'predictor' ? null : retrainInterval,
      cell: model.cell ?? 'gru',
      hidden: model.hidden ?? 16,
    });
  }
  const feed = new LiveFeed(services, demo?.titles ?? new Map(), (pipeline) => scheduler.status(pipeline), clock);
  const health = new Health(services, (limit) => embedded.deadLetters(limit));
  const app = await createServer({ config, services, registry, feed, health, prometheus }, version, logger);
  const url = await listen(app, config.port, config.host);

  // A champion that cannot be served must not keep the service from serving what it served before.
  const followRegistry = (service: (typeof services)[number]): Promise<void> =>
    service
      .followRegistry()
      .catch((error: unknown) =>
        logger.warn('the champion cannot be served', { pipeline: service.name, error: errorMessage(error) }),
      );
  for (const service of services) {
    await followRegistry(service);
    service.start();
  }
  await demo?.start();
  const follow = setInterval(() => {
    for (const service of services) void followRegistry(service);
  }, FOLLOW_REGISTRY_MS);
  logger.info(`riverrun ${version} is at ${url}`, { dataDir: config.dataDir, kernel: embedded.kernel });

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
    demo?.stop();
    await scheduler.stop();
    for (const service of services) await service.stop();
    feed.stop();
    app.getHttpServer().closeAllConnections();
    await app.close();
    embedded.close();
    logger.info('stopped');
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => void stop(signal));
    process.off(signal, leave);
  }
}

main().catch((error: unknown) => {
  const code = error instanceof RiverrunError ? `${error.code}: ` : '';
  process.stderr.write(`riverrun: ${code}${errorMessage(error)}\n`);
  if (code === '' && error instanceof Error && error.name !== 'ConfigError')
    process.stderr.write(`${error.stack ?? ''}\n`);
  process.exit(error instanceof Error && error.name === 'ConfigError' ? 2 : 1);
});
