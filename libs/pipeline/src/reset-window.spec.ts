import { expect, it } from 'vitest';
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
