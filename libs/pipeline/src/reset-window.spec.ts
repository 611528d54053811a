import { expect, it } from 'vitest';
import type { ModelArtifact } from '#domain/model';
import { FEATURES } from '#forecasting/forecast-plan';
import { gruSpec, modelOf } from '../../../test/support/models.js';
import { TestPipeline, type TickJson } from '../../../test/support/pipelines.js';

const SCALED = modelOf(gruSpec(8), 7, {
  scaler: 'standard',
  target: 'difference',
  warmUp: 16,
  origin: 'trained',
  pinned: false,
});
const ticks = (n: number, from = 0): TickJson[] =>
  Array.from({ length: n }, (_, i) => ({ stream: 'a', ts: 1000 * (from + i), value: Math.sin(from + i) }));

it('a reset makes a window void however the ticks are cut into batches', async () => {
  const all = [{ stream: 'a', control: 'reset' }, ...ticks(30, 200)];
  const results = [];
  for (const size of [1, 31]) {
    const p = await new TestPipeline().open();
    await p.feed(...ticks(60));
    await p.swap(SCALED);
    const out = [];
    for (let i = 0; i < all.length; i += size) out.push(...(await p.feed(...all.slice(i, i + size))));
    results.push(out);
  }
  expect(results[1]).toEqual(results[0]);
});

/** The streams' stored bytes. */
async function storedStates(p: TestPipeline): Promise<unknown> {
  await p.pipeline.flush();
  return (await p.states.load((await p.states.list(undefined, 10)).ids)).states;
}

const forecasting = (seed: number, season: number): ModelArtifact =>
  modelOf({ ...gruSpec(8), inputSize: FEATURES }, seed, {
    scaler: 'standard',
    origin: 'trained',
    pinned: false,
    forecast: { horizon: 1, season, timeZone: 'UTC' },
  });

// No outcome of a reset names a model: who reads the log cannot tell on which side of a swap it was.
it.each([
  ['served raw', modelOf(gruSpec(8), 1), modelOf(gruSpec(8), 2)],
  ['with a scaler', SCALED, modelOf(gruSpec(8), 8, { ...SCALED.manifest })],
  ['that forecast', forecasting(1, 7), forecasting(2, 0)],
])('a reset leaves the same state on either side of a swap of models %s', async (_, one, other) => {
  const results = [];
  for (const first of ['swap', 'reset']) {
    const p = await new TestPipeline().open();
    await p.swap(one);
    await p.feed(...ticks(40), { stream: 'b', ts: 1, value: 1 });
    if (first === 'swap') await p.swap(other);
    await p.feed({ stream: 'a', control: 'reset' }, { stream: 'never seen', control: 'reset' });
    if (first === 'reset') await p.swap(other);
    const stored = await storedStates(p);
    // As after a restart, and without one.
    for (const cold of [true, false]) {
      if (cold) await p.open();
      results.push({ stored, out: await p.feed(...ticks(20, cold ? 100 : 200)), after: await storedStates(p) });
    }
  }
  const [swapFirst, swapFirstHot, resetFirst, resetFirstHot] = results;
  expect(resetFirst).toEqual(swapFirst);
  expect(resetFirstHot).toEqual(swapFirstHot);
});
