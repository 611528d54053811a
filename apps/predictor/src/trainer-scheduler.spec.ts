import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { MemoryModelRegistry } from '#adapters/memory/memory-model-registry';
import { RiverrunError } from '#domain/errors';
import { modelLabel, type ForecastSpec, type ModelManifest } from '#domain/model';
import { forecastFeatures } from '#forecasting/other-inputs';
import type { NetworkSpec } from '#rnn/spec';
import { networkSpec } from '#training/recurrent-network';
import type { TrainResult } from '#training/train.types';
import { modelOf, randomWeights } from '../../../test/support/models.js';
import { modelNameOf } from './train-challenger.js';
import { TrainerScheduler, type SchedulerParts, type TrainingOutcome } from './trainer-scheduler.js';
import { OwnTurns, type TrainingSource, type TrainingTurn } from './training-source.js';

const quiet = (): void => undefined;
const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const plan = {
  interval: 60_000,
  cell: 'gru',
  hidden: 4,
  ...{ horizon: 1, season: 0, timeZone: 'UTC', level: 0.9 },
} as const;
const networkOf = (gaps?: boolean): NetworkSpec => networkSpec('gru', forecastFeatures(1, gaps), 4, 1);
const network = networkOf();
const result = (mae: number, improved = mae < 0.5, more: Partial<ForecastSpec> = {}): TrainResult => ({
  network: networkOf(more.gaps),
  weights: randomWeights(networkOf(more.gaps), 1),
  forecast: { horizon: 1, season: 0, timeZone: 'UTC', ...more },
  record: {
    streams: 1,
    rows: 500,
    epochs: 1,
    seed: 1,
    seconds: 1,
    validation: { rows: 100, mae, persistenceMae: 1 },
  },
  improved,
  stopped: 'epochs',
  backend: 'cpu',
});

class Harness {
  readonly registry = new MemoryModelRegistry();
  readonly outcomes: TrainingOutcome[] = [];
  /** What each attempt trained. */
  readonly seeds: number[] = [];
  readonly train = vi.fn<SchedulerParts['train']>((_, { seed }) => {
    this.seeds.push(seed);
    return Promise.resolve(result(0.4, this.better));
  });
  better = true;
  rows = 500;
  scheduler!: TrainerScheduler;

  readonly source: TrainingSource = {
    pipeline: 'default',
    inputs: 1,
    served: async (): Promise<ModelManifest | undefined> => {
      const { champion } = await this.registry.aliases('default');
      return champion === undefined ? undefined : (await this.registry.load(champion)).manifest;
    },
    windows: () => Promise.resolve([new Float64Array(2 * this.rows)]),
  };

  start(changes: Partial<SchedulerParts> = {}): this {
    this.scheduler = new TrainerScheduler({
      registry: this.registry,
      clock: { now: () => Date.now() },
      turns: new OwnTurns(),
      logger,
      train: this.train,
      onAttempt: (_, outcome) => this.outcomes.push(outcome),
      ...changes,
    });
    this.scheduler.add(this.source, plan);
    return this;
  }

  get status(): string {
    const { state, detail } = this.scheduler.status('default');
    return `${state}: ${detail}`;
  }

  async champion(): Promise<string | undefined> {
    const { champion } = await this.registry.aliases('default');
    return champion && modelLabel(champion);
  }
}

const turn = (changes: Partial<TrainingTurn> = {}): TrainingTurn => ({
  turns: 0,
  sinceLastMs: undefined,
  lost: new AbortController().signal,
  end: () => Promise.resolve(),
  ...changes,
});

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('waits for rows, trains, activates, and goes on ever more slowly up to the plan while nothing comes of it', async () => {
  const harness = new Harness();
  harness.rows = 100;
  harness.start();
  await vi.advanceTimersByTimeAsync(2100);
  expect(harness.status).toBe('waiting: needs 300 more ticks');
  harness.rows = 500;
  await vi.advanceTimersByTimeAsync(2000);
  expect(harness.outcomes).toEqual(['activated']);
  expect(await harness.champion()).toBe('default@1');
  harness.better = false;
  // 20 and 40 seconds, then a minute each.
  await vi.advanceTimersByTimeAsync(20_000 + 40_000 + 60_000 + 60_000 + 1000);
  expect(harness.seeds).toEqual([1, 2, 3, 4, 5]);
  expect(await harness.champion()).toBe('default@1');
  await harness.scheduler.stop();
});

it('puts a later model beside the champion, and gives it time before the next', async () => {
  const harness = new Harness().start();
  await vi.advanceTimersByTimeAsync(2100 + 20_000);
  expect(harness.outcomes).toEqual(['activated', 'challenging']);
  const challenger = async (): Promise<string> => modelLabel((await harness.registry.aliases('default')).challenger!);
  expect([await harness.champion(), await challenger()]).toEqual(['default@1', 'default@2']);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(harness.status).toBe('idle: default@2 runs beside the champion until it is known which is better');
  // A canary ends a trial, and the next challenger waits for its end.
  const [first, second] = [1, 2].map((version) => ({ name: 'default', version }));
  await harness.registry.setCanary('default', { model: second, share: 0.1 }, first);
  await harness.registry.challenge('default', second, first);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(harness.status).toBe('idle: default@2 waits until the canary is over');
  expect(harness.seeds).toEqual([1, 2]);
  await vi.advanceTimersByTimeAsync(40_000);
  expect(harness.seeds).toEqual([1, 2, 3]);
  expect([await harness.champion(), await challenger()]).toEqual(['default@1', 'default@3']);
  await harness.scheduler.stop();
});

it('trains at once when asked, and sooner where errors have grown', async () => {
  const harness = new Harness();
  harness.better = false;
  harness.start();
  await vi.advanceTimersByTimeAsync(2100);
  expect(harness.seeds).toEqual([1]);
  expect(harness.scheduler.wake('default', 'drift')).toBe(true);
  await vi.advanceTimersByTimeAsync(1000);
  // A quarter of the 20 seconds that would pass without it.
  expect(harness.seeds).toEqual([1]);
  await vi.advanceTimersByTimeAsync(4500);
  expect(harness.seeds).toEqual([1]);
  harness.scheduler.wake('default', 'drift');
  await vi.advanceTimersByTimeAsync(10);
  expect(harness.seeds).toEqual([1, 2]);
  harness.scheduler.wake('default', 'asked');
  await vi.advanceTimersByTimeAsync(10);
  expect(harness.seeds).toEqual([1, 2, 3]);
  // Asked in the middle of an attempt: once more after it.
  harness.train.mockImplementationOnce((_, { seed }) => {
    harness.seeds.push(seed);
    harness.scheduler.wake('default', 'asked');
    return Promise.resolve(result(0.4, false));
  });
  harness.scheduler.wake('default', 'asked');
  await vi.advanceTimersByTimeAsync(10);
  expect(harness.seeds).toEqual([1, 2, 3, 4, 5]);
  expect(harness.scheduler.wake('elsewhere', 'asked')).toBe(false);
  await harness.scheduler.stop();
});

it('replaces a champion at once where there is nothing to compare: another season, or a model from outside', async () => {
  const harness = new Harness();
  harness.train.mockImplementation((_, { seed }) =>
    Promise.resolve({ ...result(0.4), forecast: { horizon: 1, season: seed, timeZone: 'UTC' } }),
  );
  harness.start();
  await vi.advanceTimersByTimeAsync(2100 + 20_000);
  expect(harness.outcomes).toEqual(['activated', 'activated']);
  expect(await harness.champion()).toBe('default@2');
  await harness.scheduler.stop();
});

it.each([
  ['transform', 'log'],
  ['gaps', true],
] as const)('replaces a champion of another %s at once, and has one of the same run beside it', async (name, other) => {
  const harness = new Harness();
  harness.train.mockImplementation((_, { seed, champion }) => {
    // Each goes on from the one before it, and is told what that one's numbers mean.
    expect(champion?.[name]).toBe([undefined, undefined, other][seed - 1]);
    const more = seed === 1 ? {} : { [name]: other };
    return Promise.resolve(result(0.4, true, more));
  });
  harness.start();
  await vi.advanceTimersByTimeAsync(2100 + 20_000 + 60_000);
  expect(harness.outcomes).toEqual(['activated', 'activated', 'challenging']);
  expect(await harness.champion()).toBe('default@2');
  await harness.scheduler.stop();
});

it('does not take a challenger that is no better, and never replaces a pinned model', async () => {
  const harness = new Harness();
  harness.train.mockResolvedValue(result(1.2));
  harness.start();
  await vi.advanceTimersByTimeAsync(2100);
  expect(harness.outcomes).toEqual(['rejected']);
  expect(await harness.champion()).toBeUndefined();
  const { manifest, weights } = modelOf(network, 1);
  await harness.registry.activate('default', await harness.registry.publish({ ...manifest, name: 'own' }, weights));
  await vi.advanceTimersByTimeAsync(120_000);
  expect(harness.train).toHaveBeenCalledTimes(1);
  expect(harness.status).toBe('off: own@1 is pinned');
  await harness.scheduler.stop();
});

it('leaves the attempt to whoever has the turn, and does not repeat what was just done', async () => {
  const harness = new Harness();
  const take = vi.fn<SchedulerParts['turns']['take']>(() => Promise.resolve(undefined));
  harness.start({ turns: { take } });
  await vi.advanceTimersByTimeAsync(2100);
  expect(harness.status).toBe('waiting: another trainer is at it');
  const end = vi.fn<TrainingTurn['end']>(() => Promise.resolve());
  // After three attempts the next is due a minute after the last one.
  take.mockImplementation(() => Promise.resolve(turn({ turns: 3, sinceLastMs: 15_000, end })));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(harness.status).toBe('idle: the last training is recent');
  expect(end).toHaveBeenLastCalledWith(false);
  expect(harness.train).not.toHaveBeenCalled();
  take.mockImplementation(() => Promise.resolve(turn({ turns: 3, sinceLastMs: 60_000, end })));
  await vi.advanceTimersByTimeAsync(44_000);
  expect(harness.train).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1000);
  expect(harness.seeds).toEqual([4]);
  expect(end).toHaveBeenLastCalledWith(true);
  await harness.scheduler.stop();
});

it('abandons an attempt whose turn is lost: nothing is published', async () => {
  const harness = new Harness();
  const loss = new AbortController();
  harness.train.mockImplementation((_, _request, { signal } = {}) => {
    loss.abort();
    expect(signal?.aborted).toBe(true);
    return Promise.resolve(result(0.4));
  });
  harness.start({ turns: { take: () => Promise.resolve(turn({ lost: loss.signal })) } });
  await vi.advanceTimersByTimeAsync(2100);
  expect(harness.outcomes).toEqual(['abandoned']);
  expect(harness.status).toBe('waiting: another trainer has taken over');
  expect(await harness.registry.list()).toEqual([]);
  await harness.scheduler.stop();
});

it('does not replace a champion that somebody activated meanwhile', async () => {
  const harness = new Harness();
  harness.train.mockImplementation(async () => {
    const { manifest, weights } = modelOf(network, 1);
    await harness.registry.activate('default', await harness.registry.publish({ ...manifest, name: 'own' }, weights));
    return result(0.4);
  });
  harness.start();
  await vi.advanceTimersByTimeAsync(2100);
  expect(harness.outcomes).toEqual(['abandoned']);
  expect(await harness.champion()).toBe('own@1');
  await harness.scheduler.stop();
});

it('waits while Redis is away, and tells failures apart from that', async () => {
  const harness = new Harness();
  const take = vi.fn<SchedulerParts['turns']['take']>(() =>
    Promise.reject(new RiverrunError('REDIS_UNREACHABLE', 'Redis is away')),
  );
  harness.start({ turns: { take } });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(harness.status).toBe('waiting: Redis is away');
  expect(harness.outcomes).toEqual([]);
  take.mockImplementation(() => Promise.resolve(turn()));
  harness.train.mockRejectedValue(new RiverrunError('TRAINING_FAILED', 'NaN everywhere'));
  await vi.advanceTimersByTimeAsync(2000);
  expect(harness.outcomes).toEqual(['failed']);
  expect(harness.status).toBe('failed: NaN everywhere');
  await harness.scheduler.stop();
});

it('says whose training this is not', () => {
  const { scheduler } = new Harness().start();
  scheduler.add({ ...new Harness().source, pipeline: 'quiet' }, { ...plan, interval: null });
  expect(scheduler.status('quiet')).toMatchObject({ state: 'off', detail: 'training is off' });
  expect(scheduler.status('elsewhere')).toMatchObject({ state: 'off', detail: 'training is not done here' });
});

it('names models after their pipelines as far as names allow', () => {
  expect(['default', 'Plant.A', '_-x', '...'].map(modelNameOf)).toEqual(['default', 'plant.a', 'x', 'model']);
});
