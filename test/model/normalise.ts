/**
 * Maps states that behave alike onto one, so that epochs, member numbers and generations need no bound: of each only "current", "old" and, for generations, "the one
 * before" matter. A request that can only be refused from now on, and whose answer nobody waits for, is dropped.
 */
import { CURRENT_EPOCH } from './broker.js';
import type { Configuration } from './configuration.js';
import { awaits, text } from './process.js';
import type { Process, Request, Save, Slot, State } from './state.js';

const CURRENT = CURRENT_EPOCH;
const OLD = 1;
/** Generations: 3 is the current one, 2 the one before it, 1 any older. */
const GENERATION = 3;
const NOBODYS = -1;

export function normalise(config: Configuration, state: State): State {
  const next = renumberEpochs(config, state);
  return config.checkpoints ? renumberCommits(config, next) : next;
}

function renumberEpochs(config: Configuration, state: State): State {
  const { transactions, group } = state;
  const epoch = (id: number, value: number): number =>
    value === 0 ? 0 : value === transactions[id].epoch ? CURRENT : OLD;
  const member = (slot: number, value: number): number =>
    value === 0 ? 0 : value === group.members[slot] ? CURRENT : OLD;
  const generation = (value: number): number =>
    value === 0 ? 0 : Math.max(1, GENERATION - (group.generation - value));
  const processes = state.processes.map((me, slot): Process => {
    const next = {
      ...me,
      epoch: epoch(me.id, me.epoch),
      member: member(slot, me.member),
      generation: generation(me.generation),
    };
    return next.epoch === me.epoch && next.member === me.member && next.generation === me.generation ? me : next;
  });
  const network = state.network.flatMap((request) => {
    const next = renamed(request, epoch, member, generation);
    return hopeless(config, state, next) && !awaits(processes[request.from], next) ? [] : [next];
  });
  return {
    ...state,
    processes,
    network,
    transactions: transactions.map((t) => (t.epoch === CURRENT ? t : { ...t, epoch: CURRENT })),
    group:
      group.generation === GENERATION && group.members.every((m) => m === 0 || m === CURRENT)
        ? group
        : { ...group, generation: GENERATION, members: group.members.map((m) => (m === 0 ? 0 : CURRENT)) },
  };
}

function renamed(
  request: Request,
  epoch: (id: number, value: number) => number,
  member: (slot: number, value: number) => number,
  generation: (value: number) => number,
): Request {
  const next = {
    ...request,
    ...('epoch' in request && { epoch: epoch(request.id, request.epoch) }),
    ...('member' in request && {
      member: member(request.from, request.member),
      generation: generation(request.generation),
    }),
  };
  return text(next) === text(request) ? request : next;
}

function hopeless(config: Configuration, state: State, request: Request): boolean {
  const { rules } = config;
  if ('epoch' in request && request.epoch !== CURRENT) return true;
  if (request.kind === 'claim' || (request.kind === 'offsets' && rules.generationCheck))
    return request.member !== CURRENT || request.generation !== GENERATION;
  if (request.kind !== 'save' || !rules.compareAndSet) return false;
  if (request.expected.commit < 0 && request.expected.token === '') return true;
  // Without faults to come, nor a restoration after one, a watermark never goes back.
  const { failovers, flushes } = state.faults;
  const restored = (config.faults.flushes ?? 0) > 0 || (config.faults.bucketLosses ?? 0) > 0;
  return failovers === 0 && flushes === 0 && !restored && state.slots[request.p].W > request.expected.W;
}

/** Commits matter only as equal or not: they are numbered in the order in which they are met. */
function renumberCommits(config: Configuration, state: State): State {
  const names = new Map([[0, 0]]);
  const meet = (commit: number): unknown => names.has(commit) || names.set(commit, names.size);
  for (const { commit } of state.slots) meet(commit);
  for (const slots of state.history) for (const { commit } of slots) meet(commit);
  for (const request of state.network) if (request.kind === 'save') meet(request.commit);
  // Nothing will ever be of a commit that is neither stored nor on its way.
  const name = (commit: number): number => names.get(commit) ?? NOBODYS;
  if (everyCommit(state, (commit) => name(commit) === commit)) return state;
  const slotOf = (slot: Slot): Slot => ({ ...slot, commit: name(slot.commit) });
  const saveOf = (request: Save): Save => ({
    ...request,
    commit: name(request.commit),
    expected: { ...request.expected, commit: name(request.expected.commit) },
  });
  const processes = state.processes.map((me) => ({
    ...me,
    holdings: me.holdings.map((h) => ({
      ...h,
      commit: name(h.commit),
      underWay: name(h.underWay),
      saving: h.saving && saveOf(h.saving),
      chunks: h.chunks.map(saveOf),
    })),
  }));
  const network = state.network.map((request) => (request.kind === 'save' ? saveOf(request) : request));
  const named: State = {
    ...state,
    slots: state.slots.map(slotOf),
    history: state.history.map((slots) => slots.map(slotOf)),
    processes,
    network: network.sort((a, b) => (text(a) < text(b) ? -1 : 1)),
  };
  const left = named.network.filter(
    (request) => !hopeless(config, named, request) || awaits(processes[request.from], request),
  );
  return left.length === network.length ? named : renumberCommits(config, { ...named, network: left });
}

function everyCommit({ slots, history, processes, network }: State, holds: (commit: number) => boolean): boolean {
  const ofSave = (save: Save): boolean => holds(save.commit) && holds(save.expected.commit);
  return (
    slots.every(({ commit }) => holds(commit)) &&
    history.every((older) => older.every(({ commit }) => holds(commit))) &&
    network.every((request) => request.kind !== 'save' || ofSave(request)) &&
    processes.every(({ holdings }) =>
      holdings.every(
        ({ commit, underWay, saving, chunks }) =>
          holds(commit) && holds(underWay) && (!saving || ofSave(saving)) && chunks.every(ofSave),
      ),
    )
  );
}
