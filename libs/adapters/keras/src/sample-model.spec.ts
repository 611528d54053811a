import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNetwork } from '#rnn/network';
import { makeSampleModel, type SampleModel } from '../../../../test/support/make-sample-model.js';
import type { ImportedModel } from './convert.js';
import { readModel } from './read-model.js';

let folder: string;
let sample: SampleModel;
let model: ImportedModel;
let words: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'riverrun-sample-'));
  sample = await makeSampleModel(folder);
  model = await readModel(sample.modelPath);
  words = JSON.parse(await readFile(sample.vocabularyPath, 'utf8')) as string[];
}, 60_000);
afterAll(() => rm(folder, { recursive: true }));

function served(sentence: string): number[] {
  const network = createNetwork(model.network, model.weights, { capacity: 1, maxWave: 1 });
  return sentence.split(' ').map((word) => {
    network.tokens[0] = words.indexOf(word.toLowerCase());
    network.step(1);
    return network.outputs[0];
  });
}

describe('the sample model, token by token', () => {
  it('has the shape of the mission', () => {
    expect(model.network).toEqual({
      inputSize: 1,
      layers: [
        { type: 'embedding', inputDim: 10_000, outputDim: 64, maskZero: false },
        { type: 'simple_rnn', units: 64, activation: 'tanh', useBias: true },
        { type: 'dense', units: 1, activation: 'sigmoid', useBias: true },
      ],
    });
  });

  it.each(['I love pizza', 'I hate rain', 'the coffee was awful', 'they adore mondays'])(
    '"%s" as TensorFlow.js has it',
    (sentence) => {
      const expected = sample.score(sentence);
      served(sentence).forEach((p, i) => expect(Math.abs(p - expected[i])).toBeLessThan(1e-5));
    },
  );

  it('rises for what is loved and falls for what is hated', () => {
    const nice = served('I love pizza');
    const nasty = served('I hate rain');
    expect(nice[2]).toBeGreaterThan(0.8);
    expect(nasty[2]).toBeLessThan(0.2);
    expect(nice[1]).toBeGreaterThan(0.5);
    expect(nasty[1]).toBeLessThan(0.5);
    expect(nice[0]).toBe(nasty[0]);
  });
});
