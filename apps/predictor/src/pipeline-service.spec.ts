import { expect, it } from 'vitest';
import { recordsOf, TestPipeline } from '../../../test/support/pipelines.js';
import { PipelineService } from './pipeline-service.js';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const quiet = (): void => undefined;
const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };

it('takes ticks again once states can be saved again', async () => {
  const test = await new TestPipeline(undefined, { saveAfterMs: 50 }).open();
  const service = new PipelineService(test.pipeline, test.log, {} as never, logger, () => Promise.resolve());
  service.start();
  const commit = test.states.commit.bind(test.states);
  await service.submit(recordsOf([{ stream: 'a', ts: 1, value: 1 }]));
  await service.submit(recordsOf([{ stream: 'a', ts: 2, value: 1 }]));
  test.states.commit = () => Promise.reject(new Error('disk full'));
  await sleep(300);
  expect(service.problem).toBe('disk full');
  test.states.commit = commit;
  await sleep(300);
  expect(service.problem).toBeUndefined();
  await expect(service.submit(recordsOf([{ stream: 'a', ts: 3, value: 1 }]))).resolves.toHaveLength(1);
  await service.stop();
});

it('stops at once though ticks do not move', async () => {
  const test = await new TestPipeline().open();
  const service = new PipelineService(test.pipeline, test.log, {} as never, logger, () => Promise.resolve());
  service.start();
  test.log.publish = () => Promise.reject(new Error('disk full'));
  await expect(service.submit(recordsOf([{ stream: 'a', ts: 1, value: 1 }]))).rejects.toThrow('disk full');
  await Promise.race([service.stop(), sleep(2500).then(() => Promise.reject(new Error('hangs')))]);
}, 5000);
