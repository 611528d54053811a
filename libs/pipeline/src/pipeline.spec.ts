import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_PIPELINE } from '#domain/pipeline-spec';
import { createNetwork } from '#rnn/network';
import { gruSpec, modelOf, seeded } from '../../../test/support/models.js';
import { mustEqualThroughCrashes } from '../../../test/support/crashes.js';
import {
  finalStates,
  mixedTicks,
  recordsOf,
  run,
  TestPipeline,
  type TickJson,
} from '../../../test/support/pipelines.js';

const GRU = gruSpec(8);
const RAW = modelOf(GRU, 1);
const SCALED = (seed: number): ReturnType<typeof modelOf> =>
  modelOf(GRU, seed, { scaler: 'standard', target: 'difference', warmUp: 16, origin: 'trained', pinned: false });

describe('a raw model', () => {
  it('speaks from the first tick, and steps each stream like the bare network', async () => {
    const pipeline = await new TestPipeline().open();
    await pipeline.swap(RAW);
    const network = createNetwork(GRU, RAW.weights, { capacity: 3, maxWave: 1 });
    const random = seeded(3);
    for (let t = 0; t < 50; t++) {
      const slot = Math.floor(random() * 3);
      const value = Math.fround(random());
      const [outcome] = await pipeline.feed({ stream: `s${slot}`, ts: t, value });
      network.slots[0] = slot;
      network.inputs[0] = value;
      network.step(1);
      expect(outcome?.json).toMatchObject({
        stream: `s${slot}`,
        ts: t,
        offset: t,
        horizon: 1,
        model: 'test@1',
        source: 'model',
      });
      expect(Math.fround(outcome.json!.prediction as number)).toBe(network.outputs[0]);
    }
  });

  it('gives the same outcomes and states however the ticks are cut into batches', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 40 }), fc.boolean(), async (seed, size, scaled) => {
        const ticks = mixedTicks(seed, 150);
        const random = seeded(seed);
        const [one, many] = [
          await new TestPipeline(undefined, { maxBatch: 1 }).open(),
          await new TestPipeline().open(),
        ];
        for (const pipeline of [one, many]) await pipeline.swap(scaled ? SCALED(7) : RAW);
        expect(await run(many, ticks, () => Math.floor(random() * size))).toEqual(await run(one, ticks, () => 30));
        expect(await finalStates(many)).toEqual(await finalStates(one));
      }),
      { numRuns: 40 },
    );
  });

  it('gives the same outcomes however few streams fit in memory', async () => {
    const ticks = mixedTicks(11, 400, 30);
    const [roomy, tight] = [
      await new TestPipeline().open(),
      await new TestPipeline(undefined, { hotStreams: 6, maxBatch: 4, saveAfterMs: 1e9, saveAfterRecords: 1e9 }).open(),
    ];
    for (const pipeline of [roomy, tight]) await pipeline.swap(RAW);
    expect(await run(tight, ticks, () => 4)).toEqual(await run(roomy, ticks, () => 64));
    expect(tight.pipeline.hotStreams).toBeLessThanOrEqual(6);
  });
});

describe('a crash', () => {
  it('at any write leaves every later outcome as in an uninterrupted run', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(fc.nat(60), { maxLength: 4 }),
        fc.boolean(),
        async (seed, crashes, scaled) => {
          const ticks = mixedTicks(seed, 200);
          const model = scaled ? SCALED(7) : RAW;
          const calm = await new TestPipeline().open();
          await calm.swap(model);
          const pipeline = await new TestPipeline(undefined, {
            maxBatch: 16,
            saveAfterMs: 1e9,
            saveAfterRecords: 48,
          }).open();
          await pipeline.swap(model);
          await mustEqualThroughCrashes(pipeline, ticks, crashes, calm);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('in the save takes nothing back from what was told: committed outcomes are heard of, once', async () => {
    const pipeline = await new TestPipeline(undefined, { saveAfterRecords: 1 }).open();
    const commit = pipeline.states.commit.bind(pipeline.states);
    pipeline.states.commit = () => Promise.reject(new Error('no room'));
    const told: number[] = [];
    const tell = ({ outcomes }: { outcomes: { records: { offsets: Float64Array } } }): void =>
      void told.push(...outcomes.records.offsets);
    await pipeline.log.append(recordsOf([{ stream: 'a', ts: 1, value: 1 }]));
    await expect(pipeline.pipeline.next(tell)).rejects.toThrow('no room');
    pipeline.states.commit = commit;
    await pipeline.open();
    await pipeline.log.append(recordsOf([{ stream: 'a', ts: 2, value: 2 }]));
    await pipeline.pipeline.next(tell);
    expect(told).toEqual([0, 1]);
    expect(await pipeline.pipeline.view('a')).toMatchObject({ ticks: 2 });
  });

  it('is refused where log and states do not belong together', async () => {
    const pipeline = await new TestPipeline().open();
    await pipeline.feed({ stream: 'a', ts: 1, value: 1 });
    const other = new TestPipeline();
    other.log = pipeline.log;
    await expect(other.open()).rejects.toMatchObject({ code: 'STATE_MISSING' });
    await pipeline.pipeline.flush();
    const third = new TestPipeline();
    third.states = pipeline.states;
    await expect(third.open()).rejects.toMatchObject({ code: 'STATE_POSITION' });
    const fourth = new TestPipeline({ ...DEFAULT_PIPELINE, inputs: ['a', 'b'] });
    [fourth.log, fourth.states] = [pipeline.log, pipeline.states];
    await expect(fourth.open()).rejects.toMatchObject({ code: 'STATE_LAYOUT' });
  });
});

describe('without a model, and in the first ticks under a scaled one', () => {
  it('serves the baseline, marked so', async () => {
    const pipeline = await new TestPipeline().open();
    const [first, second] = await pipeline.feed(
      { stream: 'a', ts: 1000, value: 5 },
      { stream: 'a', ts: 2000, value: 7 },
    );
    expect(first?.json).toEqual({
      stream: 'a',
      ts: 1000,
      offset: 0,
      prediction: 5,
      horizon: 1,
      model: null,
      source: 'baseline',
    });
    expect(second?.json).toEqual({
      stream: 'a',
      ts: 2000,
      offset: 1,
      prediction: 7,
      horizon: 1,
      targetTs: 3000,
      model: null,
      source: 'baseline',
    });
    await pipeline.swap(SCALED(2));
    const later = await pipeline.feed(
      ...Array.from({ length: 20 }, (_, t) => ({ stream: 'a', ts: 3000 + t, value: t % 5 })),
    );
    expect(later.map(({ json }) => json!.source)).toEqual([
      ...Array<string>(14).fill('baseline'),
      ...Array<string>(6).fill('model'),
    ]);
  });

  it('says null for a stream that never had a value, and carries the last value over a gap', async () => {
    const pipeline = await new TestPipeline().open();
    const outcomes = await pipeline.feed(
      { stream: 'a', ts: 1, value: null },
      { stream: 'a', ts: 2, value: 4 },
      { stream: 'a', ts: 3 },
      { stream: 'a', ts: 3 },
    );
    expect(outcomes.map((o) => o.json?.prediction ?? o.code ?? null)).toEqual([null, 4, 4, 'DUPLICATE']);
  });

  it('dead-letters late and duplicate ticks by the state alone', async () => {
    const pipeline = await new TestPipeline().open();
    const at = (ts: number, value: number): TickJson => ({ stream: 'a', ts, value });
    const outcomes = await pipeline.feed(at(10, 1), at(10, 1), at(10, 2), at(9, 3), at(11, 3), at(11, 3));
    expect(outcomes.map((o) => o.code)).toEqual([undefined, 'DUPLICATE', undefined, 'LATE', undefined, 'DUPLICATE']);
  });

  it('starts a stream over on reset, and answers it', async () => {
    const pipeline = await new TestPipeline().open();
    await pipeline.swap(RAW);
    const tick = { stream: 'a', ts: 5, value: 0.5 };
    const outcomes = await pipeline.feed(
      tick,
      { stream: 'a', ts: 6, value: 0.1 },
      { stream: 'a', control: 'reset' },
      tick,
    );
    expect(outcomes[2]?.json).toEqual({ stream: 'a', control: 'reset', offset: 2 });
    expect(outcomes[3]?.json).toEqual({ ...outcomes[0].json, offset: 3 });
  });

  it('is not thrown by a first value of 1e9 or a constant stream', async () => {
    const pipeline = await new TestPipeline().open();
    await pipeline.swap(SCALED(4));
    const ticks = Array.from({ length: 60 }, (_, t) => [
      { stream: 'wild', ts: t, value: t === 0 ? 1e9 : 10 + Math.sin(t) },
      { stream: 'flat', ts: t, value: 42 },
    ]).flat();
    const outcomes = await pipeline.feed(...ticks);
    const last = (stream: string): number =>
      outcomes.filter((o) => o.json?.stream === stream).at(-1)!.json!.prediction as number;
    expect(Math.abs(last('wild') - 10)).toBeLessThan(5);
    expect(Math.abs(last('flat') - 42)).toBeLessThan(1);
  });
});

describe('a model swap', () => {
  it('makes the first prediction that of a cold replay of the window through the new model', async () => {
    for (const ticks of [20, 40, 700]) {
      const [live, cold] = [await new TestPipeline().open(), await new TestPipeline().open()];
      await live.swap(SCALED(5));
      const series = Array.from({ length: ticks }, (_, t) => ({ stream: 'a', ts: t, value: Math.sin(t / 3) }));
      await run(live, series, () => 50);
      await live.swap(SCALED(6));
      const window = await live.pipeline.window('a');
      // The same window, seen first without any model, then warmed up under the new one.
      await run(
        cold,
        Array.from({ length: window.length / 2 }, (_, t) => ({
          stream: 'a',
          ts: window[2 * t],
          value: window[2 * t + 1],
        })),
        () => 50,
      );
      await cold.swap(SCALED(6));
      const next = { stream: 'a', ts: ticks, value: 0.3 };
      const [a, b] = [await live.feed(next), await cold.feed(next)];
      expect(a[0]?.json?.source).toBe('model');
      expect(a[0]?.json?.prediction).toBe(b[0]?.json?.prediction);
    }
  });

  it('refuses a model with other inputs and goes on with the old one', async () => {
    const pipeline = await new TestPipeline().open();
    await pipeline.swap(RAW);
    await expect(pipeline.swap(modelOf(gruSpec(4, 3), 9))).rejects.toMatchObject({ code: 'MODEL_MISMATCH' });
    expect((await pipeline.feed({ stream: 'a', ts: 1, value: 1 }))[0]?.json?.model).toBe('test@1');
  });
});

describe('a token model', () => {
  const words = ['[UNK]', 'i', 'love', 'pizza'];
  const network = {
    inputSize: 1,
    layers: [
      { type: 'embedding', inputDim: 4, outputDim: 3 },
      { type: 'simple_rnn', units: 5, activation: 'tanh', useBias: true },
      { type: 'dense', units: 1, activation: 'sigmoid', useBias: true },
    ],
  } as const;
  it('goes token by token and shows its memory', async () => {
    const pipeline = await new TestPipeline().open();
    await pipeline.swap(modelOf(network, 8, { vocabulary: words }));
    const outcomes = await pipeline.feed(
      { stream: 'x', token: 'I' },
      { stream: 'x', token: 'love' },
      { stream: 'x', token: 3 },
      { stream: 'x', token: 3 },
      { stream: 'x', token: 4 },
    );
    expect(outcomes.map((o) => o.code ?? o.json?.source)).toEqual(['model', 'model', 'model', 'model', 'TOKEN']);
    const trace = await pipeline.pipeline.trace('x', 10);
    expect(trace).toMatchObject({ stream: 'x', model: 'test@8', exact: true });
    expect(trace!.rows.map(({ step, input }) => [step, input])).toEqual([
      [1, 'i'],
      [2, 'love'],
      [3, 'pizza'],
      [4, 'pizza'],
    ]);
    expect(trace!.rows[2].memory).toHaveLength(5);
    expect(trace!.rows[2].output).toBeCloseTo(outcomes[2].json!.prediction as number, 6);
  });
});
