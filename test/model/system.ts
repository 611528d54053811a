/** The protocol as a system to search: every move of every process, every request served, every fault still allowed. */
import { transact } from './batch.js';
import { abort, idle, markers, serve } from './broker.js';
import type { Configuration } from './configuration.js';
import { membership } from './membership.js';
import { normalise } from './normalise.js';
import { answered, giveUp, startProcess, text, type Move } from './process.js';
import { recovery } from './recovery.js';
import { emptySlot, flush, loseBucket, save } from './redis.js';
import { save as saves } from './saving.js';
import { rounds } from './rounds.js';
import type { Step, System } from './search.js';
import { put, type Faults, type Partition, type Process, type State } from './state.js';
import { evictions } from './stepping.js';
import { violation } from './truth.js';

/** 0 and 1: a process slot; 'env' the servers; 'fault' what need not happen. */
export type Actor = 0 | 1 | 'env' | 'fault';

export interface TaggedStep extends Step<State> {
  readonly by: Actor;
}

const SLOTS = [0, 1] as const;

/** Both processes are members of the current generation, and partition p is that of slot p; nobody has recovered yet. */
export function initialState(config: Configuration): State {
  const crashes = config.faults.crashes ?? 0;
  const partitions = config.log.length;
  const processes = SLOTS.map((slot): Process => {
    const process = startProcess(config, slot);
    const holdings = process.holdings.map((h, p) => (p === slot ? { ...h, stage: 'assigned' as const } : h));
    return { ...process, member: 2, generation: 3, holdings };
  });
  const known = config.firstStart ? -1 : 0;
  return {
    partitions: config.log.map((records): Partition => ({
      c: known,
      owner: -1,
      base: known,
      end: config.firstStart ? 0 : records.length,
      outcomes: records.map(() => 0),
      checkpoint: { W: -1, streams: Array<string>(config.streams).fill('') },
      swap: -1,
      first: known,
    })),
    transactions: Array.from({ length: 2 + crashes }, () => idle(partitions)),
    group: {
      generation: 3,
      rebalancing: false,
      members: [2, 2],
      joined: [false, false],
      assignment: config.log.map((_, p) => p),
    },
    slots: config.log.map(() => ({
      ...emptySlot(config.streams, known),
      commit: config.checkpoints && known >= 0 ? 1 : 0,
    })),
    history: [],
    processes,
    network: [],
    faults: {
      crashes: 0,
      expulsions: 0,
      timeouts: 0,
      transactionTimeouts: 0,
      failovers: 0,
      flushes: 0,
      bucketLosses: 0,
      rounds: Infinity,
      dead: -1,
      ...config.faults,
    },
    wrong: '',
  };
}

const spend = (state: State, fault: Exclude<keyof Faults, 'dead' | 'rounds'>): State => ({
  ...state,
  faults: { ...state.faults, [fault]: state.faults[fault] - 1 },
});

function deliver(config: Configuration, state: State, index: number): State {
  const request = state.network[index];
  const rest = { ...state, network: state.network.filter((_, i) => i !== index) };
  const served = request.kind === 'save' ? save(config, rest, request) : serve(config, rest, request);
  return answered(config, served ?? rest, request, served !== null);
}

function expel(state: State, slot: number): State {
  const { group } = state;
  return {
    ...state,
    group: {
      ...group,
      rebalancing: true,
      members: put(group.members, slot, 0),
      joined: put(group.joined, slot, false),
    },
  };
}

/** The rebalance is over once every member has joined; any assignment may come out. */
function complete(config: Configuration, state: State): TaggedStep[] {
  const { group } = state;
  const members = SLOTS.filter((slot) => group.members[slot] > 0);
  if (!group.rebalancing || members.length === 0 || !members.every((slot) => group.joined[slot])) return [];
  const generation = group.generation + 1;
  let assignments: number[][] = [[]];
  for (let p = 0; p < config.log.length; p++)
    assignments = assignments.flatMap((rest) => members.map((m) => [...rest, m]));
  return assignments.map((assignment) => ({
    label: () => `group: a new generation, partitions to ${assignment.map((m) => `w${m}`).join(' ')}`,
    by: 'env',
    to: {
      ...state,
      group: { generation, rebalancing: false, members: group.members, joined: [false, false], assignment },
    },
  }));
}

function faults(config: Configuration, state: State): TaggedStep[] {
  const all: TaggedStep[] = [];
  const add = (label: string, to: State): number => all.push({ label: () => label, to, by: 'fault' });
  const left = state.faults;
  for (const slot of SLOTS) {
    const me = state.processes[slot];
    if (left.dead === slot) continue;
    if (left.crashes > 0 && (me.member > 0 || me.epoch > 0)) {
      const id = state.transactions.length - left.crashes;
      const next = spend(state, 'crashes');
      add(`w${slot}: crash; starts again as T${id}`, {
        ...next,
        processes: put(state.processes, slot, startProcess(config, id)),
      });
    }
    if (left.expulsions > 0 && me.member > 0 && state.group.members[slot] === me.member)
      add(`group: expels w${slot}, which is alive`, expel(spend(state, 'expulsions'), slot));
    if (left.timeouts > 0)
      for (const { label, to } of giveUp(config, state, slot)) add(`w${slot}: ${label}`, spend(to, 'timeouts'));
  }
  if (left.failovers > 0)
    state.history.forEach((slots, i) => {
      const lost = state.history.length - i;
      add(`redis: fail-over, last ${lost} writes lost`, { ...spend(state, 'failovers'), slots, history: [] });
    });
  if (left.flushes > 0) add('redis: FLUSHALL', flush(spend(state, 'flushes')));
  if (left.bucketLosses > 0)
    state.slots.forEach(({ streams }, p) =>
      streams.forEach((hidden, s) => {
        if (hidden !== '') add(`redis: loses bucket ${s} of ${p}`, loseBucket(spend(state, 'bucketLosses'), p, s));
      }),
    );
  if (left.transactionTimeouts > 0)
    for (const step of transactionTimeouts(state)) add(step.label, spend(step.to, 'transactionTimeouts'));
  return all;
}

export function transactionTimeouts(state: State): { label: string; to: State; id: number }[] {
  return state.transactions.flatMap((t, id) =>
    t.status === 'ongoing' ? [{ label: `broker: times out the transaction of T${id}`, to: abort(state, id), id }] : [],
  );
}

/** Everything that the process in `slot` may do next, but for giving up on a request. */
function moves(config: Configuration, state: State, slot: number): Move[] {
  const me = state.processes[slot];
  const all = membership(config, state, slot);
  me.holdings.forEach((_, p) => all.push(...rounds(config, state, slot, p)));
  if (me.joining && config.rules.quietWhileJoining) return all;
  all.push(...transact(config, state, slot));
  me.holdings.forEach((_, p) => {
    // Its own transaction of before must be settled first: reading c comes after InitProducerId.
    if (me.epoch > 0) all.push(...recovery(config, state, slot, p));
    all.push(...saves(config, state, slot, p), ...evictions(config, state, slot, p));
  });
  return all;
}

/** Somebody appends the next record. */
function appends(config: Configuration, state: State): TaggedStep[] {
  return state.partitions.flatMap((partition, p) => {
    if (partition.end === config.log[p].length) return [];
    const partitions = put(state.partitions, p, { ...partition, end: partition.end + 1 });
    return [
      { label: () => `record ${partition.end} of ${p} is appended`, to: { ...state, partitions }, by: 'env' as const },
    ];
  });
}

export function steps(config: Configuration, state: State): TaggedStep[] {
  const all: TaggedStep[] = [];
  for (const slot of SLOTS) {
    if (state.faults.dead !== slot)
      for (const { label, to } of moves(config, state, slot))
        all.push({ label: () => `w${slot}: ${label}`, to, by: slot });
    // A member whose process is gone is expelled in the end.
    const member = state.group.members[slot];
    if (member > 0 && (state.faults.dead === slot || state.processes[slot].member === 0))
      all.push({ label: () => `group: expels the dead w${slot}`, to: expel(state, slot), by: 'env' });
  }
  state.network.forEach((request, i) => {
    if (i > 0 && text(request) === text(state.network[i - 1])) return;
    all.push({ label: () => `delivered: ${text(request)}`, to: deliver(config, state, i), by: request.from as Actor });
  });
  for (const { label, to } of markers(state)) all.push({ label: () => label, to, by: 'env' });
  all.push(...appends(config, state), ...complete(config, state), ...faults(config, state));
  return all;
}

export const system = (config: Configuration): System<State> => ({
  initial: initialState(config),
  next: (state) => steps(config, state).map(({ label, to }) => ({ label, to: normalise(config, to) })),
  violation: (state) => violation(config, state),
});
