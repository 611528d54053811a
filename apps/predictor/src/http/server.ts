/** The HTTP side: Nest over Express, the page, OpenAPI, raw bodies for ticks. */
import { fileURLToPath } from 'node:url';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import express, { type NextFunction, type Request, type Response } from 'express';
import { RiverrunError } from '#domain/errors';
import type { Logger } from '#domain/ports';
import { AppModule, type AppParts } from '../app.module.js';
import { ProblemFilter } from './problem.filter.js';

/** POST /ticks takes this much at once; more ticks go into more requests. */
const MAX_BODY_BYTES = 64 << 20;
const PUBLIC = fileURLToPath(new URL('../../../dashboard/public/', import.meta.url));
const PAGE_POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'";

export async function createServer(parts: AppParts, version: string, logger: Logger): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.with(parts), {
    bodyParser: false,
    logger: nestLogger(logger),
  });
  app.disable('x-powered-by');
  app.useGlobalFilters(new ProblemFilter(logger));
  app.use((_request: Request, response: Response, next: NextFunction) => {
    response.setHeader('x-content-type-options', 'nosniff');
    next();
  });
  app.use('/ticks', express.raw({ type: () => true, limit: MAX_BODY_BYTES }));
  // A trainer has no streams to show.
  if (parts.config.role !== 'trainer') servePage(app);
  const openapi = new DocumentBuilder()
    .setTitle('riverrun')
    .setDescription('Streaming time-series prediction: publish ticks, read predictions, look at streams and models.')
    .setVersion(version)
    .addBearerAuth()
    .build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, openapi));
  // Answers in flight may end; idle and streaming connections must not hold a stop back.
  app.enableShutdownHooks([]);
  return app;
}

function servePage(app: NestExpressApplication): void {
  app.use(
    express.static(PUBLIC, {
      setHeaders: (response) => {
        response.setHeader('content-security-policy', PAGE_POLICY);
        response.setHeader('cache-control', 'no-cache');
      },
    }),
  );
}

/** RiverrunError LISTEN with what to do about it. */
export async function listen(app: NestExpressApplication, port: number, host: string): Promise<string> {
  try {
    await app.listen(port, host);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EADDRINUSE')
      throw new RiverrunError(
        'LISTEN',
        `port ${port} on ${host} is taken: stop what listens there, or set PORT to another (0 takes any)`,
      );
    if (code === 'EACCES')
      throw new RiverrunError(
        'LISTEN',
        `port ${port} on ${host} is not allowed to this user: set PORT to 1024 or more`,
      );
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new RiverrunError('LISTEN', `RIVERRUN_HOST=${host} is no address of this machine`);
    throw error;
  }
  return app.getUrl();
}

function nestLogger(logger: Logger): {
  log: () => void;
  error: (m: unknown) => void;
  warn: (m: unknown) => void;
  debug: () => void;
  verbose: () => void;
} {
  const quiet = (): void => undefined;
  return {
    log: quiet,
    debug: quiet,
    verbose: quiet,
    // Nest logs a failed listen before it throws; `listen` says it better.
    error: (message) => {
      if (!/listen E[A-Z]+/.test(String(message))) logger.error(String(message));
    },
    warn: (message) => logger.warn(String(message)),
  };
}
