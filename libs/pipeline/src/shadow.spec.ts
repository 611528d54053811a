import { describe, expect, it } from 'vitest';
import type { ModelArtifact, Transform } from '#domain/model';
import { DEFAULT_PIPELINE } from '#domain/pipeline-spec';
import { FEATURES } from '#forecasting/forecast-plan';
import type { NetworkSpec } from '#rnn/spec';
import { weightCount } from '#rnn/spec';
import { gruSpec, modelOf, randomWeights, seeded } from '../../../test/support/models.js';
import { finalStates, mixedTicks, run, TestPipeline, type TickJson } from '../../../test/support/pipelines.js';

const UNITS = 4;
const network: NetworkSpec = { ...gruSpec(UNITS), inputSize: FEATURES };
const forecaster = (seed: number, gain: number, season = 0, transform?: Transform): ModelArtifact => {
  const weights = randomWeights(network, seed);
  // The read-out, so that a network can be made to say nothing, or nonsense.
  for (let k = weightCount(network) - UNITS - 1; k < weights.length; k++) weights[k] *= gain;
  const manifest = { scaler: 'standard', origin: 'trained', pinned: false } as const;
  const forecast = { horizon: 1, season, timeZone: 'UTC', ...(transform !== undefined && { transform }) };
  return {
    ...modelOf(network, seed, { ...manifest, forecast }),
    weights,
  };
};
const WILD = forecaster(1, 6);
const SILENT = forecaster(2, 0);

/** A random walk: what says nothing is right, and the wilder a network, the worse. */
function walk(count: number, streams = 3, seed = 5): TickJson[] {
  const random = seeded(seed);
  const values = new Float64Array(streams);
  return Array.from({ length: count * streams }, (_, i) => {
    const s = i % streams;
    values[s] += random() + random() + random() - 1.5;
    return { stream: `s${s}`, ts: 1000 * Math.floor(i / streams), value: Math.round(1e6 * values[s]) / 1e6 };
  });
}

describe('a challenger', () => {
  it('gathers evidence where it is better, and none where it is worse', async () => {
    const evidence = await Promise.all(
      [
        [WILD, SILENT],
        [SILENT, WILD],
      ].map(async ([champion, challenger]) => {
        const pipeline = await new TestPipeline().open();
        await pipeline.swap(champion);
        await pipeline.pipeline.challenge(challenger);
        await run(pipeline, walk(1500), () => 48);
        const trial = pipeline.pipeline.trial!;
        expect(trial.compared).toBeGreaterThan(1400);
        return trial.evidence;
      }),
    );
    expect(evidence[0]).toBeGreaterThan(1000);
    expect(evidence[1]).toBeLessThan(0.1);
  });

  it('changes no outcome and no state', async () => {
    for (const seed of [1, 2, 3]) {
      const ticks = mixedTicks(seed, 300, 6);
      const [plain, beside] = [
        await new TestPipeline().open(),
        await new TestPipeline(undefined, { hotStreams: 4, maxBatch: 2 }).open(),
      ];
      for (const pipeline of [plain, beside]) await pipeline.swap(WILD);
      await beside.pipeline.challenge(SILENT);
      expect(await run(beside, ticks, () => 20)).toEqual(await run(plain, ticks, () => 20));
      expect(beside.pipeline.trial!.compared).toBeGreaterThan(0);
      expect(await finalStates(beside)).toEqual(await finalStates(plain));
    }
  });

  it.each([undefined, 'log', 'none'] as const)(
    'has from the window the hidden state it would have had all along: it says the same as the same model serving, transform %s',
    async (transform) => {
      const ticks = walk(200, 2);
      const more = walk(420, 2).slice(400);
      const [serving, beside] = [await new TestPipeline().open(), await new TestPipeline().open()];
      // Compared with itself: not one error may differ, or it would win or lose.
      for (const pipeline of [serving, beside]) {
        await pipeline.swap(forecaster(7, 1, 0, transform));
        await run(pipeline, ticks, () => 30);
      }
      const twin = {
        ...forecaster(7, 1, 0, transform),
        manifest: { ...forecaster(7, 1, 0, transform).manifest, digest: 'f'.repeat(64), version: 8 },
      };
      await beside.pipeline.challenge(twin);
      await run(beside, [...more, ...walk(1000, 2, 5).slice(840)], () => 30);
      expect(beside.pipeline.trial!.compared).toBeGreaterThan(300);
      expect(beside.pipeline.trial!.evidence).toBeCloseTo(1, 6);
    },
  );

  it('goes on where it was after a restart, and begins anew beside another champion', async () => {
    const pipeline = await new TestPipeline().open();
    await pipeline.swap(WILD);
    await pipeline.pipeline.challenge(SILENT);
    await run(pipeline, walk(1200), () => 48);
    await pipeline.pipeline.flush();
    const { evidence } = pipeline.pipeline.trial!;
    expect(evidence).toBeGreaterThan(2);
    await pipeline.open();
    expect(pipeline.pipeline.trial).toBeUndefined();
    // Saved meanwhile: it is kept although nobody goes on with it yet.
    await pipeline.feed({ stream: 'late', ts: 1, value: 1 });
    await pipeline.pipeline.flush();
    await pipeline.pipeline.challenge(SILENT);
    expect(pipeline.pipeline.trial!.evidence).toBe(evidence);
    const other = forecaster(3, 3);
    await pipeline.swap(other);
    expect(pipeline.pipeline.trial).toBeUndefined();
    await pipeline.pipeline.challenge(SILENT);
    expect(pipeline.pipeline.trial!.evidence).toBe(1);
  });

  it('is refused where it cannot be compared, and has no place beside what does not forecast', async () => {
    const pipeline = await new TestPipeline().open();
    await pipeline.pipeline.challenge(SILENT);
    expect(pipeline.pipeline.trial).toBeUndefined();
    await pipeline.swap(WILD);
    const { forecast } = WILD.manifest;
    const byGaps = modelOf({ ...network, inputSize: FEATURES + 1 }, 4, {
      scaler: 'standard',
      forecast: { ...forecast!, gaps: true },
    });
    for (const odd of [forecaster(4, 1, 24), forecaster(4, 1, 0, 'log'), byGaps, modelOf(gruSpec(4), 9)])
      await expect(pipeline.pipeline.challenge(odd)).rejects.toMatchObject({ code: 'MODEL_MISMATCH' });
    await pipeline.swap(modelOf(gruSpec(4), 9));
    await pipeline.pipeline.challenge(SILENT);
    expect(pipeline.pipeline.trial).toBeUndefined();
    expect(pipeline.pipeline.spec).toBe(DEFAULT_PIPELINE);
  });
});
