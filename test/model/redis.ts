/** Redis as the protocol sees it: one script at a time, a fail-over that loses the last ones, the loss of a bucket or of everything. */
import type { Configuration } from './configuration.js';
import { put, type Save, type Slot, type State } from './state.js';

export const emptySlot = (streams: number, W: number): Slot => ({
  W,
  model: 'a',
  token: '',
  commit: 0,
  counts: Array<number>(streams).fill(0),
  streams: Array<string>(streams).fill(''),
});

/** The compare-and-set; null if it does not apply. */
export function save(config: Configuration, state: State, request: Save): State | null {
  const slot = state.slots[request.p];
  const { W, model, token, commit } = request.expected;
  const follows = token !== '' && config.rules.chunkToken;
  const applies = follows ? slot.token === token : slot.W === W && slot.model === model && slot.commit === commit;
  if (config.rules.compareAndSet && !applies) return null;
  const before = request.afresh ? slot.streams.map(() => '') : slot.streams;
  const streams = before.map((h, s) => request.streams[s] ?? h);
  // HSET tells how many fields are new: a bucket that was lost in between never gets its count right again.
  const counts = streams.map((h, s) => (request.afresh ? 0 : slot.counts[s]) + (h !== '' && before[s] === '' ? 1 : 0));
  const next: Slot = {
    W: request.W >= 0 ? request.W : slot.W,
    model: request.W >= 0 ? request.model : slot.model,
    token: request.token,
    commit: request.W >= 0 ? request.commit : slot.commit,
    counts,
    streams,
  };
  return written(state, request.p, next);
}

function written(state: State, p: number, next: Slot): State {
  const history = state.faults.failovers > 0 ? [...state.history, state.slots].slice(-2) : state.history;
  return { ...state, history, slots: put(state.slots, p, next) };
}

/** Before a restoration. */
export const clear = (state: State, p: number): State =>
  written(state, p, emptySlot(state.slots[p].streams.length, -1));

export function loseBucket(state: State, p: number, stream: number): State {
  const slot = state.slots[p];
  return { ...state, slots: put(state.slots, p, { ...slot, streams: put(slot.streams, stream, '') }) };
}

export const flush = (state: State): State => ({
  ...state,
  history: [],
  slots: state.slots.map((slot) => emptySlot(slot.streams.length, -1)),
});
