/** Has a service copy what changed to the log's checkpoints now and then, and soon after it met another model: a restored store needs its weights. */
import { errorMessage } from '#domain/errors';
import type { Logger } from '#domain/ports';
import type { PipelineService } from './pipeline-service.js';

const LOOK_MS = 1000;

/** Returns how to stop it. */
export function keepCheckpoints(service: PipelineService, everyMs: number, logger: Logger): () => void {
  // Partitions taken over together need not copy everything together.
  let due = performance.now() + everyMs * (0.5 + Math.random() / 2);
  let model: string | undefined;
  let busy = false;
  const timer = setInterval(() => {
    const now = service.pipeline.label ?? undefined;
    if (busy || service.problem !== undefined || (performance.now() < due && now === model)) return;
    busy = true;
    service.pipeline
      .checkpoint()
      .then(
        () => {
          model = now;
          due = performance.now() + everyMs;
        },
        // The next round does what this one did not.
        (error: unknown) => {
          logger.debug('a checkpoint failed', { pipeline: service.label, error: errorMessage(error) });
          service.recoverFrom(error);
        },
      )
      .finally(() => (busy = false));
  }, LOOK_MS);
  return () => clearInterval(timer);
}
