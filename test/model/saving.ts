/** Moving Redis forward: one compare-and-set of all dirty streams, or several scripts of which the last moves W. */
import type { Configuration } from './configuration.js';
import { send, withHolding, withProcess, type Move } from './process.js';
import type { Hidden, Holding, Save, State } from './state.js';
import { absorbed, modelAt } from './truth.js';

export function save(config: Configuration, state: State, slot: number, p: number): Move[] {
  const me = state.processes[slot];
  const h = me.holdings[p];
  const swapping = h.stage === 'swapping';
  if ((h.stage !== 'ready' && !swapping) || h.saving || (h.pos <= h.W && !swapping)) return [];
  if (me.transaction && me.transaction.ends[p] >= 0) return [];
  if (!config.rules.baseOnce && h.pos === h.base) return [];
  const commit = config.checkpoints ? newCommit(state) : 0;
  const all = whole(config, h, me.id, slot, p, commit);
  const scripts = config.chunks ? chunked(config, all, me.saves) : [all];
  const counted = config.chunks ? withProcess(state, slot, { saves: me.saves + 1 }) : state;
  const sending = withHolding(counted, slot, p, { saving: scripts[0], chunks: scripts.slice(1), underWay: commit });
  return [{ label: `saves ${p}: W ${h.W} -> ${scripts.at(-1)!.W}`, to: send(sending, scripts[0]) }];
}

function whole(config: Configuration, h: Holding, id: number, slot: number, p: number, commit: number): Save {
  const named = h.stage === 'swapping' && !config.rules.swapSavesFirst;
  const W = named ? h.W : h.pos;
  return {
    kind: 'save',
    from: slot,
    id,
    p,
    expected: { W: h.W, model: h.model, token: '', commit: h.commit },
    W,
    model: named ? 'b' : modelAt(h.swap, W),
    token: '',
    commit,
    streams: h.hot.map((hidden) => (!named && hidden && absorbed(hidden) >= h.since ? hidden : null)),
    afresh: h.since < 0,
  };
}

function chunked(config: Configuration, all: Save, saves: number): Save[] {
  const dirty = all.streams.flatMap((hidden, s) => (hidden === null ? [] : [s]));
  if (dirty.length < 2) return [all];
  const unique = config.rules.tokenUnique ? `${all.id}.${saves}.` : '';
  const token = (i: number): string => (i < 0 || i === dirty.length - 1 ? '' : unique + i);
  return dirty.map((stream, i) => ({
    ...all,
    expected: { ...all.expected, token: token(i - 1) },
    W: i === dirty.length - 1 ? all.W : -1,
    token: token(i),
    streams: all.streams.map((hidden, s) => (s === stream ? hidden : null)),
    afresh: all.afresh && i === 0,
  }));
}

/** Fills an emptied store with copies, and marks them. */
export const restoring = (
  state: State,
  slot: number,
  p: number,
  commit: number,
  W: number,
  streams: readonly Hidden[],
): Save => ({
  kind: 'save',
  from: slot,
  id: state.processes[slot].id,
  p,
  expected: { W: -1, model: 'a', token: '', commit: 0 },
  W,
  model: modelAt(state.partitions[p].swap, W),
  token: '',
  commit,
  streams,
  afresh: false,
});

/** A commit that no other has the number of: normalise() keeps them few. */
export function newCommit(state: State): number {
  const all = [...state.slots, ...state.history.flat()].map(({ commit }) => commit);
  for (const { holdings } of state.processes) for (const { commit, underWay } of holdings) all.push(commit, underWay);
  for (const request of state.network) if (request.kind === 'save') all.push(request.commit);
  return Math.max(...all) + 1;
}
