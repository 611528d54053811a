/** A process: how it changes, what it sends, how it recovers, and how it takes answers. */
import type { Configuration } from './configuration.js';
import { put, type ChangelogEntry, type Holding, type Process, type Request, type Round, type State } from './state.js';

export interface Move {
  readonly label: string;
  readonly to: State;
}

export const away = (streams: number): Holding => ({
  stage: 'away',
  previous: -1,
  c: -1,
  base: -1,
  pos: -1,
  W: -1,
  model: 'a',
  commit: 0,
  underWay: 0,
  since: -1,
  hot: Array<null>(streams).fill(null),
  saving: null,
  chunks: [],
  lost: false,
  swap: -1,
  marked: -1,
  round: null,
});

export const startProcess = (config: Configuration, id: number): Process => ({
  id,
  epoch: 0,
  member: 0,
  generation: 0,
  joining: false,
  transaction: null,
  holdings: config.log.map(() => away(config.streams)),
  saves: 0,
});

export const withProcess = (state: State, slot: number, change: Partial<Process>): State => ({
  ...state,
  processes: put(state.processes, slot, { ...state.processes[slot], ...change }),
});

export const withHolding = (state: State, slot: number, p: number, change: Partial<Holding>): State => {
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

export function send(state: State, ...requests: readonly Request[]): State {
  const network = [...state.network, ...requests];
  return { ...state, network: network.sort((a, b) => (text(a) < text(b) ? -1 : 1)) };
}

/** What is known of a partition goes, but that its store is to be restored; only a mutation keeps something of the round under way. */
export function forgotten(config: Configuration, { round, lost, base }: Holding, refused = false): Holding {
  const { abortLeavesPageDirty, recoveryVoidsRound, recoveryVoidsQueue } = config.rules;
  let kept: Round | null = null;
  if (!abortLeavesPageDirty || !recoveryVoidsRound) kept = round;
  else if (!recoveryVoidsQueue && !refused && round?.queued) kept = { ...round, next: -1 };
  return { ...away(config.streams), stage: 'assigned', lost, round: kept, ...(kept && { base }) };
}

/** Any error or time-out inside a transaction: the producer goes, and every partition is recovered, except that a claim under way is waited for. */
export function recoverAll(config: Configuration, state: State, slot: number): State {
  const keeps = ({ stage }: Holding): boolean =>
    stage === 'away' || (stage === 'claiming' && config.rules.claimAwaited);
  const holdings = state.processes[slot].holdings.map((h) => (keeps(h) ? h : forgotten(config, h, true)));
  return withProcess(state, slot, { epoch: 0, transaction: null, holdings });
}

/** Recovers one partition; all of them if its batch is in the open transaction, which may still commit after c was read. */
export function recover(config: Configuration, state: State, slot: number, p: number): State {
  const { transaction, holdings } = state.processes[slot];
  if (config.rules.recoverOutsideTransaction && transaction && transaction.ends[p] >= 0)
    return recoverAll(config, state, slot);
  return withHolding(state, slot, p, forgotten(config, holdings[p]));
}

/** Back to nothing but a process: no member, no partitions. */
export function forgetGroup(config: Configuration, state: State, slot: number): State {
  const { epoch, transaction, holdings } = state.processes[slot];
  return withProcess(state, slot, {
    member: 0,
    generation: 0,
    joining: false,
    epoch: transaction ? 0 : epoch,
    transaction: null,
    holdings: holdings.map(() => away(config.streams)),
  });
}

/** LeaveGroup: what was sent as that member is refused from now on. */
function leaveGroup(config: Configuration, state: State, slot: number): State {
  const left = forgetGroup(config, state, slot);
  const { group } = left;
  if (group.members[slot] !== state.processes[slot].member) return left;
  const members = put(group.members, slot, 0);
  return { ...left, group: { ...group, rebalancing: true, members, joined: put(group.joined, slot, false) } };
}

/** The process gives up waiting for an answer, whose request may still arrive. */
export function giveUp(config: Configuration, state: State, slot: number): Move[] {
  const { transaction, holdings } = state.processes[slot];
  const all: Move[] = [];
  if (transaction) all.push({ label: 'gives up on its transaction', to: recoverAll(config, state, slot) });
  holdings.forEach(({ stage, saving }, p) => {
    if (saving) all.push({ label: `gives up on the save of ${p}`, to: recover(config, state, slot, p) });
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
      const { saving } = me.holdings[request.p];
      return saving !== null && text(saving) === text(request);
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
  if (!awaits(state.processes[slot], request)) return state;
  switch (request.kind) {
    case 'save':
      return accepted ? saved(state, slot, request.p) : recover(config, state, slot, request.p);
    case 'claim':
      return accepted ? withHolding(state, slot, request.p, { stage: 'claimed' }) : recoverAll(config, state, slot);
    case 'end':
      return accepted ? committed(config, state, slot) : recoverAll(config, state, slot);
    default:
      return accepted ? acknowledged(state, slot) : recoverAll(config, state, slot);
  }
}

function saved(state: State, slot: number, p: number): State {
  const { saving, chunks, stage, lost } = state.processes[slot].holdings[p];
  if (chunks.length > 0)
    return send(withHolding(state, slot, p, { saving: chunks[0], chunks: chunks.slice(1) }), chunks[0]);
  const { W, model, commit } = saving!;
  const known = { saving: null, W, model, commit, since: W };
  // What was restored is loaded like anything else.
  const next = { swapping: 'ready', restoring: 'claimed' } as const;
  const settled = stage === 'swapping' || stage === 'restoring' ? next[stage] : stage;
  return withHolding(state, slot, p, { ...known, stage: settled, lost: stage !== 'restoring' && lost });
}

/** One more request of the transaction is acknowledged; with the last one EndTxn is sent. (It may never arrive: a crash before it was sent is the same.) */
function acknowledged(state: State, slot: number): State {
  const me = state.processes[slot];
  const transaction = me.transaction!;
  const { produces } = transaction;
  const unacknowledged = transaction.unacknowledged - 1 + produces.length;
  const waiting = withProcess(state, slot, { transaction: { ...transaction, unacknowledged, produces: [] } });
  const end: Request = { kind: 'end', from: slot, id: me.id, epoch: me.epoch };
  return send(waiting, ...(unacknowledged > 0 ? produces.map((request) => ({ ...request, epoch: me.epoch })) : [end]));
}

function committed(config: Configuration, state: State, slot: number): State {
  const { transaction, holdings } = state.processes[slot];
  const { ends, entries } = transaction!;
  return withProcess(state, slot, {
    transaction: null,
    holdings: holdings.map((h, p) =>
      ends[p] < 0 ? h : { ...h, pos: ends[p], ...noted(config, h, entries[p], ends[p]) },
    ),
  });
}

/** What a committed transaction's changelog records mean for the process that wrote them. */
function noted(config: Configuration, h: Holding, entry: ChangelogEntry | null, end: number): Partial<Holding> {
  if (!entry) return {};
  if (entry.swap >= 0) return { swap: entry.swap, stage: 'swapping' };
  if (!config.rules.abortLeavesPageDirty) return {};
  return afterWrite(config, h, end);
}

/** A round goes on once a page of it is written, and ends with its mark. */
export function afterWrite(config: Configuration, h: Holding, at: number): Partial<Holding> {
  const { round, W } = h;
  if (!round || round.next < 0) return { round: null };
  const marked = round.queued?.W ?? -1;
  if (round.next > config.streams) return { round: null, marked };
  return { round: queued(config, { ...round, queued: null, at }, W), ...(marked >= 0 && { marked }) };
}

/** With the last bucket read, and what was read of it written, the mark is next. */
export function queued(config: Configuration, round: Round, W: number): Round {
  if (round.queued || round.next < config.streams) return round;
  const mark = config.rules.roundTakesWAtStart ? round.W : W;
  const slices = Array<null>(config.streams).fill(null);
  return { ...round, next: config.streams + 1, queued: { slices, W: mark, swap: -1 } };
}
