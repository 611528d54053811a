/** One training attempt: a network that corrects the forecasts of some streams' windows, and what it is worth. That is said by the newest rows, of a network that has learnt
 *  from the older ones alone; what is served then learns from all of them: a network that follows a changing stream needs the newest most. */
import { RiverrunError } from '#domain/errors';
import type { ForecastSpec, Transform } from '#domain/model';
import { areIrregular } from '#forecasting/gaps';
import { forecastFeatures } from '#forecasting/other-inputs';
import { wholeSeason } from '#forecasting/season';
import { weightCount, type NetworkSpec } from '#rnn/spec';
import { pickBackend } from './backend.js';
import { chooseRhythm } from './choose-rhythm.js';
import { candidatesFor, chooseTransform } from './choose-transform.js';
import { evaluate } from './evaluate.js';
import { fitForecaster, stepsOfEpoch } from './fit-forecaster.js';
import { rowsOf } from './held-back.js';
import { seededRandom, shuffle } from './random.js';
import { networkSpec } from './recurrent-network.js';
import {
  DEFAULT_BUDGET_SECONDS,
  type StopReason,
  type Trained,
  type TrainHooks,
  type TrainRequest,
  type TrainResult,
} from './train.types.js';

/** Streams that teach one network at most. */
const MAX_STREAMS = 256;
/** And say which transform suits them. */
const STREAMS_TRIED = 32;
const EPOCHS = { first: 60, again: 8 };
const RATE = { first: 0.005, again: 0.003 };
/** Of each transform: the higher rate tells them apart in few steps. */
const TRIAL = { steps: 40, rate: 0.015 };
/** Held-back rows are few: a model that is this much worse there may still be as good. */
const TOLERANCE = 1.02;

/** RiverrunError TRAINING_FAILED where there is nothing to learn from, or the loss does not stay finite. */
export async function train(request: TrainRequest, hooks: TrainHooks = {}): Promise<TrainResult> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  const {
    inputs,
    targets = 1,
    horizon,
    timeZone,
    level,
    cell,
    hidden,
    seed,
    budgetSeconds = DEFAULT_BUDGET_SECONDS,
  } = request;
  const backend = await pickBackend();
  const width = 1 + inputs;
  const windows = chosen(request);
  const rhythm = chooseRhythm(windows, width, { ...request, targets, now: request.champion?.regular });
  const { regular } = rhythm;
  const season = wholeSeason(rhythm.season, horizon);
  const goesOn = ({ season: its, regular: theirs = false }: Trained): boolean => its === season && theirs === regular;
  const champion = request.champion && goesOn(request.champion) ? request.champion : undefined;
  const { transform: asked = 'difference', gaps: gapsAsked = false, loss } = request;
  const theirs = champion?.transform ?? 'difference';
  const gaps =
    gapsAsked !== 'auto' ? gapsAsked : champion === undefined ? areIrregular(windows, width) : champion.gaps === true;
  const networkBy = (given?: boolean): NetworkSpec =>
    networkSpec(cell, forecastFeatures(inputs, given, targets), hidden, targets * horizon);
  const network = networkBy(gaps);
  if (champion !== undefined && champion.weights.length !== weightCount(networkBy(champion.gaps)))
    throw unfit(champion.weights, networkBy(champion.gaps));
  const isTheirs = (asked === 'auto' || asked === theirs) && gaps === (champion?.gaps ?? false);
  const start = isTheirs ? champion?.weights : undefined;
  const candidates = asked === 'auto' && champion === undefined ? candidatesFor(windows, width, targets) : [];

  let stopped: StopReason = 'epochs';
  const shouldStop = (): boolean => {
    if (hooks.shouldStop?.() === true) stopped = 'cancelled';
    else if (seconds() > budgetSeconds) stopped = 'budget';
    return stopped !== 'epochs';
  };
  const epochs = request.epochs ?? (start === undefined ? EPOCHS.first : EPOCHS.again);
  const newest = request.epochs ?? EPOCHS.again;
  const trials = windows.slice(0, STREAMS_TRIED);
  const tried = Math.min(Math.ceil(TRIAL.steps / stepsOfEpoch(rowsIn(trials, width))), epochs);
  const last = start === undefined ? epochs : newest;
  const all = candidates.length * tried + epochs + last;
  let done = 0;
  const onEpoch = (_: number, loss: number): void => {
    done += 1;
    hooks.progress?.({
      epoch: done,
      epochs: all,
      fraction: Math.min(1, Math.max(done / all, seconds() / budgetSeconds)),
      loss,
    });
  };
  const common = { cell, seed, loss, shouldStop, onEpoch, rate: start === undefined ? RATE.first : RATE.again };
  const plain = { horizon, season, regular, timeZone, targets, level, gaps };
  const choice =
    candidates.length > 0
      ? chooseTransform(candidates, plain, network, trials, inputs, { ...common, epochs: tried, rate: TRIAL.rate })
      : undefined;
  const transform = asked !== 'auto' ? asked : (choice?.transform ?? theirs);
  // Left out where it is what models have always done: the same manifest, the same digest.
  const by = (one: Transform = 'difference', given = false): ForecastSpec => ({
    horizon,
    season,
    ...(regular && { regular }),
    timeZone,
    ...(targets > 1 && { targets }),
    ...(one !== 'difference' && { transform: one }),
    ...(given && { gaps: given }),
  });
  const spec = by(transform, gaps);
  const rows = rowsOf(spec, windows, inputs);
  const older = fitForecaster({ ...common, network, streams: rows.older, epochs, start });
  const judge = (weights: Float32Array, of: NetworkSpec, plan: ForecastSpec): ReturnType<typeof evaluate> => {
    const same = plan.transform === spec.transform && plan.gaps === spec.gaps;
    const theirRows = same ? rows : rowsOf(plan, windows, inputs);
    return evaluate({ ...plan, level }, of, weights, windows, theirRows.all, theirRows.held, inputs);
  };
  const verdict = judge(older.weights, network, spec);
  const standIn = request.standIn && goesOn(request.standIn) ? request.standIn : undefined;
  const other = champion === undefined ? standIn : { ...champion, network: networkBy(champion.gaps) };
  const former = other && judge(other.weights, other.network, by(other.transform, other.gaps));
  const latest =
    stopped === 'epochs'
      ? fitForecaster({ ...common, network, streams: rows.all, epochs: last, start })
      : { weights: older.weights, epochs: 0 };
  const { rows: scored, mae, networkMae, persistenceMae, baselineMae, calibration } = verdict;
  return {
    network,
    weights: latest.weights,
    forecast: { ...spec, calibration, level },
    record: {
      streams: windows.length,
      rows: rowsIn(windows, width),
      epochs: older.epochs + latest.epochs,
      seed,
      seconds: seconds(),
      validation: { rows: scored, mae, networkMae, persistenceMae, baselineMae },
      ...(choice !== undefined && { transforms: choice.errors }),
    },
    // Nothing to compare with says nothing against it: it will be judged by what is to come.
    improved: scored === 0 || mae <= TOLERANCE * (former?.mae ?? baselineMae),
    stopped,
    backend,
  };
}

const rowsIn = (windows: readonly Float64Array[], width: number): number =>
  windows.reduce((sum, window) => sum + window.length / width, 0);

function chosen({ windows, seed }: TrainRequest): Float64Array[] {
  const some = windows.filter((window) => window.length > 0);
  return some.length > MAX_STREAMS ? shuffle(some, seededRandom(seed)).slice(0, MAX_STREAMS) : some;
}

const unfit = (champion: Float32Array, network: NetworkSpec): RiverrunError =>
  new RiverrunError(
    'TRAINING_FAILED',
    `The weights to go on from number ${champion.length}, this network has ${weightCount(network)}: start without them`,
  );
