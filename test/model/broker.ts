/** Kafka as the protocol sees it: the transaction coordinator, the group coordinator, and offsets with transactions pending on them. */
import type { Configuration } from './configuration.js';
import { put, type Group, type Partition, type Request, type State, type Transaction } from './state.js';
import { absorbed, hiddenAt } from './truth.js';

export function idle(partitions: number): Transaction {
  const none = Array<null>(partitions).fill(null);
  return { epoch: 2, status: 'none', added: Array<boolean>(partitions).fill(false), produced: none, pending: none };
}

const withTransaction = (state: State, id: number, change: Partial<Transaction>): State => ({
  ...state,
  transactions: put(state.transactions, id, { ...state.transactions[id], ...change }),
});

/** A decided transaction is over with its marker on the offsets; when markers reach the outputs only readers care. */
function finish(state: State, id: number): State {
  const t = state.transactions[id];
  if (t.pending.some((o) => o !== null)) return state;
  const { epoch } = t;
  return { ...state, transactions: put(state.transactions, id, { ...idle(t.added.length), epoch }) };
}

const decided = (t: Transaction): boolean => t.status === 'commit' || t.status === 'abort';

/** Aborts what is open under `id` and fences its producers: InitProducerId, or the transaction's time-out. */
export function abort(state: State, id: number): State {
  const { epoch } = state.transactions[id];
  return finish(withTransaction(state, id, { epoch: epoch + 1, status: 'abort' }), id);
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

/** Whether a read with require_stable has to wait. */
export const isUnstable = (state: State, p: number): boolean => state.transactions.some((t) => t.pending[p] !== null);

export type ServedRequest = Exclude<Request, { kind: 'save' }>;

/** What the broker makes of a request; null if it rejects it. Brokers since KIP-890 accept records and offsets only for a transaction that is open. */
export function serve(config: Configuration, state: State, request: ServedRequest): State | null {
  const t = state.transactions[request.id];
  switch (request.kind) {
    case 'produce': {
      if (t.epoch !== request.epoch || t.status !== 'ongoing' || !t.added[request.p]) return null;
      return withTransaction(state, request.id, { produced: put(t.produced, request.p, request.records) });
    }
    case 'offsets': {
      if (t.epoch !== request.epoch || t.status !== 'ongoing') return null;
      const current = isMember(state.group, request.from, request.member, request.generation);
      if (config.rules.generationCheck && !current) return null;
      const pending = request.ends.map((b, p) => (b < 0 ? t.pending[p] : { b, superseded: false }));
      return withTransaction(state, request.id, { pending });
    }
    case 'end': {
      if (t.epoch !== request.epoch || t.status !== 'ongoing') return null;
      return decide(config, withTransaction(state, request.id, { status: 'commit' }), t);
    }
    case 'claim': {
      if (!isMember(state.group, request.from, request.member, request.generation)) return null;
      const claimed: Partition = { ...state.partitions[request.p], c: request.c, owner: request.id };
      const transactions = state.transactions.map((other) => {
        const pending = other.pending[request.p];
        return pending ? { ...other, pending: put(other.pending, request.p, { ...pending, superseded: true }) } : other;
      });
      return { ...state, transactions, partitions: put(state.partitions, request.p, claimed) };
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
      const right = hiddenAt(config, p, config.log[p][offset], offset + 1);
      if (hidden !== right)
        wrong = `outcome of record ${offset} of partition ${p} computed from "${hidden}" instead of "${right}"`;
    }
    return { ...partition, outcomes };
  });
  return { ...state, partitions, wrong };
}

/** Commit and abort markers on the group's offsets that can be written next. */
export function markers(state: State): { label: string; to: State }[] {
  return state.transactions.flatMap((t, id) => {
    if (!decided(t)) return [];
    const partitions = state.partitions.map((partition, p) => {
      const pending = t.pending[p];
      return t.status === 'commit' && pending && !pending.superseded
        ? { ...partition, c: pending.b, owner: id }
        : partition;
    });
    const to = finish(withTransaction({ ...state, partitions }, id, { pending: t.pending.map(() => null) }), id);
    return [{ label: `broker: ${t.status} marker of T${id} on the offsets`, to }];
  });
}
