/** Kafka as the protocol sees it: the transaction coordinator, the group coordinator, and offsets with transactions pending on them. */
import type { Configuration } from './configuration.js';
import { put, type Group, type Partition, type Request, type Save, type State, type Transaction } from './state.js';
import { absorbed, rightAt } from './truth.js';

export const CURRENT_EPOCH = 2;

export function idle(partitions: number): Transaction {
  const none = Array<null>(partitions).fill(null);
  const added = Array<boolean>(partitions).fill(false);
  return { epoch: CURRENT_EPOCH, status: 'none', added, produced: none, changelog: none, pending: none };
}

const withTransaction = (state: State, id: number, change: Partial<Transaction>): State => ({
  ...state,
  transactions: put(state.transactions, id, { ...state.transactions[id], ...change }),
});

/** A decided transaction is over with its markers on the offsets and the changelog; when they reach the outputs only readers care. */
function finish(state: State, id: number): State {
  const t = state.transactions[id];
  if (t.pending.some((o) => o !== null) || t.changelog.some((entry) => entry !== null)) return state;
  return { ...state, transactions: put(state.transactions, id, { ...idle(t.added.length), epoch: t.epoch }) };
}

const decided = (t: Transaction): boolean => t.status === 'commit' || t.status === 'abort';

/** Aborts what is open under `id` and fences its producers: InitProducerId, or the transaction's time-out. */
export function abort(state: State, id: number): State {
  const t = state.transactions[id];
  const changelog = t.changelog.map(() => null);
  return finish(withTransaction(state, id, { epoch: t.epoch + 1, status: 'abort', changelog }), id);
}

/** InitProducerId: null while an earlier decision waits for its markers. The epoch it gives is the new state's. */
export function initProducer(state: State, id: number): State | null {
  const t = state.transactions[id];
  if (decided(t)) return null;
  return t.status === 'ongoing' ? abort(state, id) : withTransaction(state, id, { epoch: t.epoch + 1 });
}

/** AddPartitionsToTxn and AddOffsetsToTxn. 'wait' while markers of the transaction before are missing; 'fenced' for an old epoch. */
export function begin(
  state: State,
  id: number,
  epoch: number,
  partitions: readonly boolean[],
): State | 'wait' | 'fenced' {
  const t = state.transactions[id];
  if (t.epoch !== epoch) return 'fenced';
  if (decided(t)) return 'wait';
  return withTransaction(state, id, { status: 'ongoing', added: partitions });
}

export const isMember = (group: Group, slot: number, member: number, generation: number): boolean =>
  member > 0 && group.members[slot] === member && group.generation === generation;

/** Whether a read of the offset with require_stable has to wait. */
export const isUnstable = (state: State, p: number): boolean => state.transactions.some((t) => t.pending[p] !== null);

/** Whether a reader of the changelog is held back before its end. */
export const isChangelogOpen = (state: State, p: number): boolean =>
  state.transactions.some((t) => t.changelog[p] !== null);

/** What the broker makes of a request; null if it rejects it. Brokers since KIP-890 accept records and offsets only for a transaction that is open. */
export function serve(config: Configuration, state: State, request: Exclude<Request, Save>): State | null {
  const t = state.transactions[request.id];
  switch (request.kind) {
    case 'produce': {
      const { p, records, entry } = request;
      if (t.epoch !== request.epoch || t.status !== 'ongoing' || !t.added[p]) return null;
      return withTransaction(state, request.id, {
        produced: put(t.produced, p, records),
        changelog: put(t.changelog, p, entry),
      });
    }
    case 'offsets': {
      if (t.epoch !== request.epoch || t.status !== 'ongoing') return null;
      const current = isMember(state.group, request.from, request.member, request.generation);
      if (config.rules.generationCheck && !current) return null;
      return withTransaction(state, request.id, { pending: request.pending.map((o, p) => o ?? t.pending[p]) });
    }
    case 'end': {
      if (t.epoch !== request.epoch || t.status !== 'ongoing') return null;
      return decide(config, withTransaction(state, request.id, { status: 'commit' }), t);
    }
    case 'claim': {
      if (!isMember(state.group, request.from, request.member, request.generation)) return null;
      const { p, c, base, id: owner } = request;
      const claimed: Partition = { ...state.partitions[p], c, base, owner };
      const transactions = state.transactions.map((other) => {
        const pending = other.pending[p];
        return pending ? { ...other, pending: put(other.pending, p, { ...pending, superseded: true }) } : other;
      });
      return { ...state, transactions, partitions: put(state.partitions, p, claimed) };
    }
  }
}

/** The commit is decided: its outcomes will be seen. Each must come from the right state. */
function decide(config: Configuration, state: State, t: Transaction): State {
  let wrong = state.wrong;
  const partitions = state.partitions.map((partition, p) => {
    const outcomes = partition.outcomes.slice();
    for (const hidden of t.produced[p] ?? []) {
      const offset = absorbed(hidden);
      outcomes[offset]++;
      const right = rightAt(config, state, p, offset);
      if (hidden !== right)
        wrong = `outcome of record ${offset} of partition ${p} computed from "${hidden}" instead of "${right}"`;
    }
    return { ...partition, outcomes };
  });
  return { ...state, partitions, wrong };
}

/** The markers of decided transactions that can be written next, on the group's offsets and on the changelog. */
export function markers(state: State): { label: string; to: State }[] {
  const steps: { label: string; to: State }[] = [];
  state.transactions.forEach((t, id) => {
    if (!decided(t)) return;
    const write = (where: string, partitions: readonly Partition[], change: Partial<Transaction>): void => {
      const to = finish(withTransaction({ ...state, partitions }, id, change), id);
      steps.push({ label: `broker: ${t.status} marker of T${id} on ${where}`, to });
    };
    if (t.pending.some((o) => o !== null)) {
      const partitions = state.partitions.map((partition, p): Partition => {
        const pending = t.pending[p];
        if (t.status === 'abort' || !pending || pending.superseded) return partition;
        return { ...partition, c: pending.b, base: pending.base, owner: id };
      });
      write('the offsets', partitions, { pending: t.pending.map(() => null) });
    }
    if (t.changelog.some((entry) => entry !== null))
      write(
        'the changelog',
        state.partitions.map((partition, p) => compacted(partition, t, p)),
        {
          changelog: t.changelog.map(() => null),
        },
      );
  });
  return steps;
}

function compacted(partition: Partition, t: Transaction, p: number): Partition {
  const entry = t.changelog[p];
  if (!entry) return partition;
  const streams = partition.checkpoint.streams.map((h, s) => entry.slices[s] ?? h);
  const W = entry.W >= 0 ? entry.W : partition.checkpoint.W;
  return { ...partition, checkpoint: { W, streams }, swap: entry.swap >= 0 ? entry.swap : partition.swap };
}
