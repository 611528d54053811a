/** Trains a network that forecasts several steps at once, from what a forecast plan gave and asked for at every tick of some windows: truncated back-propagation
 *  through time, a rate that falls to nothing, weight decay. The number of epochs is fixed: what comes out is judged on live ticks, beside the champion, and
 *  rows held back here would be the newest, which a network that follows a changing stream needs most. */
import { RiverrunError } from '#domain/errors';
import type { NetworkSpec } from '#rnn/spec';
import { pickBackend } from './backend.js';
import { Learner } from './learner.js';
import { seededRandom, shuffle, type Random } from './random.js';
import { initialWeights, networkSpec } from './recurrent-network.js';
import type { Batch } from './sequences.js';
import type { Cell } from './train.types.js';
import { joined, partsOf } from './weight-parts.js';

/** One stream: row t is what the network is given of a tick, and what it is asked for then. */
export interface ForecastRows {
  /** [rows, inputs] */
  readonly features: Float32Array;
  /** [rows, outputs], in scales; NaN = unknown */
  readonly targets: Float32Array;
}

export interface FitRequest {
  readonly streams: readonly ForecastRows[];
  readonly inputs: number;
  readonly outputs: number;
  readonly cell: Cell;
  readonly hidden: number;
  /** Same request, same seed, same backend: the same weights to the bit. */
  readonly seed: number;
  readonly epochs: number;
  /** Adam's learning rate at first. */
  readonly rate: number;
  /** Weights of the same network to go on from. */
  readonly warmStart?: Float32Array | undefined;
}

export interface FitResult {
  readonly network: NetworkSpec;
  /** As `weightShapes(network)` lays them out. */
  readonly weights: Float32Array;
  /** Of the last epoch: mean loss, in scales. */
  readonly loss: number;
}

const STEPS = 64;
const BURN_IN = 16;
const BATCH_SIZE = 16;
/** The loss is the absolute error but for a small round bottom. */
const HUBER = 0.1;
const WEIGHT_DECAY = 0.001;
/** What the rate has fallen to at the end. */
const LAST_RATE = 0.02;

/** RiverrunError TRAINING_FAILED where there is nothing to learn from, or the loss does not stay finite. */
export async function fitForecaster(request: FitRequest): Promise<FitResult> {
  const { inputs, outputs, cell, hidden, seed, rate, epochs, warmStart } = request;
  await pickBackend();
  const network = networkSpec(cell, inputs, hidden, outputs);
  const random = seededRandom(seed);
  const options = { burnIn: BURN_IN, huber: HUBER, weightDecay: WEIGHT_DECAY };
  const start = warmStart === undefined ? initialWeights(network, seed) : partsOf(network, warmStart);
  const learner = new Learner(cell, network, start, 1, rate, options);
  try {
    let loss = NaN;
    for (let epoch = 0; epoch < epochs; epoch++) {
      const batches = epochBatches(request, random);
      if (batches.length === 0)
        throw new RiverrunError(
          'TRAINING_FAILED',
          `nothing to train on: no stream has ${STEPS} rows with truths yet; wait for more ticks`,
        );
      loss = 0;
      batches.forEach((batch, i) => {
        learner.setRate(rate * Math.max(LAST_RATE, 1 - (epoch + i / batches.length) / epochs));
        loss += learner.learn(batch) / batches.length;
      });
      if (!Number.isFinite(loss))
        throw new RiverrunError(
          'TRAINING_FAILED',
          `the loss is not finite in epoch ${epoch + 1}: the attempt is given up, what is served stays`,
        );
    }
    return { network, weights: joined(learner.weights()), loss };
  } finally {
    learner.dispose();
  }
}

/** Every stream cut anew at a random phase, in random order. */
function epochBatches({ streams, inputs, outputs }: FitRequest, random: Random): Batch[] {
  const pieces: Piece[] = [];
  const stride = STEPS - BURN_IN;
  for (const rows of streams) {
    const count = rows.features.length / inputs;
    for (let start = Math.floor(random() * stride); start + STEPS <= count; start += stride)
      pieces.push({ rows, start });
  }
  shuffle(pieces, random);
  const batches: Batch[] = [];
  for (let i = 0; i < pieces.length; i += BATCH_SIZE)
    batches.push(toBatch(pieces.slice(i, i + BATCH_SIZE), inputs, outputs));
  return batches.filter(({ counts }) => counts.includes(1));
}

interface Piece {
  readonly rows: ForecastRows;
  readonly start: number;
}

function toBatch(pieces: readonly Piece[], d: number, outputs: number): Batch {
  const size = pieces.length;
  const inputs = new Float32Array(STEPS * size * d);
  const targets = new Float32Array(STEPS * size * outputs);
  const counts = new Float32Array(STEPS * size * outputs);
  pieces.forEach(({ rows, start }, b) => {
    for (let s = 0; s < STEPS; s++) {
      const at = s * size + b;
      const t = start + s;
      inputs.set(rows.features.subarray(t * d, (t + 1) * d), at * d);
      if (s < BURN_IN) continue;
      for (let k = 0; k < outputs; k++) {
        const target = rows.targets[t * outputs + k];
        if (target !== target) continue;
        targets[at * outputs + k] = target;
        counts[at * outputs + k] = 1;
      }
    }
  });
  return { steps: STEPS, size, inputs, targets, counts };
}
