/** Taking a partition over and recovering it, in the order of the protocol. */
import { initProducer, isChangelogOpen, isMember, isUnstable } from './broker.js';
import type { Configuration } from './configuration.js';
import { recover, send, withHolding, type Move } from './process.js';
import { clear } from './redis.js';
import { newCommit, restoring } from './saving.js';
import { run, warm } from './stepping.js';
import type { Hidden, Holding, Request, State } from './state.js';
import { isWhole } from './truth.js';

export function recovery(config: Configuration, state: State, slot: number, p: number): Move[] {
  const { holdings } = state.processes[slot];
  switch (holdings[p].stage) {
    case 'assigned':
      return peek(config, state, slot, p);
    case 'fence': {
      const { previous } = holdings[p];
      const fenced = initProducer(withHolding(state, slot, p, { stage: 'fenced', previous: -1 }), previous);
      return fenced ? [{ label: `fences T${previous}`, to: fenced }] : [];
    }
    case 'fenced':
      return claim(config, state, slot, p);
    case 'claimed':
      return load(config, state, slot, p);
    case 'restoring':
      return restore(config, state, slot, p);
    case 'replaying':
      return replay(config, state, slot, p);
    default:
      return [];
  }
}

/** The metadata of the committed offset names the owner before: is its transaction open on this partition? */
function peek(config: Configuration, state: State, slot: number, p: number): Move[] {
  const me = state.processes[slot];
  const beats = isMember(state.group, slot, me.member, me.generation) && !state.group.rebalancing;
  if (config.rules.heartbeatFirst && !beats) return [];
  const previous = state.partitions[p].owner;
  const known = config.rules.fencePrevious && previous >= 0 && previous !== me.id;
  const open = known && state.transactions[previous].status === 'ongoing' && state.transactions[previous].added[p];
  const to = withHolding(state, slot, p, open ? { stage: 'fence', previous } : { stage: 'fenced' });
  return [{ label: `peeks at ${p}: T${previous}${open ? ', open' : ''}`, to }];
}

/** Reads c with require_stable; claims it unless this very process did so before. */
function claim(config: Configuration, state: State, slot: number, p: number): Move[] {
  const me = state.processes[slot];
  const { rules } = config;
  if (rules.requireStable && isUnstable(state, p)) return [];
  const { c, owner, base, end, checkpoint } = state.partitions[p];
  const first = c < 0;
  if (first && (state.slots[p].W >= 0 || checkpoint.W >= 0))
    return [
      { label: `finds state but no offset, refuses ${p}`, to: withHolding(state, slot, p, { stage: 'refused' }) },
    ];
  const read = first ? { c: end, base: end } : { c, base: rules.baseInMetadata ? base : -1 };
  const label = first ? `resolves the base of ${p}: ${end}` : `reads c = ${c} of ${p}`;
  if (owner === me.id || !rules.claim || (first && !rules.baseOnce))
    return [{ label, to: withHolding(state, slot, p, { stage: 'claimed', ...read }) }];
  const { id, member, generation } = me;
  const request: Request = { kind: 'claim', from: slot, id, member, generation, p, ...read };
  return [
    { label: `${label}, claims it`, to: send(withHolding(state, slot, p, { stage: 'claiming', ...read }), request) },
  ];
}

/** Reads Redis, or the checkpoint if Redis was lost, and replays [W, c) with outcomes suppressed. */
function load(config: Configuration, state: State, slot: number, p: number): Move[] {
  if (config.rules.changelogToEnd && isChangelogOpen(state, p)) return [];
  const { c, base, lost } = state.processes[slot].holdings[p];
  const stored = state.slots[p];
  const { checkpoint, swap } = state.partitions[p];
  const label = `loads ${p}: W = ${stored.W}`;
  const marked = config.rules.rebuildsDirtySet ? -1 : c;
  const { W, model, commit } = stored;
  const known: Partial<Holding> = { W, model, commit, underWay: 0, swap, marked, lost: false };
  if (stored.W > c && !lost) {
    // A newer c means that somebody else went on: drop it. Otherwise states are ahead of what was committed, which must not happen.
    if (config.rules.rereadsStable && isUnstable(state, p)) return [];
    if (state.partitions[p].c >= stored.W)
      return [{ label: `${label} > c, reads c again`, to: recover(config, state, slot, p) }];
    return [{ label: `${label} > c, refuses`, to: withHolding(state, slot, p, { stage: 'refused' }) }];
  }
  if (stored.W < 0 || lost || (!config.cold && config.rules.countBuckets && !isWhole(stored))) {
    if (checkpoint.W < 0 && base < 0)
      return [{ label: `${label}, refuses`, to: withHolding(state, slot, p, { stage: 'refused' }) }];
    // Nothing has been yet: W is made with the first save.
    if (c === base)
      return [
        {
          label,
          to: withHolding(state, slot, p, { ...known, stage: 'ready', pos: c, since: -1, hot: checkpoint.streams }),
        },
      ];
    const from = checkpoint.W >= 0 ? checkpoint.W : base;
    if (from > c) return [{ label: `the mark is at ${from} > c, reads c again`, to: recover(config, state, slot, p) }];
    const to = withHolding(state, slot, p, { stage: 'restoring', W: from, hot: checkpoint.streams });
    return [{ label: `reads the checkpoint of ${p}: W_k = ${from}`, to }];
  }
  const since = stored.W;
  if (config.cold)
    return [{ label, to: withHolding(state, slot, p, { ...known, stage: 'replaying', pos: stored.W, since }) }];
  const pos = config.rules.suppressReplay ? c : stored.W;
  const { hot } = run(config, p, { ...known, hot: stored.streams }, stored.W, pos);
  return [{ label, to: withHolding(state, slot, p, { ...known, stage: 'ready', pos, since, hot }) }];
}

/** Empties the store and fills it with what the checkpoint had; then it is loaded like any other. */
function restore(config: Configuration, state: State, slot: number, p: number): Move[] {
  const { saving, W, hot } = state.processes[slot].holdings[p];
  if (saving) return [];
  const cleared = clear(state, p);
  const commit = config.checkpoints ? newCommit(state) : 0;
  const request = restoring(state, slot, p, commit, W, hot as Hidden[]);
  const to = send(withHolding(cleared, slot, p, { saving: request, underWay: commit }), request);
  return [{ label: `restores ${p} at W = ${W}`, to }];
}

/** Replays the next record with its stream loaded on demand. */
function replay(config: Configuration, state: State, slot: number, p: number): Move[] {
  const h = state.processes[slot].holdings[p];
  if (h.pos === h.c) return [{ label: `${p} is ready`, to: withHolding(state, slot, p, { stage: 'ready' }) }];
  const loaded = warm(config, state, slot, p, h.pos + 1);
  if (!Array.isArray(loaded)) return [{ label: `replays ${p} at ${h.pos}: recovers`, to: loaded }];
  const { hot } = run(config, p, { ...h, hot: loaded }, h.pos, h.pos + 1);
  return [{ label: `replays ${p} at ${h.pos}`, to: withHolding(state, slot, p, { hot, pos: h.pos + 1 }) }];
}
