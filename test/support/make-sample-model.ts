/** The sample model Embedding(10,000 -> 64) -> SimpleRNN(64) -> Dense(1, sigmoid), trained for some seconds to tell nice sentences from nasty ones.
 *
 *  node dist/test/support/make-sample-model.js FOLDER [SEED]
 *  writes FOLDER/model.json, FOLDER/weights.bin and FOLDER/vocabulary.json. The same seed gives the same model. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import * as tfl from '@tensorflow/tfjs-layers';

const ROWS = 10_000;
const UNITS = 64;
const EPOCHS = 12;

const SUBJECTS = ['i', 'they'];
const THINGS = ['pizza', 'rain', 'music', 'snow', 'cats', 'mondays', 'coffee', 'traffic'];
/** Nice and nasty words stand in the same places, so that only they decide. */
const VERBS = [
  ['love', 'like', 'enjoy', 'adore'],
  ['hate', 'dislike', 'despise', 'detest'],
];
const VERDICTS = [
  ['great', 'good', 'wonderful', 'lovely'],
  ['terrible', 'bad', 'awful', 'boring'],
];

/** Id 0 is padding and 1 an unknown word, as Keras' TextVectorization has it; the embedding's other rows are never used. */
const WORDS = ['', '[UNK]', ...SUBJECTS, 'the', 'was', ...THINGS, ...VERBS.flat(), ...VERDICTS.flat()];

export interface SampleModel {
  readonly modelPath: string;
  readonly vocabularyPath: string;
  /** What TensorFlow.js itself gives after each word. */
  readonly score: (sentence: string) => number[];
}

export async function makeSampleModel(folder: string, seed = 1): Promise<SampleModel> {
  await tf.setBackend('cpu');
  // Rows without a word never change in training, and cost it minutes: it sees only those with one.
  const small = build(WORDS.length, seed);
  await train(small);
  const model = widen(small, build(ROWS, seed));
  const modelPath = join(folder, 'model.json');
  const vocabularyPath = join(folder, 'vocabulary.json');
  await mkdir(folder, { recursive: true });
  await save(model, folder);
  await writeFile(vocabularyPath, `${JSON.stringify(WORDS)}\n`);
  return { modelPath, vocabularyPath, score: (sentence) => score(model, idsOf(sentence)) };
}

function build(rows: number, seed: number): tfl.Sequential {
  const { embedding, simpleRNN, dense } = tfl.layers;
  const { randomUniform, glorotUniform } = tfl.initializers;
  return tfl.sequential({
    layers: [
      embedding({
        inputDim: rows,
        outputDim: UNITS,
        inputShape: [null],
        embeddingsInitializer: randomUniform({ minval: -0.05, maxval: 0.05, seed }),
      }),
      simpleRNN({
        units: UNITS,
        kernelInitializer: glorotUniform({ seed: seed + 1 }),
        // Orthogonal, Keras' default, takes TensorFlow.js longer than the training does.
        recurrentInitializer: glorotUniform({ seed: seed + 2 }),
      }),
      dense({ units: 1, activation: 'sigmoid', kernelInitializer: glorotUniform({ seed: seed + 3 }) }),
    ],
  });
}

/** The trained model, with all the other rows of the embedding below its own. */
function widen(small: tfl.Sequential, model: tfl.Sequential): tfl.Sequential {
  const [words, ...others] = small.getWeights();
  const [rows] = model.getWeights();
  const rest = tf.slice(rows, [WORDS.length, 0], [ROWS - WORDS.length, UNITS]);
  model.setWeights([tf.concat([words, rest], 0), ...others]);
  return model;
}

/** Every beginning of every sentence, and what it should score: 1 nice, 0 nasty, 1/2 while nothing has been decided. */
function beginnings(): Map<string, number> {
  const found = new Map<string, number>();
  const add = (text: string, decidedAt: number, side: number): void => {
    const words = text.split(' ');
    words.forEach((_, i) => found.set(words.slice(0, i + 1).join(' '), i < decidedAt ? 0.5 : 1 - side));
  };
  for (const side of [0, 1])
    for (const thing of THINGS) {
      for (const subject of SUBJECTS) for (const verb of VERBS[side]) add(`${subject} ${verb} ${thing}`, 1, side);
      for (const verdict of VERDICTS[side]) add(`the ${thing} was ${verdict}`, 3, side);
    }
  return found;
}

/** Texts of one length go in together: without padding, as ticks come. */
async function train(model: tfl.Sequential): Promise<void> {
  model.compile({ optimizer: tf.train.adam(0.01), loss: 'binaryCrossentropy' });
  const all = [...beginnings()].map(([text, score]) => ({ ids: idsOf(text), score }));
  for (let epoch = 0; epoch < EPOCHS; epoch++)
    // TensorFlow.js cannot differentiate through a series of one.
    for (const length of [2, 3, 4]) {
      const group = all.filter(({ ids }) => ids.length === length);
      const x = tf.tensor2d(group.map(({ ids }) => ids));
      const y = tf.tensor2d(group.map(({ score }) => [score]));
      await model.fit(x, y, { batchSize: group.length, epochs: 1, shuffle: false, verbose: 0 });
      tf.dispose([x, y]);
    }
}

function idsOf(sentence: string): number[] {
  return sentence
    .toLowerCase()
    .split(' ')
    .map((word) => (WORDS.includes(word) ? WORDS.indexOf(word) : 1));
}

function score(model: tfl.Sequential, ids: readonly number[]): number[] {
  return ids.map((_, t) =>
    tf.tidy(() => (model.predict(tf.tensor2d([ids.slice(0, t + 1)])) as tf.Tensor).dataSync()[0]),
  );
}

async function save(model: tfl.Sequential, folder: string): Promise<void> {
  await model.save(
    tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData }) => {
      const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
      const json = { format: 'layers-model', generatedBy: 'TensorFlow.js', modelTopology, weightsManifest };
      await writeFile(join(folder, 'weights.bin'), Buffer.from(weightData as ArrayBuffer));
      await writeFile(join(folder, 'model.json'), JSON.stringify(json));
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [folder = 'sample-model', seed = '1'] = process.argv.slice(2);
  const { modelPath, score: scoreOf } = await makeSampleModel(folder, Number(seed));
  console.log(modelPath);
  for (const sentence of ['I love pizza', 'I hate rain'])
    console.log(
      sentence,
      scoreOf(sentence)
        .map((p) => p.toFixed(3))
        .join(' '),
    );
}
