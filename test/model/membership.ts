/** A process in its group: eager rebalances, one assignment a generation. */
import type { Configuration } from './configuration.js';
import { away, forgetGroup, forgotten, recoverAll, withProcess, type Move } from './process.js';
import { put, type Holding, type State } from './state.js';

/** A member number that no one has: normalise() makes it the current one. */
const NEW = 3;

export function membership(config: Configuration, state: State, slot: number): Move[] {
  const me = state.processes[slot];
  const { group } = state;
  if (me.member === 0) return group.members[slot] === 0 ? [{ label: 'joins', to: join(state, slot, NEW) }] : [];
  if (group.members[slot] !== me.member)
    return [{ label: 'hears that it was expelled', to: forgetGroup(config, state, slot) }];
  if (group.rebalancing && !group.joined[slot]) {
    if (!me.transaction) return [{ label: 'rejoins', to: join(state, slot, me.member) }];
    const to = join(recoverAll(config, state, slot), slot, me.member);
    return [{ label: 'hears of the rebalance, drops its transaction, rejoins', to }];
  }
  if (group.rebalancing || group.generation === me.generation) return [];
  return [{ label: 'hears its assignment', to: sync(config, state, slot) }];
}

function join(state: State, slot: number, member: number): State {
  const { group } = state;
  const members = put(group.members, slot, member);
  const joined = put(group.joined, slot, true);
  return withProcess({ ...state, group: { ...group, rebalancing: true, members, joined } }, slot, {
    member,
    joining: true,
  });
}

/** A partition that was ready stays so if no generation lies between: nobody else can have owned it. */
function sync(config: Configuration, state: State, slot: number): State {
  const { group } = state;
  const me = state.processes[slot];
  const next = me.generation + 1 === group.generation || !config.rules.retainConsecutiveOnly;
  const holdings = me.holdings.map((h, p): Holding => {
    if (group.assignment[p] !== slot) return away(config.streams);
    return next && (h.stage === 'ready' || h.stage === 'swapping') ? h : { ...forgotten(config, h), lost: false };
  });
  return withProcess(state, slot, { generation: group.generation, joining: false, holdings });
}
