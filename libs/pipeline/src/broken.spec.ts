import { expect, it } from 'vitest';
import { gruSpec, modelOf } from '../../../test/support/models.js';
import { recordsOf, TestPipeline, type TickJson } from '../../../test/support/pipelines.js';

const SCALED = modelOf(gruSpec(8), 7, {
  scaler: 'standard',
  target: 'difference',
  warmUp: 16,
  origin: 'trained',
  pinned: false,
});
const ticks = (n: number, from = 0): TickJson[] =>
  Array.from({ length: n }, (_, i) => ({ stream: 'a', ts: 1000 * (from + i), value: Math.sin(from + i) }));

it('after an error nothing is saved or shown before it has recovered', async () => {
  const p = await new TestPipeline(undefined, { saveAfterMs: 0 }).open();
  await p.feed(...ticks(40));
  const publish = p.log.publish.bind(p.log);
  p.log.publish = () => Promise.reject(new Error('disk full'));
  await p.log.append(recordsOf(ticks(30, 40)));
  await expect(p.pipeline.next()).rejects.toThrow('disk full');
  p.log.publish = publish;
  await p.pipeline.trace('a', 5).catch(() => undefined);
  await p.swap(SCALED).catch(() => undefined);
  await p.pipeline.recover();
  const out = await p.take(30);
  expect(out.map((o) => o.json?.prediction)).not.toContain(null);
  expect(out.every((o) => o.json !== undefined)).toBe(true);
  expect((await p.pipeline.view('a'))!.ticks).toBe(70);
});
