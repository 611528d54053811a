import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelArtifact } from '#domain/model';
import { DEFAULT_PIPELINE, type PipelineSpec } from '#domain/pipeline-spec';
import { forecastFeatures } from '#forecasting/other-inputs';
import { mustEqualThroughCrashes } from '../../../test/support/crashes.js';
import { gruSpec, modelOf } from '../../../test/support/models.js';
import {
  finalStates,
  mixedTicks,
  run,
  TestPipeline,
  type Outcome,
  type TickJson,
  withSilences,
} from '../../../test/support/pipelines.js';

const SEASON = 8;
const spec = (changes: Partial<PipelineSpec> = {}): PipelineSpec => ({
  ...DEFAULT_PIPELINE,
  season: SEASON,
  ...changes,
});
const model = (seed: number, horizon: number, regular: boolean): ModelArtifact =>
  modelOf(
    {
      inputSize: forecastFeatures(1),
      layers: [gruSpec(4).layers[0], { type: 'dense', units: horizon, activation: 'linear', useBias: true }],
    },
    seed,
    {
      scaler: 'standard',
      forecast: { horizon, season: SEASON, timeZone: 'UTC', ...(regular && { regular }) },
      origin: 'trained',
      pinned: false,
    },
  );

const silentTicks = (seed: number, count: number): (TickJson | string)[] =>
  withSilences(seed, mixedTicks(seed, count, 3));

describe('ticks left out', () => {
  it('count the same however ticks are cut into batches, and after a crash at any write', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(fc.nat(60), { maxLength: 4 }),
        fc.constantFrom(1, 3, 8),
        async (seed, crashes, horizon) => {
          const ticks = silentTicks(seed, 240);
          const calm = await new TestPipeline(spec({ horizon }), { maxBatch: 1 }).open();
          await calm.swap(model(7, horizon, true));
          const options = { maxBatch: 8, hotStreams: 8, saveAfterMs: 1e9, saveAfterRecords: 48 };
          const pipeline = await new TestPipeline(spec({ horizon }), options).open();
          await pipeline.swap(model(7, horizon, true));
          await mustEqualThroughCrashes(pipeline, ticks, crashes, calm);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('keep a stream in step with its season', async () => {
    const errors = await Promise.all(
      [true, false].map(async (regular) => {
        const pipeline = await new TestPipeline(spec({ regular })).open();
        const value = (t: number): number => 10 * Math.sin((2 * Math.PI * t) / SEASON) + t / 100;
        let [sum, expected] = [0, NaN];
        for (let t = 0; t < 140; t++) {
          if (t >= 100 && t < 113) continue;
          const [{ json }] = await pipeline.feed({ stream: 'a', ts: 1000 * t, value: value(t) });
          if (t > 113) sum += Math.abs(value(t) - expected);
          expected = json!.prediction as number;
        }
        return sum / 26;
      }),
    );
    expect(errors[0]).toBeLessThan(0.5);
    expect(errors[1]).toBeGreaterThan(1.5);
  });

  it.each([1, 3])(
    'void what champion and challenger had forecast for them: a twin stays a twin, %i steps',
    async (horizon) => {
      const pipeline = await new TestPipeline(spec({ horizon })).open();
      const one = model(7, horizon, true);
      await pipeline.swap(one);
      const ticks = silentTicks(4, 900);
      await run(pipeline, ticks.slice(0, 100), () => 30);
      await pipeline.pipeline.challenge({ ...one, manifest: { ...one.manifest, digest: 'f'.repeat(64), version: 8 } });
      await run(pipeline, ticks.slice(100), () => 30);
      expect(pipeline.pipeline.trial!.compared).toBeGreaterThan(200);
      expect(pipeline.pipeline.trial!.evidence).toBeCloseTo(1, 6);
    },
  );

  it('are counted in what is stored too: a stream that comes to be counted so is as if it always had been', async () => {
    const ticks = silentTicks(5, 400).filter((tick) => typeof tick !== 'string' && tick.control === undefined);
    const always = await new TestPipeline(spec({ regular: true, horizon: 3 })).open();
    await run(always, ticks.slice(0, 300), () => 30);
    const since = await new TestPipeline(spec({ horizon: 3 })).open();
    await run(since, ticks.slice(0, 300), () => 30);
    await since.pipeline.flush();
    const changed = new TestPipeline(spec({ regular: true, horizon: 3 }));
    Object.assign(changed, { log: since.log, states: since.states });
    await changed.open();
    const predictions = (outcomes: readonly Outcome[]): unknown[] => outcomes.map(({ json }) => json?.prediction);
    const [one, other] = [
      await run(always, ticks.slice(300), () => 30),
      await run(changed, ticks.slice(300), () => 30),
    ];
    expect(predictions(other)).toEqual(predictions(one));
  });

  it('are counted by a model or not: the one is not compared with the other, and each stream is gone through anew', async () => {
    const pipeline = await new TestPipeline(spec()).open();
    await pipeline.swap(model(7, 1, false));
    await expect(pipeline.pipeline.challenge(model(8, 1, true))).rejects.toThrow('ticks left out counted');
    const ticks = silentTicks(6, 400);
    // Most streams of the second are out of memory at any time.
    const tight = await new TestPipeline(spec(), { hotStreams: 2, maxBatch: 1 }).open();
    await tight.swap(model(7, 1, false));
    const runs = [];
    for (const one of [pipeline, tight]) {
      await run(one, ticks.slice(0, 300), () => 50);
      await one.swap(model(9, 1, true));
      if (one === tight) await one.open();
      runs.push(await run(one, ticks.slice(300), () => 20));
    }
    expect(runs[1]).toEqual(runs[0]);
    expect(await finalStates(tight)).toEqual(await finalStates(pipeline));
  });
});
