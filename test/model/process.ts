/** What one process does: takes partitions over, recovers, runs one transaction over all its partitions, saves, and lives in the group. */
import { begin, initProducer, isMember, isUnstable, serve, type ServedRequest } from './broker.js';
import type { Configuration } from './configuration.js';
import { AWAY, put, type Hidden, type Holding, type Process, type Request, type State } from './state.js';
import { absorbed, step } from './truth.js';

export interface Move {
  readonly label: string;
  readonly to: State;
}

const withProcess = (state: State, slot: number, change: Partial<Process>): State => ({
  ...state,
  processes: put(state.processes, slot, { ...state.processes[slot], ...change }),
});

const withHolding = (state: State, slot: number, p: number, change: Partial<Holding>): State => {
  const { holdings } = state.processes[slot];
  return withProcess(state, slot, { holdings: put(holdings, p, { ...holdings[p], ...change }) });
};

const texts = new WeakMap<Request, string>();
/** A request as JSON: the order of the network, which has no order of its own. */
export function text(request: Request): string {
  let known = texts.get(request);
  if (known === undefined) texts.set(request, (known = JSON.stringify(request)));
  return known;
}

export function send(state: State, ...requests: Request[]): State {
  const network = [...state.network, ...requests];
  return { ...state, network: network.sort((a, b) => (text(a) < text(b) ? -1 : 1)) };
}

/** A member number that no one has: normalise() makes it the current one. */
const NEW = 3;

const blank = (config: Configuration): Holding => AWAY(config.streams);

/** Any error or time-out inside a transaction: the producer goes, and every partition is recovered, except that a claim under way is waited for. */
export function recoverAll(config: Configuration, state: State, slot: number): State {
  const { holdings } = state.processes[slot];
  const lost = holdings.map((h) =>
    h.stage === 'away' || (h.stage === 'claiming' && config.rules.claimAwaited)
      ? h
      : { ...blank(config), stage: 'assigned' as const },
  );
  return withProcess(state, slot, { epoch: 0, transaction: null, holdings: lost });
}

/** Back to nothing but a process: no member, no partitions. */
function leave(config: Configuration, state: State, slot: number): State {
  const { epoch, transaction, holdings } = state.processes[slot];
  return withProcess(state, slot, {
    member: 0,
    generation: 0,
    joining: false,
    epoch: transaction ? 0 : epoch,
    transaction: null,
    holdings: holdings.map(() => blank(config)),
  });
}

/** An instance that leaves of its own will, so that what it sent as that member is refused from now on. */
function leaveGroup(config: Configuration, state: State, slot: number): State {
  const left = leave(config, state, slot);
  const { group } = left;
  if (group.members[slot] !== state.processes[slot].member) return left;
  return {
    ...left,
    group: {
      ...group,
      rebalancing: true,
      members: put(group.members, slot, 0),
      joined: put(group.joined, slot, false),
    },
  };
}

/** Recovers one partition; all of them if its batch is in the open transaction, which may still commit after c was read. */
export function recover(config: Configuration, state: State, slot: number, p: number): State {
  const { transaction } = state.processes[slot];
  if (config.rules.recoverOutsideTransaction && transaction && transaction.ends[p] >= 0)
    return recoverAll(config, state, slot);
  return withHolding(state, slot, p, { ...blank(config), stage: 'assigned' });
}

function group(config: Configuration, state: State, slot: number): Move[] {
  const me = state.processes[slot];
  const { group } = state;
  const moves: Move[] = [];
  const joinWith = (left: State, member: number): State => {
    const s = withProcess(left, slot, { member, joining: true });
    const members = put(s.group.members, slot, member);
    return { ...s, group: { ...s.group, rebalancing: true, members, joined: put(s.group.joined, slot, true) } };
  };
  if (me.member === 0) {
    if (group.members[slot] === 0) moves.push({ label: 'joins', to: joinWith(state, NEW) });
    return moves;
  }
  if (group.members[slot] !== me.member) {
    moves.push({ label: 'hears that it was expelled', to: leave(config, state, slot) });
  } else if (group.rebalancing && !group.joined[slot]) {
    moves.push(
      me.transaction
        ? {
            label: 'hears of the rebalance, drops its transaction, rejoins',
            to: joinWith(recoverAll(config, state, slot), me.member),
          }
        : { label: 'rejoins', to: joinWith(state, me.member) },
    );
  } else if (!group.rebalancing && group.generation !== me.generation) {
    const next = me.generation + 1 === group.generation || !config.rules.retainConsecutiveOnly;
    const holdings = me.holdings.map((h, p): Holding => {
      if (group.assignment[p] !== slot) return blank(config);
      return next && h.stage === 'ready' ? h : { ...blank(config), stage: 'assigned' };
    });
    moves.push({
      label: 'syncs the new generation',
      to: withProcess(state, slot, { generation: group.generation, joining: false, holdings }),
    });
  }
  return moves;
}

function takeOver(config: Configuration, state: State, slot: number, p: number): Move[] {
  const me = state.processes[slot];
  const mine = me.holdings[p];
  const { rules } = config;
  const set = (change: Partial<Holding>): State => withHolding(state, slot, p, change);
  switch (mine.stage) {
    case 'assigned': {
      const beats = isMember(state.group, slot, me.member, me.generation) && !state.group.rebalancing;
      if (rules.heartbeatFirst && !beats) return [];
      const previous = state.partitions[p].owner;
      if (!rules.fencePrevious || previous < 0 || previous === me.id)
        return [{ label: `peeks at ${p}: T${previous}`, to: set({ stage: 'fenced' }) }];
      const open = state.transactions[previous].status === 'ongoing' && state.transactions[previous].added[p];
      return [
        {
          label: `peeks at ${p}: T${previous}, ${open ? 'open' : 'not open'}`,
          to: set(open ? { stage: 'fence', previous } : { stage: 'fenced' }),
        },
      ];
    }
    case 'fence': {
      const fenced = initProducer(set({ stage: 'fenced', previous: -1 }), mine.previous);
      return fenced ? [{ label: `fences T${mine.previous}`, to: fenced }] : [];
    }
    case 'fenced': {
      if (rules.requireStable && isUnstable(state, p)) return [];
      const { c, owner } = state.partitions[p];
      const label = `reads c = ${c} of ${p}`;
      if (owner === me.id || !rules.claim) return [{ label, to: set({ stage: 'claimed', c }) }];
      const claim: Request = {
        kind: 'claim',
        from: slot,
        id: me.id,
        member: me.member,
        generation: me.generation,
        p,
        c,
      };
      return [{ label: `${label}, claims it`, to: send(set({ stage: 'claiming', c }), claim) }];
    }
    case 'claimed':
      return [load(config, state, slot, p)];
    default:
      return [];
  }
}

/** Reads Redis, replays [W, c) with outcomes suppressed, and is ready at c. */
function load(config: Configuration, state: State, slot: number, p: number): Move {
  const { c } = state.processes[slot].holdings[p];
  const { W, streams } = state.slots[p];
  const label = `loads ${p}: W = ${W}`;
  if (W > c) {
    const now = state.partitions[p].c;
    // A newer c means that somebody else went on: drop it; otherwise states are ahead of what was committed, which must not happen.
    if (now >= W) return { label: `${label} > c, drops it`, to: recover(config, state, slot, p) };
    return { label: `${label} > c, refuses`, to: withHolding(state, slot, p, { ...blank(config), stage: 'refused' }) };
  }
  const base = Math.max(W, 0);
  const end = config.rules.suppressReplay ? c : base;
  const hot = run(config, p, W < 0 ? streams.map(() => '') : streams, base, end).hot;
  return { label, to: withHolding(state, slot, p, { stage: 'ready', pos: end, W, hot, from: base }) };
}

/** Steps [from, to): states afterwards, and the state each outcome came from. What a stream has absorbed is skipped. */
function run(
  config: Configuration,
  p: number,
  states: readonly (Hidden | null)[],
  from: number,
  to: number,
): { hot: Hidden[]; records: Hidden[] } {
  const hot = states.map((h) => h ?? '');
  const records: Hidden[] = [];
  for (let o = from; o < to; o++) {
    const s = config.log[p][o];
    if (absorbed(hot[s]) < o) hot[s] = step(hot[s], o, 'a');
    records.push(hot[s]);
  }
  return { hot, records };
}

function sizes(config: Configuration, me: Process): number[][] {
  let all: number[][] = [[]];
  me.holdings.forEach((h, p) => {
    const most = h.stage === 'ready' ? Math.min(config.maxBatch, config.log[p].length - h.pos) : 0;
    all = all.flatMap((rest) => Array.from({ length: most + 1 }, (_, n) => [...rest, most - n]));
  });
  return all.filter((list) => list.some((n) => n > 0));
}

function transact(config: Configuration, state: State, slot: number): Move[] {
  const me = state.processes[slot];
  if (me.transaction) return [];
  if (me.epoch === 0) {
    if (me.holdings.every((h) => h.stage === 'away')) return [];
    const to = initProducer(state, me.id);
    if (!to) return [];
    // While an open transaction is aborted the coordinator answers CONCURRENT_TRANSACTIONS; the producer asks again.
    const aborted = state.transactions[me.id].status === 'ongoing';
    const { epoch } = to.transactions[me.id];
    return [
      {
        label: aborted ? 'aborts its old transaction' : `inits T${me.id}`,
        to: aborted ? to : withProcess(to, slot, { epoch }),
      },
    ];
  }
  return sizes(config, me).flatMap((ns): Move[] => {
    const ends = me.holdings.map((h, p) => (ns[p] > 0 ? h.pos + ns[p] : -1));
    const label = `sends a transaction ${ends.map((b, p) => (b < 0 ? '' : `${p}[${me.holdings[p].pos},${b})`)).join(' ')}`;
    const open = begin(
      state,
      me.id,
      me.epoch,
      ns.map((n) => n > 0),
    );
    if (open === 'wait') return [];
    if (open === 'fenced') return [{ label: `${label}: fenced`, to: recoverAll(config, state, slot) }];
    const offsets: Request = {
      kind: 'offsets',
      from: slot,
      id: me.id,
      epoch: me.epoch,
      member: me.member,
      generation: me.generation,
      ends,
    };
    const produces: ServedRequest[] = [];
    const holdings = me.holdings.map((h, p): Holding => {
      if (ends[p] < 0) return h;
      const { hot, records } = run(config, p, h.hot, h.pos, ends[p]);
      produces.push({ kind: 'produce', from: slot, id: me.id, epoch: me.epoch, p, records });
      return { ...h, hot, from: config.rules.dirtySet ? -1 : h.pos };
    });
    if (config.rules.offsetsFirst)
      return [
        {
          label,
          to: send(withProcess(open, slot, { transaction: { ends, unacknowledged: 1, produces }, holdings }), offsets),
        },
      ];
    const unacknowledged = 1 + (config.lateRecords ? produces.length : 0);
    const sent = send(
      withProcess(open, slot, { transaction: { ends, unacknowledged, produces: [] }, holdings }),
      offsets,
    );
    if (config.lateRecords) return [{ label, to: send(sent, ...produces) }];
    return [{ label, to: produces.reduce<State>((s, request) => serve(config, s, request)!, sent) }];
  });
}

function save(config: Configuration, state: State, slot: number, p: number): Move[] {
  const me = state.processes[slot];
  const { stage, W, pos, hot, saving, from } = me.holdings[p];
  if (stage !== 'ready' || saving >= 0 || pos <= W) return [];
  if (me.transaction && me.transaction.ends[p] >= 0) return [];
  const since = config.rules.dirtySet ? W : from;
  const streams = hot.map((h) => (h !== null && absorbed(h) >= since ? h : null));
  const request: Request = { kind: 'save', from: slot, id: me.id, p, expected: W, W: pos, streams };
  return [{ label: `saves ${p}: W ${W} -> ${pos}`, to: send(withHolding(state, slot, p, { saving: pos }), request) }];
}

/** Everything that the process in `slot` may do next, but for giving up on a request. */
export function moves(config: Configuration, state: State, slot: number): Move[] {
  const me = state.processes[slot];
  const all = group(config, state, slot);
  if (me.joining && config.rules.quietWhileJoining) return all;
  all.push(...transact(config, state, slot));
  me.holdings.forEach((_, p) => {
    // Its own transaction of before must be settled first: reading c comes after InitProducerId.
    if (me.epoch > 0) all.push(...takeOver(config, state, slot, p));
    all.push(...save(config, state, slot, p));
  });
  return all;
}

/** The process gives up waiting for an answer, whose request may still arrive. */
export function giveUp(config: Configuration, state: State, slot: number): Move[] {
  const { transaction, holdings } = state.processes[slot];
  const all: Move[] = [];
  if (transaction) all.push({ label: 'gives up on its transaction', to: recoverAll(config, state, slot) });
  holdings.forEach(({ stage, saving }, p) => {
    if (saving >= 0) all.push({ label: `gives up on the save of ${p}`, to: recover(config, state, slot, p) });
    if (stage === 'claiming') {
      const to = config.rules.claimAwaited ? leaveGroup(config, state, slot) : recoverAll(config, state, slot);
      all.push({ label: `gives up on the claim of ${p}`, to });
    }
  });
  return all;
}

/** Whether the process still waits for this request's answer. */
export function awaits(me: Process, request: Request): boolean {
  if (me.id !== request.id) return false;
  switch (request.kind) {
    case 'save': {
      const { saving, W } = me.holdings[request.p];
      return saving === request.W && W === request.expected;
    }
    case 'claim':
      return (
        me.holdings[request.p].stage === 'claiming' &&
        me.member === request.member &&
        me.generation === request.generation
      );
    default:
      return me.transaction !== null && me.epoch === request.epoch;
  }
}

/** How the process takes an answer that it waits for. */
export function answered(config: Configuration, state: State, request: Request, accepted: boolean): State {
  const slot = request.from;
  const me = state.processes[slot];
  if (!awaits(me, request)) return state;
  switch (request.kind) {
    case 'save':
      return accepted
        ? withHolding(state, slot, request.p, { saving: -1, W: request.W })
        : recover(config, state, slot, request.p);
    case 'claim':
      return accepted ? withHolding(state, slot, request.p, { stage: 'claimed' }) : recoverAll(config, state, slot);
    case 'end':
      return accepted ? committed(state, slot) : recoverAll(config, state, slot);
    default:
      return accepted ? acknowledged(state, slot) : recoverAll(config, state, slot);
  }
}

/** One more request of the transaction is acknowledged; with the last one EndTxn is sent. (It may never arrive: a crash before it was sent is the same.) */
function acknowledged(state: State, slot: number): State {
  const me = state.processes[slot];
  const transaction = me.transaction!;
  const { produces } = transaction;
  const unacknowledged = transaction.unacknowledged - 1 + produces.length;
  const waiting = withProcess(state, slot, { transaction: { ...transaction, unacknowledged, produces: [] } });
  const next: Request[] =
    unacknowledged > 0 ? [...produces] : [{ kind: 'end', from: slot, id: me.id, epoch: me.epoch }];
  return send(waiting, ...next);
}

function committed(state: State, slot: number): State {
  const { transaction, holdings } = state.processes[slot];
  const { ends } = transaction!;
  return withProcess(state, slot, {
    transaction: null,
    holdings: holdings.map((h, p) => (ends[p] < 0 ? h : { ...h, pos: ends[p] })),
  });
}
