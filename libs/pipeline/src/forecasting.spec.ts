import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TRANSFORMS, type ModelArtifact, type Transform } from '#domain/model';
import { DEFAULT_PIPELINE, type PipelineSpec } from '#domain/pipeline-spec';
import { Forecaster } from '#forecasting/forecaster';
import { forecastFeatures } from '#forecasting/other-inputs';
import { createNetwork } from '#rnn/network';
import type { NetworkSpec } from '#rnn/spec';
import { viewOfState } from './stream-view.js';
import { mustEqualThroughCrashes } from '../../../test/support/crashes.js';
import { gruSpec, modelOf, seeded } from '../../../test/support/models.js';
import { finalStates, mixedTicks, run, TestPipeline, type TickJson } from '../../../test/support/pipelines.js';

const spec = (changes: Partial<PipelineSpec> = {}): PipelineSpec => ({ ...DEFAULT_PIPELINE, ...changes });
const network = (horizon: number, inputs = 1, gaps = false): NetworkSpec => {
  const { layers } = gruSpec(6);
  const readOut = { type: 'dense', units: horizon, activation: 'linear', useBias: true } as const;
  return { inputSize: forecastFeatures(inputs, gaps), layers: [layers[0], readOut] };
};
const forecaster = (
  seed: number,
  horizon: number,
  season: number,
  inputs = 1,
  transform?: Transform,
  gaps = false,
): ModelArtifact =>
  modelOf(network(horizon, inputs, gaps), seed, {
    scaler: 'standard',
    forecast: {
      horizon,
      season,
      timeZone: 'UTC',
      ...(transform !== undefined && { transform }),
      ...(gaps && { gaps }),
    },
    warmUp: inputs > 1 ? 16 : 0,
    origin: 'trained',
    pinned: false,
  });
const PLANS = [
  [1, 0],
  [3, 4],
  [12, 12],
] as const;
interface Step {
  h: number;
  prediction: number;
  lower?: number;
  upper?: number;
  quantiles?: Record<string, number>;
}
interface Forecast extends Step {
  horizon: number;
  targetTs?: number;
  level?: number;
  forecast?: Step[];
  weight?: number;
  anomaly?: number;
  source: string;
}
const forecastIn = (json: unknown): Forecast => json as Forecast;
const wave = (count: number, seed = 1): TickJson[] => {
  const random = seeded(seed);
  return Array.from({ length: count }, (_, t) => ({
    stream: 'a',
    ts: 1000 * t,
    value: 20 + 5 * Math.sin((2 * Math.PI * t) / 12) + random(),
  }));
};

describe('forecasts', () => {
  it('are the same however ticks are cut into batches, and however few streams fit in memory', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(...PLANS),
        fc.constantFrom(...TRANSFORMS),
        async (seed, size, plan, transform) => {
          const [horizon, season] = plan;
          const quantiles = seed % 2 === 0 ? undefined : [0.1, 0.5, 0.9];
          const ticks = mixedTicks(seed, 160, 12);
          const random = seeded(seed);
          const pipelines = [
            await new TestPipeline(spec({ horizon, season, quantiles }), { maxBatch: 1 }).open(),
            await new TestPipeline(spec({ horizon, season, quantiles })).open(),
            await new TestPipeline(spec({ horizon, season, quantiles }), {
              hotStreams: 5,
              maxBatch: 3,
              saveAfterMs: 1e9,
            }).open(),
          ];
          const chunk = (): number => Math.floor(random() * size);
          const runs = [];
          for (const pipeline of pipelines) {
            const before = await run(pipeline, ticks.slice(0, 80), pipeline === pipelines[0] ? () => 30 : chunk);
            await pipeline.swap(forecaster(3, horizon, season, 1, transform, seed % 3 === 0));
            runs.push([...before, ...(await run(pipeline, ticks.slice(80), chunk))]);
          }
          const states = await Promise.all(pipelines.map(finalStates));
          for (const k of [1, 2]) {
            expect(runs[k]).toEqual(runs[0]);
            expect(states[k]).toEqual(states[0]);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('are those of an uninterrupted run after a crash at any write, whatever was swapped', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(fc.nat(60), { maxLength: 4 }),
        fc.constantFrom(...PLANS),
        fc.constantFrom(...TRANSFORMS),
        async (seed, crashes, [horizon, season], transform) => {
          const ticks = mixedTicks(seed, 200);
          const model = forecaster(7, horizon, season, 1, transform, seed % 3 === 0);
          const calm = await new TestPipeline(spec({ horizon, season: 'auto' })).open();
          await calm.swap(model);
          const options = { maxBatch: 16, saveAfterMs: 1e9, saveAfterRecords: 48 };
          const pipeline = await new TestPipeline(spec({ horizon, season: 'auto' }), options).open();
          await pipeline.swap(model);
          await mustEqualThroughCrashes(pipeline, ticks, crashes, calm);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('are what the forecaster says of the bare network', async () => {
    for (const [[horizon, season], transform] of PLANS.flatMap((plan) =>
      TRANSFORMS.map((one) => [plan, one] as const),
    )) {
      const model = forecaster(5, horizon, season, 1, transform);
      const pipeline = await new TestPipeline(spec({ horizon, season })).open();
      await pipeline.swap(model);
      const bare = createNetwork(model.manifest.network, model.weights, { capacity: 1, maxWave: 1 });
      const plan = new Forecaster({ horizon, season, timeZone: 'UTC', level: 0.9, transform });
      const state = new Float64Array(plan.size);
      plan.reset(state);
      for (const tick of wave(150)) {
        const [{ json }] = await pipeline.feed(tick);
        plan.absorb(state, 0, tick.ts!, tick.value!);
        plan.writeFeatures(state, 0, bare.inputs, 0);
        bare.step(1);
        plan.forecast(state, 0, bare.outputs);
        const said = forecastIn(json);
        const last = plan.plan.mixed[horizon - 1];
        expect(said.prediction).toBeCloseTo(last, 6);
        expect(said).toMatchObject({ horizon, model: 'test@5' });
        expect(said.forecast?.length ?? 1).toBe(horizon);
        said.forecast?.forEach(({ h, prediction }, k) => {
          expect(h).toBe(k + 1);
          expect(prediction).toBeCloseTo(plan.plan.mixed[k], 6);
        });
        const half = plan.halves[horizon - 1];
        if (half === half) expect(said.upper! - said.lower!).toBeCloseTo(2 * half, 5);
        else expect(said.upper).toBeUndefined();
        expect(said.weight ?? 0).toBeCloseTo(plan.networkWeight, 2);
      }
    }
  });

  it('say what they are made of, when they are due, and how far off the last one was', async () => {
    const pipeline = await new TestPipeline(spec({ horizon: 3, season: 12 })).open();
    const outcomes = await run(pipeline, wave(200), () => 50);
    const last = forecastIn(outcomes.at(-1)!.json);
    expect(last).toMatchObject({ horizon: 3, level: 0.9, targetTs: 202_000, model: null, source: 'baseline' });
    expect(last.forecast!.map(({ h }) => h)).toEqual([1, 2, 3]);
    expect(last.forecast![2]).toMatchObject({ prediction: last.prediction, lower: last.lower, upper: last.upper });
    expect(last.lower).toBeLessThan(last.prediction);
    expect(last.anomaly).toBeGreaterThanOrEqual(0);
    expect(last.weight).toBeUndefined();
    // Nothing is calibrated at first.
    expect(forecastIn(outcomes[5].json)).not.toHaveProperty('lower');
    const odd = await pipeline.feed({ stream: 'a', ts: 200_000, value: 500 });
    expect(forecastIn(odd[0].json).anomaly).toBeGreaterThan(10);
    await pipeline.swap(forecaster(2, 3, 12));
    const [{ json }] = await pipeline.feed({ stream: 'a', ts: 201_000, value: 20 });
    expect(['blend', 'baseline']).toContain(forecastIn(json).source);
  });

  it('have quantiles where they are asked for, also as people see a stream, alive or stored', async () => {
    const asked = spec({ horizon: 3, season: 12, quantiles: [0.05, 0.5, 0.95] });
    const live = await new TestPipeline(asked, { hotStreams: 2 }).open();
    const outcomes = await run(live, wave(300), () => 50);
    const last = forecastIn(outcomes.at(-1)!.json);
    expect(last.forecast).toHaveLength(3);
    for (const step of [last, ...last.forecast!]) {
      expect(Object.keys(step.quantiles!)).toEqual(['0.05', '0.5', '0.95']);
      const [low, middle, high] = Object.values(step.quantiles!);
      expect(low).toBeLessThan(middle);
      expect(middle).toBeLessThan(high);
    }
    expect(last.forecast![2].quantiles).toEqual(last.quantiles);
    const seen = (await live.pipeline.view('a'))!;
    Object.entries(seen.forecast!.at(-1)!.quantiles!).forEach(([q, x]) => expect(x).toBeCloseTo(last.quantiles![q], 6));
    await live.pipeline.flush();
    const { states } = await live.states.load(['a'], { storedOnly: true });
    expect(viewOfState('a', states[0]!, 1, asked).forecast).toEqual(seen.forecast);
    // By other quantiles: nothing is taken for what it is not, and none is said before an interval is.
    expect(viewOfState('a', states[0]!, 1, { level: 0.9 }).forecast).toBeUndefined();
    const said = outcomes.map(({ json }) => forecastIn(json));
    expect(said.map(({ quantiles }) => quantiles === undefined)).toEqual(said.map(({ lower }) => lower === undefined));
  });

  it('count over all streams what they were worth', async () => {
    const pipeline = await new TestPipeline(spec({ season: 12 })).open();
    await run(pipeline, wave(500), () => 100);
    const { truths, mixed, persistence, intervals, held, networkTruths } = pipeline.pipeline.tally;
    expect(truths).toBeGreaterThan(450);
    expect(mixed).toBeLessThan(persistence);
    expect(held / intervals).toBeGreaterThan(0.85);
    expect(networkTruths).toBe(0);
    const view = await pipeline.pipeline.view('a');
    expect(view!.scores!.skill).toBeGreaterThan(0);
  });
});

describe('a model with another season', () => {
  it('finds each stream’s plan in its window: as if it had been there all along, as far as the window goes', async () => {
    const [live, cold] = [
      await new TestPipeline(spec({ season: 'auto', horizon: 2 })).open(),
      await new TestPipeline(spec({ season: 'auto', horizon: 2 })).open(),
    ];
    const ticks = wave(400);
    await run(live, ticks, () => 50);
    await live.swap(forecaster(5, 2, 7));
    await run(live, wave(430).slice(400), () => 50);
    await live.swap(forecaster(6, 2, 12));
    await run(cold, wave(430), () => 50);
    await cold.swap(forecaster(6, 2, 12));
    const next = { stream: 'a', ts: 430_000, value: 22 };
    const [a, b] = [await live.feed(next), await cold.feed(next)];
    expect(a[0]).toEqual(b[0]);
  });

  it('finds it anew for another transform too, also of streams that were stored under the former one', async () => {
    for (const [from, to, gaps] of [
      ['difference', 'difference', true],
      ['difference', 'log'],
      ['log', 'none'],
      ['none', 'difference'],
    ] as const) {
      const roomy = await new TestPipeline(spec({ season: 12 })).open();
      // Most of six streams are out of memory at any time.
      const tight = await new TestPipeline(spec({ season: 12 }), { hotStreams: 2, maxBatch: 2 }).open();
      const [before, after] = [mixedTicks(3, 300, 6), mixedTicks(3, 400, 6).slice(300)];
      const runs = [];
      for (const pipeline of [roomy, tight]) {
        await pipeline.swap(forecaster(5, 1, 12, 1, from));
        await run(pipeline, before, () => 50);
        await pipeline.swap(forecaster(6, 1, 12, 1, to, gaps));
        if (pipeline === tight) await pipeline.open();
        runs.push(await run(pipeline, after, () => 20));
      }
      expect(runs[1]).toEqual(runs[0]);
      expect(await finalStates(tight)).toEqual(await finalStates(roomy));
      // A state is read for people without its model.
      const ids = ['s0', 's1', 's2'];
      const { states } = await tight.states.load(ids, { storedOnly: true });
      for (const [k, id] of ids.entries()) {
        const { values: _, ...seen } = viewOfState(id, states[k]!, 1, { level: 0.9 });
        expect(seen).toEqual((({ values: __, ...view }) => view)((await tight.pipeline.view(id))!));
        expect(seen.forecast).toHaveLength(1);
      }
    }
  });

  it('keeps what a stream has where the season stays, and warms the network up', async () => {
    const live = await new TestPipeline(spec({ season: 12 })).open();
    await live.swap(forecaster(5, 1, 12));
    await run(live, wave(300), () => 50);
    const before = await live.pipeline.view('a');
    await live.swap(forecaster(6, 1, 12));
    await live.feed({ stream: 'a', ts: 300_000, value: 22 });
    const after = await live.pipeline.view('a');
    expect(after!.scores!.truths).toBeGreaterThan(before!.scores!.truths!);
    expect(after!.ticks).toBe(301);
  });

  it('is refused for another horizon, and for other inputs', async () => {
    const pipeline = await new TestPipeline(spec({ horizon: 2 })).open();
    for (const model of [forecaster(1, 3, 0), forecaster(1, 2, 0, 2)])
      await expect(pipeline.swap(model)).rejects.toMatchObject({ code: 'MODEL_MISMATCH' });
  });
});

describe('a model from outside', () => {
  it('is served raw between two that forecast, and leaves no trace in them but a gap', async () => {
    const pipeline = await new TestPipeline(spec({ season: 12 })).open();
    await run(pipeline, wave(200), () => 50);
    await pipeline.swap(modelOf(gruSpec(4), 3));
    const [raw] = await pipeline.feed({ stream: 'a', ts: 200_000, value: 21 });
    expect(raw.json).toMatchObject({ source: 'model', horizon: 1 });
    expect(raw.json).not.toHaveProperty('lower');
    expect(raw.json).not.toHaveProperty('weight');
    await pipeline.swap(forecaster(6, 1, 12));
    const [again] = await pipeline.feed({ stream: 'a', ts: 201_000, value: 20 });
    expect(again.json).toHaveProperty('lower');
  });
});

describe('several inputs', () => {
  it.each([false, true])('are read by the network, with gaps: %s; the first alone is forecast', async (gaps) => {
    const outcomes = await Promise.all(
      [0, 1].map(async (shift) => {
        const pipeline = await new TestPipeline(spec({ inputs: ['value', 'load'] })).open();
        await pipeline.swap(forecaster(4, 1, 0, 2, undefined, gaps));
        const random = seeded(2);
        const ticks = Array.from({ length: 60 }, (_, t) => ({
          stream: 'a',
          ts: 1000 * t,
          values: [20 + random(), t === 59 ? 100 * shift : random()],
        }));
        return (await run(pipeline, ticks, () => 20)).map(({ json }) => forecastIn(json));
      }),
    );
    const [one, two] = outcomes;
    expect(two.slice(0, 59)).toEqual(one.slice(0, 59));
    expect(two[59].prediction).not.toBe(one[59].prediction);
    // Until their scales are known the baselines speak.
    expect(one.slice(0, 15).every(({ source }) => source === 'baseline')).toBe(true);
  });

  it('stand behind the gap, live and in a replay of the window', async () => {
    const random = seeded(6);
    let ts = 0;
    // Of a second input that never moves, nothing is said at any scale: live and replayed rows are the same.
    const ticks = Array.from({ length: 61 }, () => ({
      stream: 'a',
      ts: (ts += Math.ceil(1000 * Math.exp(4 * random()))),
      values: [20 + random(), 3],
    }));
    const [live, cold] = [0, 1].map(() => new TestPipeline(spec({ inputs: ['value', 'load'], blend: false })));
    await live.open();
    await cold.open();
    await live.swap(forecaster(4, 1, 0, 2, undefined, true));
    for (const pipeline of [live, cold]) await run(pipeline, ticks.slice(0, 60), () => 7);
    await cold.swap(forecaster(4, 1, 0, 2, undefined, true));
    const [one, two] = [await live.feed(ticks[60]), await cold.feed(ticks[60])];
    expect(forecastIn(two[0].json).source).toBe('model');
    expect(forecastIn(two[0].json).prediction).toBeCloseTo(forecastIn(one[0].json).prediction, 5);
  });
});
