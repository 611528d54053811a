/** `riverrun model` and `riverrun trace` over a data folder, without a service. */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ModelManifest } from '#domain/model';
import { digestOf } from '#domain/model-digest';
import type { NetworkSpec } from '#rnn/spec';
import { encodeModelFile } from '../../apps/cli/src/models/model-file.js';
import { jsonLines, runCli, type Finished } from '../support/run-cli.js';

/** h = x + h / 2, y = 2 h */
const HALF: NetworkSpec = {
  inputSize: 1,
  layers: [
    { type: 'simple_rnn', units: 1, activation: 'linear', useBias: false },
    { type: 'dense', units: 1, activation: 'linear', useBias: false },
  ],
};
/** Words 0 to 3 are worth 0, 1, 10, 100; h adds them up. */
const WORDS: NetworkSpec = {
  inputSize: 1,
  layers: [
    { type: 'embedding', inputDim: 4, outputDim: 1 },
    { type: 'simple_rnn', units: 1, activation: 'linear', useBias: false },
    { type: 'dense', units: 2, activation: 'linear', useBias: false },
  ],
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'riverrun-cli-'));
});

const run = (...args: string[]): Promise<Finished> =>
  runCli(args, { cwd: folder, env: { RIVERRUN_DATA_DIR: join(folder, 'data') } });
const json = async (...args: string[]): Promise<unknown> => {
  const { code, stdout, stderr } = await run(...args, '--json');
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
};
function save(file: string, network: NetworkSpec, weights: number[], more: Partial<ModelManifest> = {}): string {
  const manifest: Omit<ModelManifest, 'digest'> = {
    format: 1,
    name: 'any',
    version: 1,
    network,
    scaler: 'none',
    target: 'value',
    warmUp: 0,
    origin: 'imported',
    pinned: true,
    createdAt: '2024-01-01T00:00:00.000Z',
    ...more,
  };
  const floats = Float32Array.from(weights);
  writeFileSync(
    join(folder, file),
    encodeModelFile({ manifest: { ...manifest, digest: digestOf(manifest, floats) }, weights: floats }),
  );
  return file;
}

describe('riverrun model', () => {
  it('imports, lists, activates, rolls back, exports and reads back', { timeout: 60_000 }, async () => {
    expect(await run('model', 'ls')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('no models yet') as string,
    });
    save('half.json', HALF, [1, 0.5, 2]);
    expect(await json('model', 'import', 'half.json', '--name', 'half', '--activate')).toMatchObject({
      name: 'half',
      version: 1,
      pinned: true,
      scaler: 'none',
      warmUp: 0,
      activated: 'default',
    });
    expect(await json('model', 'import', 'half.json', '--name', 'half', '--scaler', 'standard')).toMatchObject({
      version: 2,
      scaler: 'standard',
      warmUp: 16,
      activated: null,
    });
    const list = await run('model', 'ls');
    expect(list.stdout).toMatch(/^MODEL +NETWORK/);
    expect(list.stdout).toMatch(/half@1 .*simple-rnn\(1\) dense\(1\).*champion of default/);
    expect(await json('model', 'activate', 'half')).toEqual({
      pipeline: 'default',
      champion: 'half@2',
      previous: 'half@1',
    });
    expect(await json('model', 'rollback')).toMatchObject({ champion: 'half@1' });
    expect(await json('model', 'promote', 'half@2')).toMatchObject({ champion: 'half@2', previous: 'half@1' });
    expect(await json('model', 'ls')).toMatchObject({
      models: [{ name: 'half', version: 1 }, { version: 2 }],
      pipelines: [{ name: 'default', champion: 'half@2', previous: 'half@1' }],
    });

    const shown = (await json('model', 'show', 'half@2')) as ModelManifest;
    expect(shown).toMatchObject({ version: 2, weights: 3, network: HALF });
    expect((await run('model', 'show', 'half')).stdout).toMatch(/^model +half@2\n/);
    expect(await run('model', 'export', 'half@2', 'out.json')).toMatchObject({ code: 0 });
    expect(await json('model', 'import', 'out.json')).toMatchObject({
      name: 'half',
      version: 3,
      scaler: 'standard',
      createdAt: shown.createdAt,
    });
  });

  it('serves a model of the registry through pipe', async () => {
    await json('model', 'import', save('half.json', HALF, [1, 0.5, 2], { name: 'half' }));
    const { code, stdout } = await runCli(['pipe', '--model', 'half@1'], {
      env: { RIVERRUN_DATA_DIR: join(folder, 'data') },
      input: '{"stream":"a","ts":1,"value":3}\n{"stream":"a","ts":2,"value":0}\n',
    });
    expect(code).toBe(0);
    expect(jsonLines(stdout)).toMatchObject([
      { prediction: 6, model: 'half@1', source: 'model' },
      { prediction: 3, model: 'half@1' },
    ]);
  });

  it('reads TensorFlow.js and Keras files', { timeout: 60_000 }, async () => {
    const layer = (kind: string, name: string, more: object = {}): object => ({
      class_name: kind,
      config: { name, dtype: 'float32', units: 1, activation: 'linear', use_bias: false, ...more },
    });
    const layers = [
      layer('SimpleRNN', 'simple_rnn', { batch_input_shape: [null, null, 1], return_sequences: true }),
      layer('Dense', 'dense'),
    ];
    const weight = (name: string): object => ({ name, shape: [1, 1], dtype: 'float32' });
    const model = {
      format: 'layers-model',
      modelTopology: {
        keras_version: '2.15.0',
        backend: 'tensorflow',
        model_config: { class_name: 'Sequential', config: { name: 'sequential', layers } },
      },
      weightsManifest: [
        {
          paths: ['weights.bin'],
          weights: [weight('simple_rnn/kernel'), weight('simple_rnn/recurrent_kernel'), weight('dense/kernel')],
        },
      ],
    };
    writeFileSync(join(folder, 'model.json'), JSON.stringify(model));
    writeFileSync(join(folder, 'weights.bin'), new Uint8Array(Float32Array.of(1, 0.5, 2).buffer));
    expect(await json('model', 'import', 'model.json', '--name', 'tfjs')).toMatchObject({
      name: 'tfjs',
      network: HALF,
      origin: 'imported',
      pinned: true,
      scaler: 'none',
      target: 'value',
      warmUp: 0,
    });
    expect(await json('trace', '--model', 'tfjs@1', '--values', '1,0,4')).toMatchObject({
      rows: [{ output: 2 }, { output: 1 }, { output: 8.5 }],
    });
    const keras = fileURLToPath(new URL('../fixtures/models/keras3-lstm.keras', import.meta.url));
    if (existsSync(keras)) {
      expect(await json('model', 'import', keras)).toMatchObject({ name: 'keras3-lstm', version: 1, pinned: true });
      expect(await run('trace', '--model', keras, '--values', '1,2')).toMatchObject({ code: 0, stderr: '' });
    }
  });

  it('gives a share of the streams to a canary, and takes it back', { timeout: 60_000 }, async () => {
    save('half.json', HALF, [1, 0.5, 2]);
    for (const activate of [['--activate'], []])
      await json('model', 'import', 'half.json', '--name', 'half', ...activate);
    const served = { pipeline: 'default', champion: 'half@1', previous: null };
    expect(await json('model', 'canary', 'half@2', '--share', '0.1')).toEqual({
      ...served,
      canary: 'half@2',
      share: 0.1,
    });
    expect((await run('model', 'ls')).stdout).toMatch(/half@2 .*canary in default, 10 %/);
    expect(await json('model', 'ls')).toMatchObject({ pipelines: [{ canary: 'half@2', share: 0.1 }] });
    expect(await run('model', 'canary', 'half@2', '--share', '0.25')).toMatchObject({
      code: 0,
      stdout: 'pipeline default serves half@1, and half@2 25 % of its streams\n',
    });
    expect(await json('model', 'canary', 'half@2', '--share', '0')).toEqual(served);
    await json('model', 'canary', 'half@2', '--share', '0.5');
    expect(await json('model', 'promote', 'half@2')).toEqual({ ...served, champion: 'half@2', previous: 'half@1' });
    expect(await json('model', 'ls')).toMatchObject({ pipelines: [{ canary: null, share: null }] });
  });

  it('refuses what cannot be, in one line', { timeout: 60_000 }, async () => {
    const two: NetworkSpec = { ...HALF, inputSize: 2 };
    save('two.json', two, [1, 1, 0.5, 2], { name: 'two' });
    save('half.json', HALF, [1, 0.5, 2], { name: 'half' });
    const cut = readFileSync(join(folder, 'half.json'), 'utf8');
    writeFileSync(join(folder, 'cut.json'), cut.slice(0, -20));
    writeFileSync(join(folder, 'changed.json'), cut.replace('"scaler":"none"', '"scaler":"standard"'));
    writeFileSync(join(folder, 'words.txt'), 'a\nb\n');
    writeFileSync(join(folder, 'unknown.bin'), 'what is this');
    expect(await run('model', 'canary', 'half', '--share', '1')).toMatchObject({ code: 2 });
    for (const [args, text] of [
      [['model', 'import', 'missing.keras'], 'MODEL_FILE'],
      [['model', 'import', '.'], 'MODEL_INVALID'],
      [['model', 'import', 'unknown.bin'], 'MODEL_INVALID'],
      [['model', 'import', 'cut.json'], 'MODEL_CORRUPT'],
      [['model', 'import', 'changed.json'], 'MODEL_CORRUPT'],
      [['model', 'import', 'half.json', '--vocabulary', 'words.txt'], 'VOCABULARY'],
      [['model', 'import', 'two.json', '--activate'], 'MODEL_MISMATCH: imported, but not activated'],
      [['model', 'activate', 'two'], 'MODEL_MISMATCH'],
      [['model', 'activate', 'nobody'], 'MODEL_NOT_FOUND'],
      [['model', 'show', 'two@9'], 'MODEL_NOT_FOUND'],
      [['model', 'rollback'], 'MODEL_NOT_FOUND: pipeline default serves no model'],
      [['model', 'canary', 'half', '--share', '0.1'], 'MODEL_NOT_FOUND'],
      [['trace', '--model', 'half.json', '--tokens', 'a b'], 'TOKEN'],
      [['trace', '--model', 'half.json', '--values', '1,2;3,4'], 'VALUE'],
      [['pipe', '--model', 'two.json'], 'MODEL_MISMATCH'],
    ] as const) {
      const { code, stdout, stderr } = await run(...args);
      expect(stderr).toMatch(/^riverrun: [^\n]+\n$/);
      expect(stderr).toContain(text);
      expect([code, stdout], args.join(' ')).toEqual([1, '']);
    }
    expect(await run('model', 'import', 'half.json', '--pipeline', 'other')).toMatchObject({ code: 2 });
  });
});

describe('riverrun trace --model', () => {
  it('steps a model over values', async () => {
    save('half.json', HALF, [1, 0.5, 2]);
    const { code, stdout } = await run('trace', '--model', 'half.json', '--values', '1,-2.5,0');
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        'Step  Input  Memory   Output',
        '   1  1      [1.00]   2',
        '   2  -2.5   [-2.00]  -4',
        '   3  0      [-1.00]  -2',
        '',
      ].join('\n'),
    );
    expect(await json('trace', '--model', 'half.json', '--values', '1,0')).toMatchObject({
      rows: [
        { step: 1, input: 1, memory: [1], output: 2 },
        { step: 2, input: 0, memory: [0.5], output: 1 },
      ],
    });
  });

  it('steps a model over words, by every form of vocabulary', { timeout: 60_000 }, async () => {
    save('words.json', WORDS, [0, 1, 10, 100, 1, 1, 1, -1]);
    for (const [file, content] of [
      ['list.json', '["", "i", "love", "pizza"]'],
      ['ids.json', '{"pizza": 3, "love": 2, "i": 1}'],
      ['lines.txt', '\ni\r\nlove\r\npizza\r\n'],
    ] as const) {
      writeFileSync(join(folder, file), content);
      const { stdout, stderr } = await run(
        'trace',
        '--model',
        'words.json',
        '--vocabulary',
        file,
        '--tokens',
        ' I love  pizza ',
      );
      expect(stderr).toBe('');
      expect(stdout).toBe(
        [
          'Step  Input  Memory    Output',
          '   1  I      [1.00]    [1.00 -1.00]',
          '   2  love   [11.00]   [11.00 -11.00]',
          '   3  pizza  [111.00]  [111.00 -111.00]',
          '',
        ].join('\n'),
      );
    }
    expect(
      await run('trace', '--model', 'words.json', '--vocabulary', 'list.json', '--tokens', 'I hate'),
    ).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^riverrun: TOKEN: "hate" is not in the model's vocabulary/) as string,
    });
    writeFileSync(join(folder, 'unknown.txt'), '[UNK]\ni\nlove\npizza');
    const unknown = (await json(
      'trace',
      '--model',
      'words.json',
      '--vocabulary',
      'unknown.txt',
      '--tokens',
      'I hate',
    )) as { rows: unknown[] };
    expect(unknown.rows).toMatchObject([{ outputs: [1, -1] }, { input: 'hate', outputs: [1, -1] }]);
    expect(await run('trace', '--model', 'words.json', '--tokens', '1 3')).toMatchObject({ code: 0 });
    expect(await run('trace', '--model', 'words.json', '--tokens', 'pizza')).toMatchObject({ code: 1 });
    writeFileSync(join(folder, 'many.txt'), 'a\nb\nc\nd\ne');
    expect((await run('model', 'import', 'words.json', '--vocabulary', 'many.txt')).stderr).toContain('5 words');
  });
});
