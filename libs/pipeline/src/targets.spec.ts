import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TRANSFORMS, type ForecastSpec, type ModelArtifact } from '#domain/model';
import { DEFAULT_PIPELINE, type PipelineSpec } from '#domain/pipeline-spec';
import { forecastFeatures } from '#forecasting/other-inputs';
import { weightShapes, type NetworkSpec } from '#rnn/spec';
import { mustEqualThroughCrashes } from '../../../test/support/crashes.js';
import { gruSpec, modelOf, seeded } from '../../../test/support/models.js';
import {
  mixedTicks,
  run,
  TestPipeline,
  type Outcome,
  type TickJson,
  withSilences,
} from '../../../test/support/pipelines.js';
import { viewOfState } from './stream-view.js';

const TARGETS = ['heat', 'power'];
const UNITS = 4;
const spec = (changes: Partial<PipelineSpec> = {}): PipelineSpec => ({
  ...DEFAULT_PIPELINE,
  inputs: [...TARGETS, 'load'],
  targets: TARGETS,
  ...changes,
});
/** Of one target, with the same other input. */
const specOf = (target: string, changes: Partial<PipelineSpec> = {}): PipelineSpec => ({
  ...spec(changes),
  inputs: [target, 'load'],
  targets: undefined,
});

type Plan = Pick<ForecastSpec, 'horizon' | 'season' | 'transform' | 'gaps' | 'regular'>;
const PLANS: readonly Plan[] = [
  { horizon: 1, season: 0 },
  { horizon: 3, season: 4, transform: 'log', regular: true },
  { horizon: 12, season: 12, transform: 'none', gaps: true },
];

const networkOf = ({ horizon, gaps }: Plan, targets: number, units: number): NetworkSpec => ({
  inputSize: forecastFeatures(targets + 1, gaps, targets),
  layers: [gruSpec(units).layers[0], { type: 'dense', units: targets * horizon, activation: 'linear', useBias: true }],
});
const modelFor = (plan: Plan, seed: number, targets: number, units = UNITS): ModelArtifact =>
  modelOf(networkOf(plan, targets, units), seed, {
    scaler: 'standard',
    forecast: { ...plan, timeZone: 'UTC', ...(targets > 1 && { targets }) },
    warmUp: 16,
    origin: 'trained',
    pinned: false,
  });

/** One network that is two networks of a target each, side by side: no weight leads from the one's units to the other's. */
function sideBySide(plan: Plan, seed: number, models: readonly ModelArtifact[]): ModelArtifact {
  const joint = modelFor(plan, seed, models.length, models.length * UNITS);
  const own = forecastFeatures(1, plan.gaps);
  let [to, from] = [0, 0];
  const weights = joint.weights.fill(0);
  const shapes = weightShapes(joint.manifest.network);
  weightShapes(models[0].manifest.network).forEach(({ layer, name, shape }, i) => {
    const [rows, columns] = shape.length === 1 ? [1, shape[0]] : shape;
    const width = shapes[i].shape.at(-1)!;
    const block = layer === 0 ? UNITS : columns;
    models.forEach((model, k) => {
      const rowOf = (r: number): number => {
        if (name === 'bias') return r;
        if (layer === 0 && name === 'kernel') return r < own ? k * own + r : models.length * own + r - own;
        return k * UNITS + r;
      };
      for (let r = 0; r < rows; r++)
        for (let c = 0; c < columns; c++) {
          const column = Math.floor(c / block) * models.length * block + k * block + (c % block);
          weights[to + rowOf(r) * width + column] = model.weights[from + r * columns + c];
        }
    });
    to += shapes[i].shape.reduce((a, b) => a * b, 1);
    from += rows * columns;
  });
  return { ...joint, weights };
}

interface Values {
  readonly tick: TickJson | string;
  readonly values: (number | null)[];
}
/** Each tick with a value of either target, now and then none; never two ticks that are the same. */
function ticksOf(seed: number, count: number, streams = 3): Values[] {
  const random = seeded(seed + 1);
  return withSilences(seed, mixedTicks(seed, count, streams)).map((tick) => {
    const values = [0, 1].map((k) =>
      random() < 0.05 ? null : Math.round(1e4 * (5 + 3 * k * random() + random())) / 1e4,
    );
    return { tick, values: [...values, random()] };
  });
}
const asTick = ({ tick, values }: Values, of: readonly number[]): TickJson | string => {
  if (typeof tick === 'string' || tick.control !== undefined) return tick;
  const { value: _, ...rest } = tick;
  return { ...rest, values: of.map((k) => values[k]) };
};

type Said = Record<string, unknown> & { targets?: Record<string, Record<string, unknown>> };
const PARTS = ['prediction', 'lower', 'upper', 'quantiles', 'forecast', 'weight', 'anomaly', 'source'];
const partsOf = (said: Record<string, unknown>): unknown =>
  Object.fromEntries(PARTS.flatMap((name) => (said[name] === undefined ? [] : [[name, said[name]]])));

/** Sums of the wider network are grouped otherwise: the last bit of a float32 may differ. */
const mustBeClose = (one: unknown, other: unknown): void => {
  if (typeof one === 'number' && typeof other === 'number')
    expect(Math.abs(one - other)).toBeLessThan(1e-5 + 1e-5 * Math.abs(other));
  else if (typeof one === 'object' && one !== null) {
    expect(Object.keys(other as object)).toEqual(Object.keys(one));
    for (const [name, value] of Object.entries(one)) mustBeClose(value, (other as Record<string, unknown>)[name]);
  } else expect(one).toEqual(other);
};

/** Of a twin of the model beside itself: not one error may differ. */
async function evidenceBeside(model: ModelArtifact, { horizon, season }: Plan): Promise<number> {
  const pipeline = await new TestPipeline(spec({ horizon, season })).open();
  await pipeline.swap(model);
  await pipeline.pipeline.challenge({ ...model, manifest: { ...model.manifest, digest: 'f'.repeat(64), version: 8 } });
  await run(
    pipeline,
    ticksOf(9, 600).map((tick) => asTick(tick, [0, 1, 2])),
    () => 40,
  );
  expect(pipeline.pipeline.trial!.compared).toBeGreaterThan(100);
  return pipeline.pipeline.trial!.evidence;
}

describe('several targets', () => {
  it.each(PLANS)('are each forecast as by a pipeline and a network of its own: %o', async (plan) => {
    const { horizon, season } = plan;
    const quantiles = horizon === 3 ? [0.1, 0.9] : undefined;
    const ticks = ticksOf(3, 500);
    const alone = [modelFor(plan, 1, 1), modelFor(plan, 2, 1)];
    const both = sideBySide(plan, 3, alone);
    const outcomes: Outcome[][] = [];
    for (const [k, pipeline] of [
      await new TestPipeline(specOf('heat', { horizon, season, quantiles })).open(),
      await new TestPipeline(specOf('power', { horizon, season, quantiles })).open(),
      await new TestPipeline(spec({ horizon, season, quantiles })).open(),
    ].entries()) {
      const own = ticks.map((tick) =>
        asTick(
          tick,
          [
            [0, 2],
            [1, 2],
            [0, 1, 2],
          ][k],
        ),
      );
      const before = await run(pipeline, own.slice(0, 200), () => 30);
      await pipeline.swap([...alone, both][k]);
      outcomes.push([...before, ...(await run(pipeline, own.slice(200), () => 30))]);
    }
    const [heat, power, joint] = outcomes;
    let blended = 0;
    joint.forEach(({ json, code }, i) => {
      expect([heat[i].code, power[i].code]).toEqual([code, code]);
      const said = json as Said | undefined;
      if (said?.prediction === undefined) return;
      expect(Object.keys(said.targets!)).toEqual(TARGETS);
      mustBeClose(said.targets!.heat, partsOf(heat[i].json!));
      mustBeClose(said.targets!.power, partsOf(power[i].json!));
      expect(partsOf(said)).toEqual(said.targets!.heat);
      if (said.targets!.power.source !== 'baseline') blended += 1;
    });
    expect(blended).toBeGreaterThan(20);
  });

  it('are the same however ticks are cut into batches, and after a crash at any write', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(fc.nat(60), { maxLength: 4 }),
        fc.constantFrom(...PLANS),
        fc.constantFrom(...TRANSFORMS),
        async (seed, crashes, { horizon, season, gaps }, transform) => {
          const ticks = ticksOf(seed, 200, 5).map((tick) => asTick(tick, [0, 1, 2]));
          const model = modelFor({ horizon, season, gaps, transform }, 7, 2);
          const calm = await new TestPipeline(spec({ horizon }), { maxBatch: 1 }).open();
          await calm.swap(model);
          const options = { maxBatch: 8, hotStreams: 8, saveAfterMs: 1e9, saveAfterRecords: 48 };
          const pipeline = await new TestPipeline(spec({ horizon }), options).open();
          await pipeline.swap(model);
          await mustEqualThroughCrashes(pipeline, ticks, crashes, calm);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('are shown by name, alive or stored', async () => {
    const asked = spec({ horizon: 2, season: 4 });
    const live = await new TestPipeline(asked).open();
    const outcomes = await run(
      live,
      ticksOf(5, 300, 1).map((tick) => asTick(tick, [0, 1, 2])),
      () => 50,
    );
    const last = outcomes.findLast(({ json }) => json?.prediction !== undefined)!.json as Said;
    const seen = (await live.pipeline.view('s0'))!;
    expect(Object.keys(seen.targets!)).toEqual(TARGETS);
    expect(seen.targets!.heat).toMatchObject({
      prediction: seen.prediction,
      forecast: seen.forecast,
      scores: seen.scores,
    });
    expect(seen.targets!.power.prediction).toBeCloseTo(last.targets!.power.prediction as number, 6);
    expect(seen.targets!.power.scores.truths).toBeGreaterThan(20);
    await live.pipeline.flush();
    const { states } = await live.states.load(['s0'], { storedOnly: true });
    expect(viewOfState('s0', states[0]!, 3, asked).targets).toEqual(seen.targets);
  });

  it('all count in a comparison, and in the figures over all streams', async () => {
    const plan = PLANS[0];
    const ticks = ticksOf(9, 600).map((tick) => asTick(tick, [0, 1, 2]));
    const pipeline = await new TestPipeline(spec()).open();
    const champion = modelFor(plan, 1, 2);
    await pipeline.swap(champion);
    // A twin that differs in what it says of the second target alone.
    const challenger = { ...modelFor(plan, 4, 2), weights: champion.weights.slice() };
    challenger.weights[challenger.weights.length - 1] += 8;
    await pipeline.pipeline.challenge(challenger);
    await run(pipeline, ticks, () => 40);
    expect(pipeline.pipeline.trial!.compared).toBeGreaterThan(100);
    expect(pipeline.pipeline.trial!.evidence).toBeLessThan(0.5);
    expect(await evidenceBeside(modelFor(PLANS[1], 1, 2), PLANS[1])).toBeCloseTo(1, 6);
    const single = await new TestPipeline(specOf('heat')).open();
    await run(
      single,
      ticksOf(9, 600).map((tick) => asTick(tick, [0, 2])),
      () => 40,
    );
    expect(pipeline.pipeline.tally.truths).toBeGreaterThan(1.8 * single.pipeline.tally.truths);
  });

  it('need a model of as many', async () => {
    const pipeline = await new TestPipeline(spec()).open();
    const one = modelOf({ ...networkOf(PLANS[0], 2, UNITS), layers: networkOf(PLANS[0], 1, UNITS).layers }, 3, {
      scaler: 'standard',
      forecast: { horizon: 1, season: 0, timeZone: 'UTC' },
    });
    await expect(pipeline.swap(one)).rejects.toThrow('forecasts 1 of the inputs, pipeline default 2');
    await pipeline.swap(modelFor(PLANS[0], 1, 2));
    const alone = await new TestPipeline(specOf('heat')).open();
    await expect(alone.swap(modelFor(PLANS[0], 1, 2))).rejects.toMatchObject({ code: 'MODEL_MISMATCH' });
  });

  it('stored under other targets are gone through anew', async () => {
    const ticks = ticksOf(11, 300).map((tick) => asTick(tick, [0, 1, 2]));
    const [before, after] = [ticks.slice(0, 250), ticks.slice(250)];
    const changed = new TestPipeline({ ...spec(), targets: undefined });
    await run(await changed.open(), before, () => 50);
    await changed.pipeline.flush();
    const other = new TestPipeline(spec());
    [other.log, other.states] = [changed.log, changed.states];
    await other.open();
    const fresh = await new TestPipeline(spec()).open();
    await run(fresh, before, () => 50);
    expect(await run(other, after, () => 10)).toEqual(await run(fresh, after, () => 10));
  });
});
