import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_PIPELINE, type PipelineSpec } from '#domain/pipeline-spec';
import { forecastFeatures } from '#forecasting/other-inputs';
import { mustEqualThroughCrashes } from '../../../test/support/crashes.js';
import { gruSpec, modelOf, seeded } from '../../../test/support/models.js';
import { mixedTicks, TestPipeline, type TickJson } from '../../../test/support/pipelines.js';
import { parseTick } from './parse-tick.js';

const COLUMNS = ['sales', 'holiday', 'holiday+1', 'holiday+2', 'price'];
const plain: PipelineSpec = { ...DEFAULT_PIPELINE, inputs: COLUMNS, horizon: 2 };
const spec: PipelineSpec = {
  ...plain,
  named: [
    { name: 'sales', ahead: 0 },
    { name: 'holiday', ahead: 2 },
    { name: 'price', ahead: 0 },
  ],
};
const model = modelOf(
  {
    inputSize: forecastFeatures(COLUMNS.length),
    layers: [gruSpec(4).layers[0], { type: 'dense', units: 2, activation: 'linear', useBias: true }],
  },
  3,
  { scaler: 'standard', forecast: { horizon: 2, season: 0, timeZone: 'UTC' }, origin: 'trained', pinned: false },
);
const parse = (json: unknown, by = spec): unknown => {
  const parsed = parseTick(new TextEncoder().encode(JSON.stringify(json)), by, undefined);
  return parsed.kind === 'tick' ? parsed.values : parsed;
};

/** The same ticks by name with what is known ahead, of which a share is missing, and with a number for each column. */
function ticksOf(seed: number, count: number, missing = 0): (TickJson | string)[][] {
  const random = seeded(seed);
  const both = mixedTicks(seed, count, 3).map((tick) => {
    if (typeof tick === 'string' || tick.control !== undefined) return [tick, tick];
    const { value, ...rest } = tick;
    const known = Array.from({ length: 3 }, () => (random() < missing ? null : Number(random() < 0.2)));
    const price = random() < 0.05 ? null : 5 + random();
    return [
      { ...rest, values: { sales: value, holiday: known, price } },
      { ...rest, values: [value, ...known, price] },
    ];
  });
  return [both.map(([one]) => one), both.map(([, other]) => other)];
}

describe('what is known ahead', () => {
  it('is an array from now on, shorter where less is known', () => {
    const read = (holiday: unknown): unknown => parse({ values: { sales: 1, holiday, price: 3 } });
    expect(read([7, 8, 9])).toEqual([1, 7, 8, 9, 3]);
    expect(read([7, 8])).toEqual([1, 7, 8, NaN, 3]);
    expect(read([null, 8])).toEqual([1, NaN, 8, NaN, 3]);
    expect(read(7)).toEqual([1, 7, NaN, NaN, 3]);
    for (const nothing of [[], null, undefined]) expect(read(nothing)).toEqual([1, NaN, NaN, NaN, 3]);
  });

  it('is read in every form that values have', () => {
    expect(parse({ values: [1, [7, 8, 9], 3] })).toEqual([1, 7, 8, 9, 3]);
    const pointed = { ...spec, fields: { values: ['/s', '/h', '/p/now'] } };
    expect(parse({ s: 1, h: [7, 8], p: { now: 3 } }, pointed)).toEqual([1, 7, 8, NaN, 3]);
  });

  it.each([
    [{ sales: 1, holiday: [1, 2, 3, 4] }, 'holiday has 4 entries: at most 3 are known, now and ahead'],
    [{ sales: 1, holiday: [1, 'x'] }, 'holiday/1 is "x": not a number'],
    [{ sales: 1, holiday: [1, [2]] }, 'holiday/1 is'],
    [{ sales: [1], holiday: 1 }, 'sales is'],
    [[1, 7, 8, 9, 3], '/values has 5 entries, the pipeline has 3 inputs: sales, holiday, price'],
  ])('is refused where it says too much: %j', (values, message) => {
    const { code, message: said } = parse({ values }) as { code: string; message: string };
    expect(code).toBe('VALUE');
    expect(said).toContain(message);
  });

  it('is to the network as an input of each tick ahead, however ticks are cut and after a crash at any write', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(fc.nat(60), { maxLength: 3 }), async (seed, crashes) => {
        const [ahead, columns] = ticksOf(seed, 160);
        const calm = await new TestPipeline(plain, { maxBatch: 1 }).open();
        await calm.swap(model);
        const options = { maxBatch: 8, hotStreams: 8, saveAfterMs: 1e9, saveAfterRecords: 48 };
        const pipeline = await new TestPipeline(spec, options).open();
        await pipeline.swap(model);
        await mustEqualThroughCrashes(pipeline, ahead, crashes, calm, columns);
      }),
      { numRuns: 15 },
    );
  });

  it('of a tick that does not say it is what the tick before said of it', async () => {
    const pipeline = await new TestPipeline(spec).open();
    const tick = (ts: number, holiday?: unknown, sales = ts): TickJson => ({
      stream: 's',
      ts,
      values: { sales, holiday, price: 3 },
    });
    const said = async (...ticks: TickJson[]): Promise<unknown[]> => {
      await pipeline.feed(...ticks);
      const window = await pipeline.pipeline.window('s');
      return Array.from(window.subarray(window.length - 6 * ticks.length)).filter((_, i) => [2, 3, 4].includes(i % 6));
    };
    expect(await said(tick(1000, [0, 5, 6]))).toEqual([0, 5, 6]);
    expect(await said(tick(2000))).toEqual([5, 6, NaN]);
    expect(await said(tick(3000, [null, 7]))).toEqual([6, 7, NaN]);
    expect(await said(tick(4000), tick(5000))).toEqual([7, NaN, NaN, NaN, NaN, NaN]);
    // Another tick of the same time is none that was spoken of; nor is one that comes late.
    expect(await said(tick(6000, [1, 2, 3]), tick(6000, undefined, 9))).toEqual([1, 2, 3, NaN, NaN, NaN]);
    expect(await said(tick(7000, [1, 2, 3]), tick(9000))).toEqual([1, 2, 3, NaN, NaN, NaN]);
    // Nor does a stream that starts over know of one.
    await pipeline.feed(tick(10_000, [1, 2, 3]), { stream: 's', control: 'reset' });
    expect(await said(tick(11_000))).toEqual([NaN, NaN, NaN]);
  });

  it('that was taken from the tick before leaves the same tick once more a duplicate', async () => {
    const pipeline = await new TestPipeline(spec).open();
    const ticks = [1000, 2000, 2000, 3000].map((ts) => ({
      stream: 's',
      ts,
      values: { sales: ts, holiday: ts === 1000 ? [0, 5] : null },
    }));
    expect((await pipeline.feed(...ticks)).map(({ code }) => code)).toEqual([
      undefined,
      undefined,
      'DUPLICATE',
      undefined,
    ]);
  });

  it('is the same however ticks are cut, and after a crash at any write', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(fc.nat(60), { maxLength: 3 }), async (seed, crashes) => {
        const [ticks] = ticksOf(seed, 160, 0.3);
        const calm = await new TestPipeline(spec, { maxBatch: 1 }).open();
        await calm.swap(model);
        const options = { maxBatch: 8, hotStreams: 8, saveAfterMs: 1e9, saveAfterRecords: 48 };
        const pipeline = await new TestPipeline(spec, options).open();
        await pipeline.swap(model);
        await mustEqualThroughCrashes(pipeline, ticks, crashes, calm, ticks);
      }),
      { numRuns: 15 },
    );
  });
});
