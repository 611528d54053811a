import { expect, it } from 'vitest';
import type { NetworkSpec } from '#rnn/spec';
import { gruSpec, modelOf } from '../../../test/support/models.js';
import { TestPipeline, type TickJson } from '../../../test/support/pipelines.js';

const ticks = (n: number, from = 0): TickJson[] =>
  Array.from({ length: n }, (_, i) => ({ stream: 'a', ts: 1000 * (from + i), value: Math.sin(from + i) }));

it('a token on a stream whose window holds values', async () => {
  const p = await new TestPipeline().open();
  await p.feed(...ticks(40).map((t) => ({ ...t, value: 1000 * t.value! })));
  const network: NetworkSpec = {
    inputSize: 1,
    layers: [{ type: 'embedding', inputDim: 5, outputDim: 4 } as never, ...gruSpec(4, 4).layers],
  };
  await p.swap(modelOf(network, 3));
  const out = await p.feed({ stream: 'a', ts: 1e6, token: 3 });
  expect(out[0].json).toMatchObject({ source: 'model' });
});
