import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FileModelRegistry } from '#adapters/files/file-model-registry';
import { connectRedis } from '#adapters/redis/redis-client';
import { RedisModelRegistry } from '#adapters/redis/redis-model-registry';
import { DEFAULT_MODEL, loadDefaultModel } from '#default-model/default-model';
import { DEFAULT_PIPELINE, type PipelineSpec } from '#domain/pipeline-spec';
import { RiverrunError } from '#domain/errors';
import type { ModelRegistry } from '#domain/ports';
import { train } from '#training/train';
import type { TrainRequest } from '#training/train.types';
import { gruSpec, modelOf, randomWeights } from '../../../test/support/models.js';
import { TestPipeline } from '../../../test/support/pipelines.js';
import { describeWithServers, redisUrl } from '../../../test/support/servers/use.js';
import { uniqueName } from '../../../test/support/servers/unique-name.js';
import { ModelCache } from './model-cache.js';
import { PipelineService } from './pipeline-service.js';
import { standInFrom } from './stand-in.js';
import { trainChallenger } from './train-challenger.js';
import { LiveTrainingSource } from './training-source.js';

const quiet = (): void => undefined;
const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const { digest } = (await loadDefaultModel()).manifest;

let folder: string;
let registry: FileModelRegistry;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'riverrun-stand-in-'));
  registry = new FileModelRegistry(folder);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const adopt = vi.fn(() => Promise.resolve());
const serviceOf = (test: TestPipeline, on = true): PipelineService => {
  const models = {
    aliases: (pipeline: string) => registry.aliases(pipeline),
    load: (model: Parameters<ModelRegistry['load']>[0]) => registry.load(model),
    standIn: standInFrom(registry, on, logger),
    adopt,
  };
  return new PipelineService(test.pipeline, test.log, models, logger, () => Promise.resolve(), test.log);
};
const imported = { ...modelOf(gruSpec(4), 1).manifest, name: 'tide' };
const weights = randomWeights(gruSpec(4), 1);
const wave = (from: number, count: number): { stream: string; ts: number; value: number }[] =>
  Array.from({ length: count }, (_, i) => ({ stream: 'a', ts: 1000 * (from + i), value: Math.sin((from + i) / 3) }));

describe('a pipeline without a champion', () => {
  it('is served by the model that ships, which nobody has made champion', async () => {
    const test = await new TestPipeline().open();
    const service = serviceOf(test);
    await service.followRegistry();
    await service.followRegistry();
    expect(test.pipeline.model?.manifest.digest).toBe(digest);
    expect(await registry.aliases('default')).toEqual({ champion: undefined, previous: undefined });
    expect((await registry.list()).map((m) => m.digest)).toEqual([digest]);
    expect(adopt).not.toHaveBeenCalled();
    const [first, second] = await test.feed(...wave(1, 2));
    // One value says no more than itself; two have a scale.
    expect(first.json).toMatchObject({ source: 'baseline', model: 'default-prior@1' });
    expect(second.json).toMatchObject({ source: 'blend', model: 'default-prior@1' });
    expect(first.json).not.toHaveProperty('lower');
    expect(second.json).toHaveProperty('lower');
  });

  it('goes on after a crash as if there had been none', async () => {
    const [test, other] = [await new TestPipeline().open(), await new TestPipeline().open()];
    for (const each of [test, other]) await serviceOf(each).followRegistry();
    test.models.set(digest, await registry.load(DEFAULT_MODEL));
    await test.feed(...wave(1, 40));
    await other.feed(...wave(1, 40));
    await test.open();
    const service = serviceOf(test, false);
    await service.followRegistry();
    expect(service.standIn?.manifest.digest).toBe(digest);
    expect(await test.feed(...wave(41, 40))).toEqual(await other.feed(...wave(41, 40)));
    expect(adopt).not.toHaveBeenCalled();
  });

  it('gives way to the first champion, and never comes back', async () => {
    const test = await new TestPipeline().open();
    const service = serviceOf(test);
    await service.followRegistry();
    expect(await new LiveTrainingSource(service).served()).toBeUndefined();
    await registry.activate('default', await registry.publish(imported, weights), null);
    await service.followRegistry();
    expect(test.pipeline.model?.label).toBe('tide@1');
    expect(service.standIn).toBeUndefined();
    expect((await new LiveTrainingSource(service).served())?.name).toBe('tide');
  });

  it('is a champion like others once somebody makes it one', async () => {
    const test = await new TestPipeline().open();
    const service = serviceOf(test);
    await service.followRegistry();
    await registry.activate('default', DEFAULT_MODEL);
    await service.followRegistry();
    expect(service.standIn).toBeUndefined();
    expect(await new LiveTrainingSource(service).served()).toMatchObject(DEFAULT_MODEL);
  });
});

it.each<[string, Partial<PipelineSpec>, boolean]>([
  ['it is switched off', {}, false],
  ['several steps are asked for', { horizon: 3 }, true],
  ['a season is given', { season: 24 }, true],
  ['there are several inputs', { inputs: ['temp', 'load'] }, true],
])('begins with the baselines where %s', async (_, changes, on) => {
  const test = await new TestPipeline({ ...DEFAULT_PIPELINE, ...changes }).open();
  await serviceOf(test, on).followRegistry();
  expect(test.pipeline.model).toBeUndefined();
  expect(await registry.list()).toEqual([]);
});

it('is not used at all where there is a champion', async () => {
  await registry.activate('default', await registry.publish(imported, weights), null);
  const test = await new TestPipeline().open();
  await serviceOf(test).followRegistry();
  expect(test.pipeline.model?.label).toBe('tide@1');
  expect((await registry.list()).map(({ name }) => name)).toEqual(['tide']);
});

it('serves what the registry has under its label, and the baselines where that is damaged', async () => {
  const warn = vi.fn();
  const standIn = standInFrom(registry, true, { warn });
  await standIn(DEFAULT_PIPELINE);
  writeFileSync(join(folder, DEFAULT_MODEL.name, '1', 'weights.bin'), new Uint8Array(4));
  expect(await standIn(DEFAULT_PIPELINE)).toBeUndefined();
  expect(await standIn(DEFAULT_PIPELINE)).toBeUndefined();
  expect(warn).toHaveBeenCalledTimes(1);
  const lost = { restore: () => Promise.reject(new RiverrunError('REDIS_UNREACHABLE', 'gone')), load: vi.fn() };
  await expect(standInFrom(lost, true, { warn })(DEFAULT_PIPELINE)).rejects.toThrow('gone');
});

it('is what a first trained model is held against, and not what it goes on from', async () => {
  const test = await new TestPipeline().open();
  const service = serviceOf(test);
  await service.followRegistry();
  await test.feed(...wave(1, 400));
  await test.pipeline.flush();
  const requests: TrainRequest[] = [];
  const parts = {
    registry,
    clock: { now: () => 0 },
    train: async (_: URL, request: TrainRequest) => {
      requests.push(request);
      // Whether it is worth it is train.spec.ts' business.
      return { ...(await train({ ...request, epochs: 1 })), improved: true };
    },
  };
  const source = new LiveTrainingSource(service);
  const { horizon, timeZone, level } = DEFAULT_PIPELINE;
  const plan = { interval: 1, cell: 'gru', hidden: 8, season: 0, ...{ horizon, timeZone, level } } as const;
  const windows = await source.windows({ streams: 1, minRows: 48 }, new AbortController().signal);
  const attempt = { windows, seed: 1, signal: new AbortController().signal, onProgress: quiet };
  const { published, serves } = await trainChallenger(parts, source, plan, attempt);
  expect(requests[0].champion).toBeUndefined();
  expect(requests[0].standIn?.weights).toEqual((await loadDefaultModel()).weights);
  expect({ published, serves }).toEqual({ published: 'default@1', serves: true });
  expect(test.pipeline.model?.label).toBe('default@1');
  expect(await registry.aliases('default')).toMatchObject({ champion: { name: 'default' }, previous: undefined });
});

await describeWithServers(['redis'], 'instances that share Redis', () => {
  it('serve the same model, found by its label and by its digest', async () => {
    const client = await connectRedis({ url: await redisUrl() });
    try {
      const shared = new RedisModelRegistry(client, { app: uniqueName('stand-in') });
      const instances = [1, 2, 3].map(() => new ModelCache(shared, standInFrom(shared, true, logger)));
      const served = await Promise.all(instances.map((cache) => cache.standIn(DEFAULT_PIPELINE)));
      expect(served.map((artifact) => artifact?.manifest.digest)).toEqual([digest, digest, digest]);
      expect((await shared.list()).map((m) => m.digest)).toEqual([digest]);
      expect((await shared.findByDigest(digest)).manifest).toMatchObject(DEFAULT_MODEL);
      expect((await instances[0].byLabel('default-prior@1')).manifest.digest).toBe(digest);
      expect(await shared.aliases('default')).toEqual({ champion: undefined, previous: undefined });
    } finally {
      await client.close();
    }
  });
});
