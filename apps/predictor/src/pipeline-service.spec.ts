import { expect, it, vi } from 'vitest';
import { RiverrunError } from '#domain/errors';
import { gruSpec, modelOf } from '../../../test/support/models.js';
import { recordsOf, TestPipeline } from '../../../test/support/pipelines.js';
import { PipelineService } from './pipeline-service.js';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const quiet = (): void => undefined;

const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const serviceOf = ({ pipeline, log }: TestPipeline): PipelineService =>
  new PipelineService(pipeline, log, { aliases: none } as never, logger, () => Promise.resolve(), log);
const none = (): Promise<object> => Promise.resolve({});

it('takes ticks again once states can be saved again', async () => {
  const test = await new TestPipeline(undefined, { saveAfterMs: 50 }).open();
  const service = serviceOf(test);
  service.start();
  const commit = test.states.commit.bind(test.states);
  await service.submit(recordsOf([{ stream: 'a', ts: 1, value: 1 }]));
  await service.submit(recordsOf([{ stream: 'a', ts: 2, value: 1 }]));
  test.states.commit = () => Promise.reject(new RiverrunError('DATA_FULL', 'disk full'));
  await sleep(300);
  expect(service.problem).toBe('disk full');
  const refused = (): unknown => service.submit(recordsOf([{ stream: 'a', ts: 3, value: 1 }]));
  expect(refused).toThrow(expect.objectContaining({ code: 'DATA_FULL', message: 'nothing was taken: disk full' }));
  test.states.commit = commit;
  await sleep(300);
  expect(service.problem).toBeUndefined();
  await expect(service.submit(recordsOf([{ stream: 'a', ts: 3, value: 1 }]))).resolves.toHaveLength(1);
  await service.stop();
});

it('stops at once though ticks do not move', async () => {
  const test = await new TestPipeline().open();
  const service = serviceOf(test);
  service.start();
  test.log.publish = () => Promise.reject(new Error('disk full'));
  await expect(service.submit(recordsOf([{ stream: 'a', ts: 1, value: 1 }]))).rejects.toThrow('disk full');
  await Promise.race([service.stop(), sleep(2500).then(() => Promise.reject(new Error('hangs')))]);
}, 5000);

it('goes on with the model it serves while the champion cannot be served, and says so once', async () => {
  const test = await new TestPipeline().open();
  await test.swap(modelOf(gruSpec(4), 1));
  const warn = vi.fn();
  let corrupt = true;
  const models = {
    aliases: () =>
      Promise.resolve({
        champion: { name: 'test', version: 2 },
        previous: undefined,
        challenger: undefined,
        canary: undefined,
      }),
    load: () => {
      if (corrupt) return Promise.reject(new RiverrunError('MODEL_CORRUPT', 'test@2 is damaged'));
      const model = modelOf(gruSpec(4), 2);
      test.models.set(model.manifest.digest, model);
      return Promise.resolve(model);
    },
  };
  const service = new PipelineService(
    test.pipeline,
    test.log,
    models,
    { ...logger, warn },
    () => Promise.resolve(),
    test.log,
  );
  service.start();
  for (let k = 0; k < 3; k++) await service.followChampion();
  expect(service.notice).toBe('test@2 is damaged');
  expect(warn.mock.calls.map(([, fields]) => fields as unknown)).toEqual([
    { pipeline: 'default', serving: 'test@1', code: 'MODEL_CORRUPT', error: 'test@2 is damaged' },
  ]);
  expect(service.problem).toBeUndefined();
  const [answer] = await service.submit(recordsOf([{ stream: 'a', ts: 1, value: 1 }]));
  expect(answer).toMatchObject({ json: expect.stringContaining('"test@1"') as string });
  corrupt = false;
  await service.followChampion();
  expect(service.notice).toBeUndefined();
  expect(test.pipeline.model?.label).toBe('test@2');
  await service.stop();
});

it('tries to recover at once, then less and less often', async () => {
  const test = await new TestPipeline().open();
  const service = serviceOf(test);
  const open = test.log.open.bind(test.log);
  const tried: number[] = [];
  let failures = 4;
  test.log.open = () => {
    tried.push(performance.now());
    return tried.length > failures ? open() : Promise.reject(new Error('no connection'));
  };
  const pauses = (): number[] => tried.slice(1).map((at, i) => at - tried[i]);
  service.start(false);
  await expect.poll(() => tried.length, { timeout: 5000 }).toBe(5);
  // 50, 100, 200 and 400 ms, on a machine that may be slow but never early.
  for (const [i, least] of [45, 95, 195, 395].entries()) expect(pauses()[i]).toBeGreaterThan(least);
  expect(pauses()[0]).toBeLessThan(900);
  await expect.poll(() => service.problem).toBeUndefined();
  tried.length = 0;
  failures = 2;
  const publish = test.log.publish.bind(test.log);
  test.log.publish = () => Promise.reject(new Error('no connection'));
  await expect(service.submit(recordsOf([{ stream: 'a', ts: 1, value: 1 }]))).rejects.toThrow('no connection');
  test.log.publish = publish;
  await expect.poll(() => tried.length, { timeout: 5000 }).toBe(3);
  expect(Math.min(...pauses())).toBeGreaterThan(895);
  await service.stop();
});
