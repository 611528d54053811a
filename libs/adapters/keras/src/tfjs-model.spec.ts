import { symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as tfl from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { createNetwork } from '#rnn/network';
import { modelFolder } from '../testing/files.js';
import { expectRefusal } from '../testing/refusal.js';
import { readModel } from './read-model.js';

const file = modelFolder();
const TICKS = 7;

interface Saved {
  readonly json: { weightsManifest: { paths: string[]; weights: Record<string, unknown>[] }[]; [key: string]: unknown };
  readonly data: Buffer;
}

async function save(model: tfl.LayersModel): Promise<Saved> {
  let saved: Saved | undefined;
  await model.save(
    tf.io.withSaveHandler((artifacts) => {
      const { modelTopology, weightSpecs, weightData } = artifacts;
      const weights = weightSpecs as unknown as Record<string, unknown>[];
      const json = { format: 'layers-model', modelTopology, weightsManifest: [{ paths: ['a.bin', 'b.bin'], weights }] };
      saved = { json: JSON.parse(JSON.stringify(json)) as Saved['json'], data: Buffer.from(weightData as ArrayBuffer) };
      return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } });
    }),
  );
  return saved!;
}

/** In two shards, cut in the middle of a number. */
async function write(name: string, { json, data }: Saved): Promise<string> {
  const cut = Math.floor(data.length / 2) + 1;
  await file(`${name}/a.bin`, data.subarray(0, cut));
  await file(`${name}/b.bin`, data.subarray(cut));
  return file(`${name}/model.json`, JSON.stringify(json));
}

function randomise(model: tfl.LayersModel): void {
  const names = model.weights.map(({ originalName }) => originalName);
  model.setWeights(
    model.getWeights().map((w, i) => {
      const values = tf.randomNormal(w.shape, 0, 0.4, 'float32', 100 + i);
      return names[i].includes('variance') ? tf.add(tf.abs(values), 0.5) : values;
    }),
  );
}

/** Per tick, by running ever longer beginnings. */
function perTick(model: tfl.LayersModel, x: tf.Tensor): number[][] {
  return Array.from({ length: TICKS }, (_, t) =>
    tf.tidy(() => {
      const y = model.predict(
        tf.slice(x, x.rank === 2 ? [0, 0] : [0, 0, 0], x.rank === 2 ? [1, t + 1] : [1, t + 1, 2]),
      ) as tf.Tensor;
      return Array.from(y.dataSync()).slice(-y.shape[y.shape.length - 1]);
    }),
  );
}

const l = tfl.layers;
const recurrent = { returnSequences: true, recurrentInitializer: 'glorotUniform' } as const;
const models: [string, () => tfl.LayersModel][] = [
  [
    'simple-rnn',
    () =>
      tfl.sequential({
        layers: [
          l.simpleRNN({ units: 4, inputShape: [null, 2], ...recurrent }),
          l.simpleRNN({ units: 3, activation: 'relu', useBias: false, recurrentInitializer: 'glorotUniform' }),
          l.dense({ units: 2, activation: 'softmax' }),
        ],
      }),
  ],
  [
    'lstm',
    () =>
      tfl.sequential({
        layers: [
          l.lstm({ units: 4, inputShape: [null, 2], ...recurrent }),
          l.dropout({ rate: 0.3 }),
          l.lstm({ units: 3, recurrentActivation: 'sigmoid', activation: 'softsign', useBias: false, ...recurrent }),
          l.dense({ units: 1, activation: 'hardSigmoid' }),
        ],
      }),
  ],
  [
    'gru',
    () =>
      tfl.sequential({
        layers: [
          l.gru({ units: 4, inputShape: [null, 2], ...recurrent }),
          l.gru({
            units: 3,
            recurrentActivation: 'sigmoid',
            activation: 'elu',
            useBias: false,
            recurrentInitializer: 'glorotUniform',
          }),
          l.dense({ units: 1, activation: 'relu6' }),
          l.activation({ activation: 'tanh' }),
        ],
      }),
  ],
  [
    'cells',
    () =>
      tfl.sequential({
        layers: [
          l.rnn({
            inputShape: [null, 2],
            returnSequences: true,
            cell: [
              l.gruCell({ units: 3, recurrentInitializer: 'glorotUniform' }),
              l.lstmCell({ units: 2, recurrentInitializer: 'glorotUniform' }),
            ] as never,
          }),
          l.timeDistributed({ layer: l.dense({ units: 2 }) }),
          l.batchNormalization(),
        ],
      }),
  ],
  [
    'functional',
    () => {
      const input = tfl.input({ shape: [null, 2] });
      const out = l
        .dense({ units: 1, name: 'out' })
        .apply(
          l.lstm({ units: 3, name: 'z', recurrentInitializer: 'glorotUniform' }).apply(input),
        ) as tfl.SymbolicTensor;
      return tfl.model({ inputs: input, outputs: out });
    },
  ],
  [
    'embedding',
    () =>
      tfl.sequential({
        layers: [
          l.embedding({ inputDim: 9, outputDim: 4, inputShape: [null] }),
          l.simpleRNN({ units: 4, recurrentInitializer: 'glorotUniform' }),
          l.dense({ units: 1, activation: 'sigmoid' }),
        ],
      }),
  ],
  [
    'mask',
    () =>
      tfl.sequential({
        layers: [
          l.embedding({ inputDim: 9, outputDim: 4, maskZero: true, inputShape: [null] }),
          l.lstm({ units: 4, recurrentInitializer: 'glorotUniform' }),
          l.dense({ units: 1 }),
        ],
      }),
  ],
];

beforeAll(() => tf.setBackend('cpu'));

describe('models that TensorFlow.js saved', () => {
  it.each(models)('%s: within 1e-5 of TensorFlow.js at every tick', async (name, make) => {
    const model = make();
    randomise(model);
    const tokens = ['embedding', 'mask'].includes(name);
    const x = tokens ? tf.tensor2d([[3, 0, 8, 1, 0, 2, 5]]) : tf.randomNormal([1, TICKS, 2], 0, 1, 'float32', 5);
    const outputs = perTick(model, x);
    const { network: spec, weights } = await readModel(await write(name, await save(model)));
    const network = createNetwork(spec, weights, { capacity: 1, maxWave: 1 });
    const inputs = x.dataSync();
    let largest = 0;
    outputs.forEach((expected, t) => {
      if (tokens) network.tokens[0] = inputs[t];
      else network.inputs.set(inputs.slice(2 * t, 2 * t + 2));
      network.step(1);
      expected.forEach((y, k) => (largest = Math.max(largest, Math.abs(y - network.outputs[k]) || 0)));
      expect(network.outputs.every(Number.isFinite)).toBe(true);
    });
    if (process.env.RIVERRUN_SHOW_ERRORS !== undefined) console.log(`tfjs ${name}: ${largest.toExponential(2)}`);
    expect(largest).toBeLessThan(1e-5);
  });
});

describe('a model.json', () => {
  let saved: Saved;
  beforeAll(async () => {
    const model = models[2][1]();
    randomise(model);
    saved = await save(model);
  });
  const changed = (change: (json: Saved['json']) => void): Saved => {
    const json = structuredClone(saved.json);
    change(json);
    return { json, data: saved.data };
  };

  it('is read from its folder, too', async () => {
    const path = await write('folder', saved);
    expect(await readModel(dirname(path))).toEqual(await readModel(path));
  });

  it.each([
    '../a.bin',
    '/etc/passwd',
    'x/../../a.bin',
    '..\\a.bin',
    'C:/a.bin',
    'http://127.0.0.1/a.bin',
    'file:///etc/passwd',
  ])('that wants %s is refused', async (path) => {
    const bad = changed((json) => (json.weightsManifest[0].paths[0] = path));
    await expectRefusal(await write('path', bad), 'MODEL_INVALID', /points outside the model's folder/);
  });

  it('whose weights are a link out of the folder is refused', async () => {
    const path = await write(
      'link',
      changed((json) => (json.weightsManifest[0].paths = ['link.bin'])),
    );
    await symlink(await file('elsewhere.bin', saved.data), join(dirname(path), 'link.bin'));
    await expectRefusal(path, 'MODEL_INVALID', /link out of the model's folder/);
  });

  it.each<[string, (json: Saved['json']) => void, RegExp]>([
    ['too few bytes', (json) => json.weightsManifest[0].paths.pop(), /hold \d+ bytes, model.json says/],
    ['too many bytes', (json) => json.weightsManifest[0].weights.pop(), /more bytes than model.json says/],
    ['a missing file', (json) => (json.weightsManifest[0].paths[1] = 'c.bin'), /"c.bin" cannot be read/],
    ['absurd shapes', (json) => (json.weightsManifest[0].weights[0].shape = [65_536, 65_536]), /asks for/],
    ['negative shapes', (json) => (json.weightsManifest[0].weights[0].shape = [-1]), /its shape cannot be read/],
  ])('with %s is refused', async (_, change, message) => {
    await expectRefusal(await write('bad', changed(change)), 'MODEL_INVALID', message);
  });

  it.each(['uint8', 'uint16', 'float16'] as const)('quantised as %s is brought back to floats', async (dtype) => {
    const exact = (await readModel(await write('exact', saved))).weights;
    const floats = new Float32Array(
      saved.data.buffer.slice(saved.data.byteOffset, saved.data.byteOffset + saved.data.length),
    );
    const levels = dtype === 'uint8' ? 255 : 65_535;
    const min = Math.min(...floats);
    const scale = (Math.max(...floats) - min) / levels;
    const values = Array.from(floats, (x) => Math.round((x - min) / scale));
    const data =
      dtype === 'float16'
        ? Buffer.from(Uint16Array.from(floats, toHalf).buffer)
        : dtype === 'uint8'
          ? Buffer.from(values)
          : Buffer.from(Uint16Array.from(values).buffer);
    const { json } = changed((j) => {
      for (const weight of j.weightsManifest[0].weights)
        weight.quantization = { dtype, original_dtype: 'float32', ...(dtype !== 'float16' && { scale, min }) };
    });
    const { weights } = await readModel(await write('quantised', { json, data }));
    const largest = weights.reduce((most, w, i) => Math.max(most, Math.abs(w - exact[i])), 0);
    expect(largest).toBeLessThan(dtype === 'float16' ? 2e-3 : scale);
    expect(largest).toBeGreaterThan(0);
  });
});

/** Enough of a half float for weights around 1: cut off, not rounded. */
function toHalf(value: number): number {
  const bits = new Uint32Array(new Float32Array([value]).buffer)[0];
  const exponent = ((bits >>> 23) & 255) - 112;
  return exponent <= 0 ? 0 : ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 1023);
}
