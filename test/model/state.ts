/** The state that the search walks: brokers, Redis, two processes, requests under way, and the faults still allowed. Shapes are fixed; nothing is mutated. */

/** A stream's hidden state: the offsets it absorbed, each with the model of that step, as in "0a2a". The empty string is a new stream. */
export type Hidden = string;

export interface Partition {
  /** Committed offset and what its metadata says: the transactional id that claimed or committed last. -1: none. */
  readonly c: number;
  readonly owner: number;
  /** How many outcomes of each offset are decided, that is, visible as soon as markers are written. */
  readonly outcomes: readonly number[];
}

export interface PendingOffset {
  readonly b: number;
  /** A plain commit was written after it: when its transaction commits, the coordinator keeps the later record. */
  readonly superseded: boolean;
}

export interface Transaction {
  readonly epoch: number;
  readonly status: 'none' | 'ongoing' | 'commit' | 'abort';
  /** Output partitions added; records produced; offsets pending. Each by input partition; null once its marker is written. */
  readonly added: readonly boolean[];
  readonly produced: readonly (readonly Hidden[] | null)[];
  readonly pending: readonly (PendingOffset | null)[];
}

/** The consumer group. Members by process slot: 0 none, else the member's number. */
export interface Group {
  readonly generation: number;
  readonly rebalancing: boolean;
  readonly members: readonly number[];
  readonly joined: readonly boolean[];
  /** Process slot by partition; -1 nobody. */
  readonly assignment: readonly number[];
}

/** A partition's keys in Redis. W = -1: the watermark is missing. */
export interface Slot {
  readonly W: number;
  readonly streams: readonly Hidden[];
}

export type Stage = 'away' | 'assigned' | 'fence' | 'fenced' | 'claiming' | 'claimed' | 'ready' | 'refused';

/** What a process holds of one partition. */
export interface Holding {
  readonly stage: Stage;
  readonly previous: number;
  /** Committed offset, as read. */
  readonly c: number;
  /** Next offset to step. */
  readonly pos: number;
  /** Watermark last acknowledged by Redis. */
  readonly W: number;
  /** Hidden states in memory; null is not loaded. */
  readonly hot: readonly (Hidden | null)[];
  /** Target watermark of the save under way, or -1. */
  readonly saving: number;
  /** Where the last batch began. */
  readonly from: number;
}

export interface OpenTransaction {
  /** Batch end by partition; -1 not in it. */
  readonly ends: readonly number[];
  readonly unacknowledged: number;
  /** Records still to be produced, once the offsets are acknowledged. */
  readonly produces: readonly Request[];
}

export interface Process {
  readonly id: number;
  /** Producer epoch; 0 not initialised. */
  readonly epoch: number;
  readonly member: number;
  readonly generation: number;
  /** JoinGroup is sent, the assignment not heard yet. */
  readonly joining: boolean;
  readonly transaction: OpenTransaction | null;
  readonly holdings: readonly Holding[];
}

export type Request =
  | { kind: 'produce'; from: number; id: number; epoch: number; p: number; records: readonly Hidden[] }
  | {
      kind: 'offsets';
      from: number;
      id: number;
      epoch: number;
      member: number;
      generation: number;
      ends: readonly number[];
    }
  | { kind: 'end'; from: number; id: number; epoch: number }
  | { kind: 'claim'; from: number; id: number; member: number; generation: number; p: number; c: number }
  | {
      kind: 'save';
      from: number;
      id: number;
      p: number;
      expected: number;
      W: number;
      streams: readonly (Hidden | null)[];
    };

/** Faults still allowed, and which process slot has died for good (-1: none). */
export interface Faults {
  readonly crashes: number;
  readonly expulsions: number;
  readonly timeouts: number;
  readonly transactionTimeouts: number;
  readonly failovers: number;
  readonly flushes: number;
  readonly dead: number;
}

export interface State {
  readonly partitions: readonly Partition[];
  readonly transactions: readonly Transaction[];
  readonly group: Group;
  readonly slots: readonly Slot[];
  /** Earlier versions of `slots`, oldest first, that a fail-over can bring back. */
  readonly history: readonly (readonly Slot[])[];
  readonly processes: readonly Process[];
  readonly network: readonly Request[];
  readonly faults: Faults;
  /** What a step itself found wrong; empty if nothing. */
  readonly wrong: string;
}

/** A copy of `list` with `value` at `index`. */
export function put<T>(list: readonly T[], index: number, value: T): readonly T[] {
  const copy = list.slice();
  copy[index] = value;
  return copy;
}

export const AWAY = (streams: number): Holding => ({
  stage: 'away',
  previous: -1,
  c: -1,
  pos: -1,
  W: -1,
  hot: Array<Hidden | null>(streams).fill(null),
  saving: -1,
  from: -1,
});
