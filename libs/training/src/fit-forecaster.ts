/** Fits a network that forecasts several steps at once, from what a forecast plan gave and asked for at every tick of some windows: truncated back-propagation
 *  through time, a rate that falls to nothing, weight decay. The number of epochs is fixed: stopping early would cut the falling rate off. */
import { RiverrunError } from '#domain/errors';
import type { TrainingRows } from '#forecasting/training-rows';
import type { NetworkSpec } from '#rnn/spec';
import { Learner, type Batch } from './learner.js';
import { seededRandom, shuffle, type Random } from './random.js';
import { initialWeights } from './recurrent-network.js';
import type { Cell, Loss } from './train.types.js';
import { joined, partsOf } from './weight-parts.js';

export interface FitRequest {
  /** One stream each: row t is what the network is given of a tick, and what it is asked for then. */
  readonly streams: readonly TrainingRows[];
  readonly network: NetworkSpec;
  readonly cell: Cell;
  /** Same request, same seed, same backend: the same weights to the bit. */
  readonly seed: number;
  readonly epochs: number;
  /** Adam's learning rate at first. */
  readonly rate: number;
  /** Steps of a sequence that only warm the state up. Default: a quarter of it, as streams that are served are warm; 0 for streams met at their first tick. */
  readonly burnIn?: number | undefined;
  /** Of the learner, at the full rate. Default: 0.004, for streams that are few. */
  readonly weightDecay?: number | undefined;
  /** Default: mae. */
  readonly loss?: Loss | undefined;
  /** Weights of the same network to go on from. */
  readonly start?: Float32Array | undefined;
  /** After every batch: whether to stop there. */
  readonly shouldStop?: (() => boolean) | undefined;
  /** After every epoch, counted from 1; the loss in scales. */
  readonly onEpoch?: ((epoch: number, loss: number) => void) | undefined;
}

export interface FitResult {
  /** As `weightShapes(network)` lays them out. */
  readonly weights: Float32Array;
  /** Of the last whole epoch: mean loss, in scales. */
  readonly loss: number;
  readonly epochs: number;
}

/** Steps of a training sequence, where streams have rows enough. */
const STEPS = { long: 64, short: 32 };
const LONG_FROM = 2 * STEPS.long;
/** Sequences in an epoch at most: what it costs is bounded, however many streams there are. */
const MAX_PIECES = 512;
/** And at least: few rows are cut several times. Fewer steps of the optimiser leave much unlearnt, more of them learn windows by heart. */
const MIN_PIECES = 128;
const BATCH_SIZE = 16;
/** Where a loss turns from squared to absolute error, in scales: the absolute error has a small round bottom. */
const TURNS: Readonly<Record<Loss, number>> = { mae: 0.1, huber: 1 };
const WEIGHT_DECAY = 0.004;
/** What the rate has fallen to at the end. */
const LAST_RATE = 0.02;

/** RiverrunError TRAINING_FAILED where there is nothing to learn from, or the loss does not stay finite. A TensorFlow.js backend must have been picked. */
export function fitForecaster(request: FitRequest): FitResult {
  const { streams, network, cell, seed, rate, epochs, start } = request;
  const random = seededRandom(seed);
  const { inputSize } = network;
  const longest = Math.max(0, ...streams.map(({ features }) => features.length / inputSize));
  const steps = longest >= LONG_FROM ? STEPS.long : STEPS.short;
  const { burnIn = steps / 4, weightDecay = WEIGHT_DECAY, loss: kind = 'mae' } = request;
  const options = { burnIn, huber: TURNS[kind], weightDecay };
  const first = start === undefined ? initialWeights(network, seed) : partsOf(network, start);
  const learner = new Learner(cell, network, first, rate, options);
  try {
    let loss = NaN;
    let epoch = 0;
    let stop = false;
    for (; epoch < epochs && !stop; epoch += stop ? 0 : 1) {
      const batches = epochBatches(streams, inputSize, { steps, burnIn }, random);
      if (batches.length === 0)
        throw new RiverrunError(
          'TRAINING_FAILED',
          `Nothing to train on: none of ${streams.length} streams has ${steps} rows with values that follow each other; wait for more ticks`,
        );
      loss = 0;
      for (const [i, batch] of batches.entries()) {
        learner.setRate(rate * Math.max(LAST_RATE, 1 - (epoch + i / batches.length) / epochs));
        loss += learner.learn(batch) / batches.length;
        if (request.shouldStop?.() !== true) continue;
        stop = true;
        break;
      }
      if (!Number.isFinite(loss))
        throw new RiverrunError(
          'TRAINING_FAILED',
          `the loss is not finite in epoch ${epoch + 1}: the attempt is given up, what is served stays`,
        );
      if (!stop) request.onEpoch?.(epoch + 1, loss);
    }
    return { weights: joined(learner.weights()), loss, epochs: epoch };
  } finally {
    learner.dispose();
  }
}

/** Steps of the optimiser in an epoch over so many rows, about. */
export const stepsOfEpoch = (rows: number): number =>
  Math.ceil(Math.min(Math.max(rows / strideOf(STEPS.long), MIN_PIECES), MAX_PIECES) / BATCH_SIZE);

const strideOf = (steps: number): number => steps - steps / 4;

/** Every stream cut anew at a random phase, no more than MAX_PIECES in all, in random order; few rows several times, at other phases. */
function epochBatches(streams: readonly TrainingRows[], d: number, cut: Cut, random: Random): Batch[] {
  const { steps } = cut;
  const pieces: Piece[] = [];
  const stride = strideOf(steps);
  const once = streams.reduce((sum, { features }) => sum + Math.floor(features.length / d / stride), 0);
  const cuts = once === 0 ? 1 : Math.ceil(MIN_PIECES / once);
  for (const rows of streams) {
    const last = rows.features.length / d - steps;
    for (let i = 0; i < cuts && last >= 0; i++)
      for (let start = Math.floor(random() * Math.min(stride, last + 1)); start <= last; start += stride)
        pieces.push({ rows, start });
  }
  shuffle(pieces, random);
  const batches: Batch[] = [];
  const end = Math.min(pieces.length, MAX_PIECES);
  for (let i = 0; i < end; i += BATCH_SIZE)
    batches.push(toBatch(pieces.slice(i, Math.min(i + BATCH_SIZE, end)), d, cut));
  return batches.filter(({ counts }) => counts.includes(1));
}

/** How long sequences are, and how many of their first steps do not count. */
interface Cut {
  readonly steps: number;
  readonly burnIn: number;
}

interface Piece {
  readonly rows: TrainingRows;
  readonly start: number;
}

function toBatch(pieces: readonly Piece[], d: number, { steps, burnIn }: Cut): Batch {
  const size = pieces.length;
  const [{ rows: one }] = pieces;
  const outputs = one.targets.length / (one.features.length / d);
  const inputs = new Float32Array(steps * size * d);
  const targets = new Float32Array(steps * size * outputs);
  const counts = new Float32Array(steps * size * outputs);
  pieces.forEach(({ rows, start }, b) => {
    for (let s = 0; s < steps; s++) {
      const at = s * size + b;
      const t = start + s;
      inputs.set(rows.features.subarray(t * d, (t + 1) * d), at * d);
      if (s < burnIn) continue;
      for (let k = 0; k < outputs; k++) {
        const target = rows.targets[t * outputs + k];
        if (target !== target) continue;
        targets[at * outputs + k] = target;
        counts[at * outputs + k] = 1;
      }
    }
  });
  return { steps, size, inputs, targets, counts };
}
