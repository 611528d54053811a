/** Cuts windows into what training steps over: short sequences for back-propagation through time, and one batch of the held-back rows. */
import { RiverrunError } from '#domain/errors';
import { normaliseWindow, type NormalisedWindow } from './normalise-window.js';
import { shuffle, type Random } from './random.js';

/** Steps of a training sequence, and how many of them only warm the state up: live states are warm, so cold steps must not count. */
export const SEQUENCE_STEPS = 40;
export const BURN_IN = 8;
/** Rows the state is warmed up with before the first held-back row. */
const VALIDATION_CONTEXT = 96;
const HELD_BACK = 0.2;
/** These bound what an epoch and a validation cost, however many streams and rows there are. */
const MAX_HELD_BACK_ROWS = 256;
const MAX_STREAMS = 256;
const MAX_SEQUENCES = 512;
/** Few rows are cut several times an epoch, at other phases: one batch would be a single step of the optimiser. */
const MIN_SEQUENCES = 128;
const MIN_ROWS = 2 * BURN_IN + 16;

/** Time-major: step t of sequence b is row t * size + b. */
export interface Batch {
  readonly steps: number;
  readonly size: number;
  /** [steps, size, d] */
  readonly inputs: Float32Array;
  /** [steps, size, outputs] */
  readonly targets: Float32Array;
  /** [steps, size, outputs]: 1 where the target counts. */
  readonly counts: Float32Array;
}

export interface TrainingSet {
  /** Features a row: the level of every input, then its change. */
  readonly features: number;
  readonly streams: readonly Part[];
  /** Rows of the streams used. */
  readonly rows: number;
  /** Mean |target| over the training part: persistence's error, and the natural size of what the read-out has to say. */
  readonly persistenceMae: number;
}

interface Part {
  readonly window: NormalisedWindow;
  /** The first held-back row. */
  readonly split: number;
}

interface Piece {
  readonly part: Part;
  readonly start: number;
  /** Steps whose row is in [from, to) count. */
  readonly from: number;
  readonly to: number;
}

export function trainingSet(windows: readonly Float64Array[], inputs: number, random: Random): TrainingSet {
  const long = windows.filter((window) => window.length >= MIN_ROWS * (1 + inputs));
  const chosen = long.length > MAX_STREAMS ? shuffle([...long], random).slice(0, MAX_STREAMS) : long;
  const streams = chosen.map((rows): Part => {
    const window = normaliseWindow(rows, 1 + inputs);
    return { window, split: window.rows - Math.min(Math.ceil(window.rows * HELD_BACK), MAX_HELD_BACK_ROWS) };
  });
  let sum = 0;
  let count = 0;
  for (const { window, split } of streams) {
    for (let t = BURN_IN; t < split - 1; t++) {
      if (window.known[t] === 0) continue;
      sum += Math.abs(window.targets[t]);
      count++;
    }
  }
  if (count === 0) {
    throw new RiverrunError(
      'TRAINING_FAILED',
      `Nothing to train on: none of ${windows.length} streams has ${MIN_ROWS} rows with values that follow each other; wait for more ticks`,
    );
  }
  const rows = streams.reduce((total, { window }) => total + window.rows, 0);
  return { features: 2 * inputs, streams, rows, persistenceMae: sum / count };
}

/** An epoch's batches: every stream cut anew at a random phase, no stream with more than its share, all in random order. */
export function epochBatches(set: TrainingSet, batchSize: number, random: Random): Batch[] {
  const share = Math.max(1, Math.floor(MAX_SEQUENCES / set.streams.length));
  const stride = SEQUENCE_STEPS - BURN_IN;
  const once = set.streams.reduce((sum, { split }) => sum + Math.ceil(split / stride), 0);
  const cuts = Math.ceil(MIN_SEQUENCES / once);
  const pieces: Piece[] = [];
  for (const part of set.streams) {
    const end = part.split - 1;
    const own: Piece[] = [];
    for (let cut = 0; cut < cuts; cut++) {
      const phase = Math.floor(random() * Math.min(stride, Math.max(1, end - SEQUENCE_STEPS)));
      for (let start = phase; start + BURN_IN < end; start += stride)
        own.push({ part, start, from: start + BURN_IN, to: end });
    }
    pieces.push(...shuffle(own, random).slice(0, share));
  }
  shuffle(pieces, random);
  const batches: Batch[] = [];
  for (let i = 0; i < pieces.length; i += batchSize)
    batches.push(toBatch(pieces.slice(i, i + batchSize), SEQUENCE_STEPS, set.features));
  return batches.filter(({ counts }) => counts.includes(1));
}

/** The held-back rows of all streams, each stream warmed up by the rows before. */
export function validationBatches(set: TrainingSet, batchSize: number): Batch[] {
  const pieces = set.streams.map((part): Piece => {
    const from = part.split - 1;
    return { part, start: Math.max(0, from - VALIDATION_CONTEXT), from, to: part.window.rows - 1 };
  });
  const batches: Batch[] = [];
  for (let i = 0; i < pieces.length; i += batchSize) {
    const some = pieces.slice(i, i + batchSize);
    batches.push(toBatch(some, Math.max(...some.map(({ start, to }) => to - start)), set.features));
  }
  return batches;
}

function toBatch(pieces: readonly Piece[], steps: number, d: number): Batch {
  const size = pieces.length;
  const inputs = new Float32Array(steps * size * d);
  const targets = new Float32Array(steps * size);
  const counts = new Float32Array(steps * size);
  pieces.forEach(({ part: { window }, start, from, to }, b) => {
    for (let s = 0; s < steps && start + s < to; s++) {
      const t = start + s;
      const at = s * size + b;
      inputs.set(window.features.subarray(t * d, (t + 1) * d), at * d);
      targets[at] = window.targets[t];
      counts[at] = t >= from ? window.known[t] : 0;
    }
  });
  return { steps, size, inputs, targets, counts };
}
