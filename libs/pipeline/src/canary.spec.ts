import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryStateStore } from '#adapters/memory/memory-state-store';
import type { ModelArtifact } from '#domain/model';
import { parseServed, servedText } from '#domain/served';
import { FEATURES } from '#forecasting/forecast-plan';
import { gruSpec, modelOf, seeded } from '../../../test/support/models.js';
import { finalStates, mixedTicks, run, TestPipeline, type Outcome } from '../../../test/support/pipelines.js';
import { isInShare } from './stream-table.js';

const raw = (seed: number, units = 4): ModelArtifact => modelOf(gruSpec(units), seed);
const forecaster = (seed: number, units = 4, season = 0): ModelArtifact =>
  modelOf({ ...gruSpec(units), inputSize: FEATURES }, seed, {
    scaler: 'standard',
    origin: 'trained',
    pinned: false,
    forecast: { horizon: 1, season, timeZone: 'UTC' },
  });

/** What serves in each phase: the champion, and a canary for a share of the streams. */
type Phase = readonly [champion: ModelArtifact, canary?: ModelArtifact, share?: number];
/** Longer than a window. */
const PHASE = 320;
const STREAMS = 8;

interface Interruptions {
  /** Opened anew after so many chunks, as after a crash. */
  readonly every: number;
  readonly chunk: () => number;
  readonly hotStreams?: number;
}

/** The outcomes of the same ticks under phases of so many of them. */
async function outcomes(
  phases: readonly Phase[],
  seed: number,
  { every, chunk, hotStreams = 64 }: Interruptions = { every: Infinity, chunk: () => 30 },
): Promise<{ readonly outcomes: Outcome[]; readonly pipeline: TestPipeline }> {
  const ticks = mixedTicks(seed, PHASE * phases.length, STREAMS);
  const pipeline = new TestPipeline(undefined, { hotStreams, maxBatch: Math.min(64, hotStreams / 2) });
  pipeline.states = new MemoryStateStore({ windowSegments: 1 });
  await pipeline.open();
  const all: Outcome[] = [];
  let chunks = 0;
  for (const [k, [champion, model, share]] of phases.entries()) {
    await pipeline.swap(champion, model && { model, share: share! });
    for (let at = 0; at < PHASE;) {
      const size = Math.min(PHASE - at, Math.max(1, chunk()));
      all.push(...(await run(pipeline, ticks.slice(PHASE * k + at, PHASE * k + at + size), () => size)));
      at += size;
      chunks += 1;
      if (chunks % every === 0) await pipeline.open();
    }
  }
  return { outcomes: all, pipeline };
}

/** Of a canary's outcomes what the same model would have said serving alone. */
const withoutShare = ({ json, code }: Outcome): Outcome => {
  const { canary: _, ...rest } = json ?? {};
  return code === undefined ? { json: rest } : { code };
};

const shares = fc.constantFrom(0.3, 0.5, 0.7);
const phasesOf = (models: readonly ModelArtifact[]): fc.Arbitrary<Phase[]> =>
  fc.array(
    fc
      .tuple(fc.shuffledSubarray([...models], { minLength: 2 }), fc.option(shares))
      .map(([[champion, canary], share]): Phase => (share === null ? [champion] : [champion, canary, share])),
    { minLength: 2, maxLength: 5 },
  );
const served = (stream: string, [champion, canary, share]: Phase): ModelArtifact =>
  canary !== undefined && isInShare(stream, share!) ? canary : champion;

describe.each([
  ['raw models', [raw(1), raw(2, 7), raw(3)]],
  ['forecasts', [forecaster(1), forecaster(2, 7), forecaster(3)]],
] as const)('a canary among %s', (_, models) => {
  const [champion, canary] = models;

  it('makes each stream say what it would say if all streams were served by the models that serve it, one after the other', async () => {
    await fc.assert(
      fc.asyncProperty(phasesOf(models), fc.nat(), async (phases, seed) => {
        const { outcomes: all } = await outcomes(phases, seed);
        const alone = new Map<string, Promise<Outcome[]>>();
        for (const [i, outcome] of all.entries()) {
          const stream = outcome.json?.stream as string | undefined;
          if (stream === undefined) continue;
          const own = phases.map((phase): Phase => [served(stream, phase)]);
          const key = own.map(([{ manifest }]) => manifest.version).join();
          if (!alone.has(key))
            alone.set(
              key,
              outcomes(own, seed).then((run) => run.outcomes),
            );
          expect(withoutShare(outcome)).toEqual((await alone.get(key)!)[i]);
          if (outcome.json!.prediction === undefined) continue;
          const [, model, share] = phases[Math.floor(i / PHASE)];
          expect(outcome.json!.canary).toBe(model !== undefined && isInShare(stream, share!) ? share : undefined);
        }
      }),
      { numRuns: 15 },
    );
  });

  it('gives the same outcomes and states through restarts, however ticks are cut and however few streams fit in memory', async () => {
    await fc.assert(
      fc.asyncProperty(
        phasesOf(models),
        fc.nat(),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 40 }),
        async (phases, seed, every, size) => {
          const random = seeded(seed);
          const whole = await outcomes(phases, seed);
          const cut = await outcomes(phases, seed, { every, chunk: () => Math.floor(random() * size), hotStreams: 8 });
          expect(cut.outcomes).toEqual(whole.outcomes);
          expect(await finalStates(cut.pipeline)).toEqual(await finalStates(whole.pipeline));
        },
      ),
      { numRuns: 12 },
    );
  });

  it('counts its own errors and the champion’s apart, and ends a trial', async () => {
    const { pipeline } = await outcomes([[champion], [champion, canary, 0.5]], 4);
    const { tally, championTally, share, model } = pipeline.pipeline.canary!;
    expect([share, model]).toEqual([0.5, canary.manifest]);
    expect(tally.truths).toBeGreaterThan(20);
    expect(championTally.truths).toBeGreaterThan(20);
    expect(tally.truths + championTally.truths).toBeLessThanOrEqual(pipeline.pipeline.tally.truths);
    for (const { mixed, persistence } of [tally, championTally])
      expect(Math.min(mixed, persistence)).toBeGreaterThan(0);
    await pipeline.pipeline.challenge(canary);
    expect(pipeline.pipeline.trial).toBeUndefined();
    await pipeline.swap(champion);
    expect(pipeline.pipeline.canary).toBeUndefined();
  });
});

describe('a canary', () => {
  it('is refused where it takes or says other things than the champion, or its share is none', async () => {
    const pipeline = await new TestPipeline().open();
    for (const [one, other] of [
      [raw(1), forecaster(2)],
      [forecaster(1), forecaster(2, 4, 24)],
      [raw(1), modelOf(gruSpec(4), 2, { target: 'difference' })],
      [raw(1), modelOf(gruSpec(4), 2, { scaler: 'standard' })],
    ] as const) {
      await pipeline.swap(one);
      await expect(pipeline.swap(one, { model: other, share: 0.1 })).rejects.toMatchObject({ code: 'MODEL_MISMATCH' });
      expect(pipeline.pipeline.label).toBe('test@1');
    }
    for (const share of [0, 1, NaN])
      await expect(pipeline.swap(raw(1), { model: raw(2), share })).rejects.toMatchObject({ code: 'ARGUMENT' });
  });

  it('has close to its share of the streams, more of them as it grows', () => {
    const ids = Array.from({ length: 20_000 }, (_, i) => `sensor-${i}`);
    let before = new Set<string>();
    for (const share of [0.01, 0.1, 1 / 3, 0.9]) {
      const chosen = new Set(ids.filter((id) => isInShare(id, share)));
      // Four standard deviations.
      expect(Math.abs(chosen.size / ids.length - share)).toBeLessThan(
        4 * Math.sqrt((share * (1 - share)) / ids.length),
      );
      for (const id of before) expect(chosen.has(id)).toBe(true);
      before = chosen;
    }
  });

  it('stands in watermarks and logs as a text that says all of it', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, minExcluded: true, maxExcluded: true, noNaN: true }), (share) => {
        for (const served of [{ champion: 'a@1' }, { champion: 'a@1', canary: { model: 'b.c_d-e@12', share } }])
          expect(parseServed(servedText(served, (label) => label))).toEqual(served);
      }),
    );
  });
});
