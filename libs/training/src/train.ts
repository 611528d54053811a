/** One training attempt: a network that corrects the forecasts of some streams' windows, and what it is worth. That is said by the newest rows, of a network that has learnt
 *  from the older ones alone; what is served then learns from all of them: a network that follows a changing stream needs the newest most. */
import { RiverrunError } from '#domain/errors';
import type { ForecastSpec } from '#domain/model';
import { ForecastPlan } from '#forecasting/forecast-plan';
import { forecastFeatures } from '#forecasting/other-inputs';
import { wholeSeason } from '#forecasting/season';
import { trainingRows, type TrainingRows } from '#forecasting/training-rows';
import { weightCount, type NetworkSpec } from '#rnn/spec';
import { pickBackend } from './backend.js';
import { chooseSeason } from './choose-season.js';
import { evaluate } from './evaluate.js';
import { fitForecaster } from './fit-forecaster.js';
import { seededRandom, shuffle } from './random.js';
import { networkSpec } from './recurrent-network.js';
import {
  DEFAULT_BUDGET_SECONDS,
  type StopReason,
  type TrainHooks,
  type TrainRequest,
  type TrainResult,
} from './train.types.js';

/** Streams that teach one network at most. */
const MAX_STREAMS = 256;
/** Of each window, the newest rows say what was learnt from the others. */
const HELD_BACK = 0.1;
const MAX_HELD_BACK = 512;
const EPOCHS = { first: 60, again: 8 };
const RATE = { first: 0.005, again: 0.003 };
/** Held-back rows are few: a model that is this much worse there may still be as good. */
const TOLERANCE = 1.02;

/** RiverrunError TRAINING_FAILED where there is nothing to learn from, or the loss does not stay finite. */
export async function train(request: TrainRequest, hooks: TrainHooks = {}): Promise<TrainResult> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  const { inputs, horizon, timeZone, level, cell, hidden, seed, budgetSeconds = DEFAULT_BUDGET_SECONDS } = request;
  const backend = await pickBackend();
  const width = 1 + inputs;
  const windows = chosen(request);
  const season = wholeSeason(request.season === 'auto' ? chooseSeason(windows, width) : request.season, horizon);
  const spec: ForecastSpec = { horizon, season, timeZone };
  const plan = new ForecastPlan(spec);
  const rows = windows.map((window) => trainingRows(plan, window, width));
  const network = networkSpec(cell, forecastFeatures(inputs), hidden, horizon);
  const champion = request.champion?.season === season ? request.champion.weights : undefined;
  if (champion !== undefined && champion.length !== weightCount(network)) throw unfit(champion, network);
  const held = rows.map(({ features }) =>
    Math.min(MAX_HELD_BACK, Math.floor((HELD_BACK * features.length) / network.inputSize)),
  );

  let stopped: StopReason = 'epochs';
  const shouldStop = (): boolean => {
    if (hooks.shouldStop?.() === true) stopped = 'cancelled';
    else if (seconds() > budgetSeconds) stopped = 'budget';
    return stopped !== 'epochs';
  };
  const epochs = request.epochs ?? (champion === undefined ? EPOCHS.first : EPOCHS.again);
  const newest = request.epochs ?? EPOCHS.again;
  const all = epochs + newest;
  const onEpoch =
    (before: number) =>
    (epoch: number, loss: number): void => {
      const fraction = Math.min(1, Math.max((before + epoch) / all, seconds() / budgetSeconds));
      hooks.progress?.({ epoch: before + epoch, epochs: all, fraction, loss });
    };
  const common = { network, cell, seed, shouldStop };
  const older = fitForecaster({
    ...common,
    streams: rows.map((each, s) => before(each, network, horizon, held[s])),
    epochs,
    rate: champion === undefined ? RATE.first : RATE.again,
    start: champion,
    onEpoch: onEpoch(0),
  });
  const judge = (weights: Float32Array, of = network): ReturnType<typeof evaluate> =>
    evaluate({ ...spec, level }, of, weights, windows, rows, held, inputs);
  const verdict = judge(older.weights);
  const standIn = request.standIn?.season === season ? request.standIn : undefined;
  const former = champion !== undefined ? judge(champion) : standIn && judge(standIn.weights, standIn.network);
  const latest =
    stopped === 'epochs'
      ? fitForecaster({
          ...common,
          streams: rows,
          epochs: champion === undefined ? epochs : newest,
          rate: champion === undefined ? RATE.first : RATE.again,
          start: champion,
          onEpoch: onEpoch(epochs),
        })
      : { weights: older.weights, epochs: 0 };
  const { rows: scored, mae, networkMae, persistenceMae, baselineMae, calibration } = verdict;
  return {
    network,
    weights: latest.weights,
    forecast: { ...spec, calibration, level },
    record: {
      streams: windows.length,
      rows: windows.reduce((sum, window) => sum + window.length / width, 0),
      epochs: older.epochs + latest.epochs,
      seed,
      seconds: seconds(),
      validation: { rows: scored, mae, networkMae, persistenceMae, baselineMae },
    },
    // Nothing to compare with says nothing against it: it will be judged by what is to come.
    improved: scored === 0 || mae <= TOLERANCE * (former?.mae ?? baselineMae),
    stopped,
    backend,
  };
}

function chosen({ windows, seed }: TrainRequest): Float64Array[] {
  const some = windows.filter((window) => window.length > 0);
  return some.length > MAX_STREAMS ? shuffle(some, seededRandom(seed)).slice(0, MAX_STREAMS) : some;
}

/** Without the newest rows, and without the targets that lie in them. */
function before(
  { features, targets }: TrainingRows,
  { inputSize }: NetworkSpec,
  horizon: number,
  held: number,
): TrainingRows {
  const rows = features.length / inputSize - held;
  const known = targets.slice(0, rows * horizon);
  for (let t = Math.max(0, rows - horizon); t < rows; t++)
    for (let h = rows - t; h <= horizon; h++) known[t * horizon + h - 1] = NaN;
  return { features: features.subarray(0, rows * inputSize), targets: known };
}

const unfit = (champion: Float32Array, network: NetworkSpec): RiverrunError =>
  new RiverrunError(
    'TRAINING_FAILED',
    `The weights to go on from number ${champion.length}, this network has ${weightCount(network)}: start without them`,
  );
