import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNetwork } from '#rnn/network';
import { readModel } from './read-model.js';

/** Made by Keras itself: test/fixtures/models/make.py. */
const FIXTURES = new URL('../../../../test/fixtures/models/', import.meta.url);

interface Expected {
  readonly inputs: (number | number[])[];
  readonly outputs: number[][];
  readonly vocabulary?: string[];
}

const expected: Record<string, Expected> = {};
for (const name of await readdir(FIXTURES))
  if (name.startsWith('expected.'))
    Object.assign(expected, JSON.parse(await readFile(new URL(name, FIXTURES), 'utf8')) as Record<string, Expected>);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'riverrun-keras-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function unpack(name: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, gunzipSync(await readFile(new URL(`${name}.gz`, FIXTURES))));
  return path;
}

describe('models that Keras saved', () => {
  it('are all here', () => {
    const families = Object.keys(expected).map((name) => name.replace(/-.*\./, '.'));
    expect(new Set(families)).toEqual(new Set(['keras2.h5', 'keras2.keras', 'keras3.h5', 'keras3.keras']));
  });

  it.each(Object.keys(expected))('%s: within 1e-5 of Keras at every tick', async (name) => {
    const { inputs, outputs, vocabulary } = expected[name];
    const model = await readModel(await unpack(name));
    const network = createNetwork(model.network, model.weights, { capacity: 1, maxWave: 1 });
    let largest = 0;
    inputs.forEach((input, tick) => {
      if (typeof input === 'number') network.tokens[0] = input;
      else network.inputs.set(input);
      network.slots[0] = 0;
      network.step(1);
      expect(network.outputSize).toBe(outputs[tick].length);
      outputs[tick].forEach((y, k) => {
        const error = Math.abs(network.outputs[k] - y);
        largest = Number.isNaN(error) ? Infinity : Math.max(largest, error);
      });
    });
    if (process.env.RIVERRUN_SHOW_ERRORS !== undefined) console.log(`${name}: ${largest.toExponential(2)}`);
    expect(largest).toBeLessThan(1e-5);
    expect(model.vocabulary).toEqual(vocabulary);
  });

  it('whose Keras computes in half precision are served in single, with a note', async () => {
    const mixed = await readModel(await unpack('keras3-mixed-float16.keras'));
    expect(mixed.notes.join()).toMatch(/mixed_float16.*float32/);
    const half = await readModel(await unpack('keras3-bfloat16.keras'));
    expect(half.notes.join()).toMatch(/bfloat16/);
  });
});
