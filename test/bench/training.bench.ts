/** npm run bench:training: an epoch of 1,024 windows of 60 rows (forward, backward, Adam) by libs/training and by TensorFlow.js' own layers, both on
 *  its wasm backend and on the native one where `npm run tfjs-node:build` has built it, and, where PYTHON names a Python that has torch, by PyTorch
 *  on one thread. The same network, loss and optimiser for all; CPU seconds, rounds interleaved; a ratio is the median of the rounds' ratios. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { useBackend, type Backend } from '#training/backend';
import { Learner, type Batch } from '#training/learner';
import { initialWeights, networkSpec } from '#training/recurrent-network';
import { seededRandom } from '#training/random';

const ROUNDS = 5;
const UNITS = 64;
const [STEPS, SIZE, BATCHES, FEATURES] = [60, 64, 16, 2];
const RATE = 0.01;
const BURN_IN = 8;
const CELLS = ['lstm', 'gru'] as const;
type Cell = (typeof CELLS)[number];

interface Contestant {
  readonly name: string;
  /** CPU seconds of one epoch. */
  readonly epoch: (cell: Cell) => Promise<number>;
}

function makeBatches(): Batch[] {
  const random = seededRandom(1);
  const numbers = (size: number): Float32Array => Float32Array.from({ length: size }, () => 2 * random() - 1);
  return Array.from({ length: BATCHES }, () => ({
    steps: STEPS,
    size: SIZE,
    inputs: numbers(STEPS * SIZE * FEATURES),
    targets: numbers(STEPS * SIZE),
    counts: new Float32Array(STEPS * SIZE).fill(1),
  }));
}

const nameOn = (name: string, backend: Backend): string => (backend === 'wasm' ? name : `${name} (${backend})`);

const works = (backend: Backend): Promise<boolean> =>
  useBackend([backend]).then(
    () => true,
    () => false,
  );

async function cpuSeconds(run: () => Promise<void> | void): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

function ours(batches: Batch[], backend: Backend): Contestant {
  const learners = CELLS.map((cell) => {
    const spec = networkSpec(cell, FEATURES, UNITS);
    return new Learner(cell, spec, initialWeights(spec, 1), RATE, { burnIn: BURN_IN, huber: 0.5, weightDecay: 0 });
  });
  return {
    name: nameOn('riverrun', backend),
    epoch: async (cell) => {
      await useBackend([backend]);
      return cpuSeconds(() => {
        for (const batch of batches) learners[CELLS.indexOf(cell)].learn(batch);
      });
    },
  };
}

/** `trainOnBatch`, as one uses it; its loss is our pseudo-Huber. It does not clip. */
function layers(batches: Batch[], backend: Backend): Contestant {
  const models = CELLS.map((cell) => {
    const options = {
      units: UNITS,
      returnSequences: true,
      inputShape: [STEPS, FEATURES],
      recurrentInitializer: 'glorotUniform' as const,
      recurrentActivation: 'sigmoid' as const,
    };
    const recurrent = cell === 'lstm' ? tfl.layers.lstm(options) : tfl.layers.gru(options);
    const model = tfl.sequential({ layers: [recurrent, tfl.layers.dense({ units: 1 })] });
    const loss = (y: tf.Tensor, predicted: tf.Tensor): tf.Tensor => {
      const size = [SIZE, STEPS - BURN_IN, 1];
      const error = tf.sub(tf.slice(predicted, [0, BURN_IN, 0], size), tf.slice(y, [0, BURN_IN, 0], size));
      return tf.mean(tf.sub(tf.sqrt(tf.add(tf.square(error), 0.25)), 0.5));
    };
    model.compile({ optimizer: new tf.AdamOptimizer(RATE, 0.9, 0.999, 1e-7), loss });
    return model;
  });
  const batchMajor = (values: Float32Array, width: number): tf.Tensor =>
    tf.tidy(() => tf.transpose(tf.tensor3d(values, [STEPS, SIZE, width]), [1, 0, 2]));
  return {
    name: nameOn('tfjs layers', backend),
    epoch: async (cell) => {
      await useBackend([backend]);
      return cpuSeconds(async () => {
        for (const { inputs, targets } of batches) {
          const x = batchMajor(inputs, FEATURES);
          const y = batchMajor(targets, 1);
          await models[CELLS.indexOf(cell)].trainOnBatch(x, y);
          tf.dispose([x, y]);
        }
      });
    },
  };
}

/** Undefined where that Python cannot import torch. */
async function torch(python: string): Promise<Contestant | undefined> {
  const script = fileURLToPath(new URL('../../../test/bench/training-torch.py', import.meta.url));
  const child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  child.once('error', () => undefined);
  child.stdin.once('error', () => undefined);
  const epoch = async (cell: Cell): Promise<number> => {
    child.stdin.write(`${cell} ${UNITS} ${STEPS} ${SIZE} ${BATCHES}\n`);
    const line = await lines.next();
    if (line.done === true) throw new Error(`${python} did not train with torch`);
    return Number(line.value);
  };
  try {
    await epoch('gru');
  } catch (error) {
    process.stderr.write(`without PyTorch: ${String(error)}\n`);
    return undefined;
  }
  return { name: 'PyTorch', epoch };
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];
const round = (value: number): number => Number(value.toPrecision(3));

async function trainingBench(): Promise<Record<string, unknown>> {
  const batches = makeBatches();
  const python = process.env.PYTHON === undefined ? undefined : await torch(process.env.PYTHON);
  const contestants: Contestant[] = [];
  for (const backend of ['wasm', 'tensorflow'] as const) {
    if (!(await works(backend))) process.stderr.write(`without the ${backend} backend: it does not work here\n`);
    else contestants.push(ours(batches, backend), layers(batches, backend));
  }
  if (python !== undefined) contestants.push(python);
  const results: Record<string, unknown> = {};
  for (const cell of CELLS) {
    const times = new Map(contestants.map(({ name }) => [name, [] as number[]]));
    for (let r = -1; r < ROUNDS; r++) {
      for (const { name, epoch } of contestants) {
        const seconds = await epoch(cell);
        // The round before the first one warms up.
        if (r >= 0) times.get(name)!.push(seconds);
      }
    }
    const [own, ...others] = contestants.map(({ name }) => name);
    results[`${cell.toUpperCase()}-${UNITS}`] = {
      'CPU seconds an epoch': Object.fromEntries([...times].map(([name, values]) => [name, round(median(values))])),
      'times the CPU of riverrun': Object.fromEntries(
        others.map((name) => [name, round(median(times.get(name)!.map((t, r) => t / times.get(own)![r])))]),
      ),
    };
  }
  return { windows: SIZE * BATCHES, rows: STEPS, batch: SIZE, rounds: ROUNDS, ...results };
}

console.log(JSON.stringify(await trainingBench(), null, 2));
process.exit();
