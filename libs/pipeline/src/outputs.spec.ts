import { expect, it } from 'vitest';
import type { NetworkSpec } from '#rnn/spec';
import { modelOf } from '../../../test/support/models.js';
import { TestPipeline } from '../../../test/support/pipelines.js';

it('several outputs are all numbers, or the baseline speaks', async () => {
  const network: NetworkSpec = {
    inputSize: 1,
    layers: [{ type: 'dense', units: 2, activation: 'linear', useBias: true }],
  } as never;
  const model = modelOf(network, 3);
  model.weights.set([0, 3e38, 0, 0]);
  const p = await new TestPipeline().open();
  await p.swap(model);
  const out = await p.feed({ stream: 'a', ts: 1, value: 100 });
  expect(out[0].json).toMatchObject({ source: 'baseline' });
});
