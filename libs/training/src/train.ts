/** One training attempt: recurrent weights that predict the next difference of each stream better than "no change" does, or the finding that
 *  these do not. */
import { RiverrunError } from '#domain/errors';
import { weightCount, weightShapes, type NetworkSpec } from '#rnn/spec';
import { pickBackend } from './backend.js';
import { Learner } from './learner.js';
import { seededRandom } from './random.js';
import { initialWeights, networkSpec } from './recurrent-network.js';
import { epochBatches, trainingSet, validationBatches } from './sequences.js';
import {
  DEFAULT_BUDGET_SECONDS,
  DEFAULT_EPOCHS,
  type StopReason,
  type TrainHooks,
  type TrainRequest,
  type TrainResult,
} from './train.types.js';
import { judge, type Verdict } from './verdict.js';
import { joined, partsOf } from './weight-parts.js';

const BATCH_SIZE = 32;
const RATE = 0.01;
/** Epochs without a better validation after which the rate is halved, and the attempt ended. */
const PATIENCE = { halve: 3, stop: 10 };

export async function train(request: TrainRequest, hooks: TrainHooks = {}): Promise<TrainResult> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  const { inputs, seed, epochs = DEFAULT_EPOCHS, budgetSeconds = DEFAULT_BUDGET_SECONDS } = request;
  const network = networkSpec(request.cell, 2 * inputs, request.hidden);
  const random = seededRandom(seed);
  const set = trainingSet(request.windows, inputs, random);
  const held = validationBatches(set, BATCH_SIZE);
  const backend = await pickBackend();

  // The read-out learns in units of persistence's error, so that one rate suits jumpy and smooth streams alike.
  const gain = set.persistenceMae > 0 ? set.persistenceMae : 1;
  const learner = new Learner(request.cell, network, startWeights(network, request, gain), gain, RATE);
  const evaluate = (): Verdict => judge(held, (batch) => learner.predict(batch));

  try {
    let best = {
      verdict: judge(held, ({ targets }) => new Float32Array(targets.length)),
      weights: silenced(network, learner),
    };
    const keepIfBetter = (verdict: Verdict): boolean => {
      if (!(verdict.mae < best.verdict.mae)) return false;
      best = { verdict, weights: learner.weights() };
      return true;
    };
    keepIfBetter(evaluate());
    let stale = 0;
    let epoch = 0;
    let stopped: StopReason | undefined;
    while (stopped === undefined && epoch < epochs) {
      let loss = 0;
      const batches = epochBatches(set, BATCH_SIZE, random);
      for (const batch of batches) {
        loss += learner.learn(batch) / batches.length;
        if (hooks.shouldStop?.() === true) stopped = 'cancelled';
        else if (seconds() > budgetSeconds) stopped = 'budget';
        if (stopped !== undefined) break;
      }
      if (stopped === 'cancelled') break;
      epoch++;
      const verdict = evaluate();
      stale = keepIfBetter(verdict) ? 0 : stale + 1;
      const fraction = Math.min(1, Math.max(epoch / epochs, seconds() / budgetSeconds));
      hooks.progress?.({ epoch, epochs, fraction, loss, validation: verdict.mae });
      if (stopped !== undefined) break;
      if (!Number.isFinite(loss) || stale >= PATIENCE.stop) stopped = 'converged';
      else if (stale > 0 && stale % PATIENCE.halve === 0) learner.halveRate();
    }
    const { rows, mae, persistenceMae, improved } = best.verdict;
    return {
      network,
      weights: joined(withReadOut(network, best.weights, (w) => w * gain)),
      record: {
        streams: set.streams.length,
        rows: set.rows,
        epochs: epoch,
        seed,
        seconds: seconds(),
        validation: { rows, mae, persistenceMae },
      },
      improved,
      stopped: stopped ?? 'epochs',
      backend,
    };
  } finally {
    learner.dispose();
  }
}

function startWeights(network: NetworkSpec, { warmStart, seed }: TrainRequest, gain: number): Float32Array[] {
  if (warmStart === undefined) return initialWeights(network, seed);
  if (warmStart.length !== weightCount(network))
    throw new RiverrunError(
      'TRAINING_FAILED',
      `The weights to go on from number ${warmStart.length}, this network has ${weightCount(network)}: start without them`,
    );
  return withReadOut(network, partsOf(network, warmStart), (w) => w / gain);
}

/** The weights with a read-out of zeros: persistence, the floor below which nothing is kept. */
const silenced = (network: NetworkSpec, learner: Learner): Float32Array[] =>
  withReadOut(network, learner.weights(), () => 0);

const withReadOut = (
  network: NetworkSpec,
  parts: readonly Float32Array[],
  change: (w: number) => number,
): Float32Array[] => {
  const shapes = weightShapes(network);
  return parts.map((part, i) => (shapes[i].layer === 0 ? part : part.map(change)));
};
