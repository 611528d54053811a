/** A round of checkpoints: the watermark is noted, Redis is read bucket by bucket, each page is written as it was found, and then the mark. Between any two of these anything may happen. */
import type { Configuration } from './configuration.js';
import { queued, recover, withHolding, type Move } from './process.js';
import type { Holding, Slot, State } from './state.js';
import { absorbed, isBucketWhole } from './truth.js';

export function rounds(config: Configuration, state: State, slot: number, p: number): Move[] {
  const h = state.processes[slot].holdings[p];
  if (!config.checkpoints || h.stage !== 'ready') return [];
  if (h.round === null) return begin(config, state, slot, p);
  if (h.round.queued || h.round.next < 0) return [];
  return readPage(config, state, slot, p);
}

function begin(config: Configuration, state: State, slot: number, p: number): Move[] {
  const { W, c, marked } = state.processes[slot].holdings[p];
  const left = state.faults.rounds;
  if (left === 0 || W < 0 || W === marked || (config.rules.roundAwaitsCommitted && W < c)) return [];
  const round = { W, next: 0, queued: null, at: -1 };
  const to = withHolding({ ...state, faults: { ...state.faults, rounds: left - 1 } }, slot, p, { round });
  return [{ label: `begins a round of checkpoints of ${p} at W = ${W}`, to }];
}

function readPage(config: Configuration, state: State, slot: number, p: number): Move[] {
  const me = state.processes[slot];
  const h = me.holdings[p];
  const stored = state.slots[p];
  const round = h.round!;
  const stream = round.next;
  const label = `reads bucket ${stream} of ${p} for the round`;
  if (!isOwn(config, h, stored))
    return [{ label: `${label}: not its own, recovers`, to: recover(config, state, slot, p) }];
  if (config.rules.countPages && !isBucketWhole(stored, stream)) {
    const to = withHolding(recover(config, state, slot, p), slot, p, { lost: true });
    return [{ label: `${label}: lost, recovers`, to }];
  }
  const hidden = stored.streams[stream];
  const changed = hidden !== '' && absorbed(hidden) >= h.marked;
  const publishes = !config.rules.markWaits;
  const slices = stored.streams.map((x, s) => (s === stream ? x : null));
  const end = me.transaction ? me.transaction.ends[p] : -1;
  const page = changed ? { slices, W: publishes ? round.W : -1, swap: -1 } : null;
  const next = { ...round, next: stream + 1, queued: page, at: end >= 0 ? end : h.pos };
  return [{ label: `${label}: "${hidden}"`, to: withHolding(state, slot, p, { round: queued(config, next, h.W) }) }];
}

/** Whether the watermark was set by the store's own last commit, or by the one it has under way. */
function isOwn({ rules }: Configuration, { commit, underWay }: Holding, stored: Slot): boolean {
  if (!rules.ownPages) return true;
  if (stored.commit === 0 && rules.emptyIsNobodys) return false;
  return stored.commit === commit || stored.commit === underWay;
}
