/** Nest composes and serves; the tick's path runs beside it, in PipelineService. */
import { Module, type DynamicModule } from '@nestjs/common';
import type { Registry } from 'prom-client';
import type { Config } from '#config/config';
import type { ModelRegistry } from '#domain/ports';
import type { Health } from './health.js';
import { AdminGuard } from './http/admin.guard.js';
import { EventsController } from './http/events.controller.js';
import { ModelsController } from './http/models.controller.js';
import { OperationsController } from './http/operations.controller.js';
import { StreamsController } from './http/streams.controller.js';
import { TicksController } from './http/ticks.controller.js';
import type { LiveFeed } from './live-feed.js';
import type { Services } from './services.js';
import { CONFIG, HEALTH, LIVE_FEED, PROMETHEUS, REGISTRY, SERVICES, TRAINER } from './tokens.js';
import type { TrainerScheduler } from './trainer-scheduler.js';

export interface AppParts {
  readonly config: Config;
  readonly services: Services;
  readonly registry: ModelRegistry;
  readonly feed: LiveFeed;
  readonly health: Health;
  readonly prometheus: Registry;
  readonly trainer: TrainerScheduler;
}

const OPERATIONS = [ModelsController, OperationsController];
/** What only makes sense where ticks are taken. */
const SERVING = [TicksController, StreamsController, EventsController];

@Module({})
export class AppModule {
  static with(parts: AppParts): DynamicModule {
    return {
      module: AppModule,
      controllers: parts.config.role === 'trainer' ? OPERATIONS : [...SERVING, ...OPERATIONS],
      providers: [
        AdminGuard,
        { provide: CONFIG, useValue: parts.config },
        { provide: SERVICES, useValue: parts.services },
        { provide: REGISTRY, useValue: parts.registry },
        { provide: LIVE_FEED, useValue: parts.feed },
        { provide: HEALTH, useValue: parts.health },
        { provide: PROMETHEUS, useValue: parts.prometheus },
        { provide: TRAINER, useValue: parts.trainer },
      ],
    };
  }
}
