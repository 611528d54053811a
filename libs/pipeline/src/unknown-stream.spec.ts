import { expect, it, vi } from 'vitest';
import { TestPipeline } from '../../../test/support/pipelines.js';

it('asking for a stream that does not exist leaves nothing behind in the store', async () => {
  const test = await new TestPipeline().open();
  await test.feed({ stream: 'real', ts: 1, value: 1 });
  await test.pipeline.flush();
  await test.open();
  const load = vi.spyOn(test.states, 'load');
  expect(await test.pipeline.view('ghost')).toBeUndefined();
  expect(await test.pipeline.trace('ghost', 5)).toBeUndefined();
  expect(await test.pipeline.window('ghost')).toHaveLength(0);
  expect(await test.pipeline.view('real')).toMatchObject({ id: 'real', ticks: 1 });
  expect(load.mock.calls).toEqual(['ghost', 'ghost', 'ghost', 'real'].map((id) => [[id], { storedOnly: true }]));
  // It can come into being all the same.
  await test.feed({ stream: 'ghost', ts: 1, value: 2 });
  await test.pipeline.flush();
  await test.open();
  expect(await test.pipeline.view('ghost')).toMatchObject({ id: 'ghost', values: [2] });
});
