/**
 * Maps states that behave alike onto one, so that epochs, member numbers and generations need no bound: of each only "current", "old" and, for generations, "the one
 * before" matter. A request that can only be refused from now on, and whose answer nobody waits for, is dropped.
 */
import { CURRENT_EPOCH } from './broker.js';
import type { Configuration } from './configuration.js';
import { awaits, text } from './process.js';
import type { Process, Request, State } from './state.js';

const CURRENT = CURRENT_EPOCH;
const OLD = 1;
/** Generations: 3 is the current one, 2 the one before it, 1 any older. */
const GENERATION = 3;

export function normalise(config: Configuration, state: State): State {
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
  // Without faults to come a watermark never goes back.
  const { failovers, flushes } = state.faults;
  return failovers === 0 && flushes === 0 && state.slots[request.p].W > request.expected.W;
}
