/** The state that the search walks: brokers, Redis, two processes, requests under way, and the faults still allowed. Shapes are fixed; nothing is mutated. */

/** A stream's hidden state: the offsets it absorbed, each with the model of that step, as in "0a2a". The empty string is a new stream. */
export type Hidden = string;

/** Records of a transaction in the changelog topic: a page of a checkpoint, its mark W_k (-1: none), a swap's offset (-1: none). */
export interface ChangelogEntry {
  readonly slices: readonly (Hidden | null)[];
  readonly W: number;
  readonly swap: number;
}

export interface Partition {
  /** Committed offset and its metadata: the transactional id that claimed or committed last, and the base. -1: none. */
  readonly c: number;
  readonly owner: number;
  readonly base: number;
  /** Log end. */
  readonly end: number;
  /** How many outcomes of each offset are decided, that is, visible as soon as markers are written. */
  readonly outcomes: readonly number[];
  /** The changelog as read_committed sees it: checkpoint and swap. */
  readonly checkpoint: { readonly W: number; readonly streams: readonly Hidden[] };
  readonly swap: number;
  /** Where stepping began for the first time (not part of the system; -1: not yet). */
  readonly first: number;
}

export interface PendingOffset {
  readonly b: number;
  readonly base: number;
  /** A plain commit was written after it: when its transaction commits, the coordinator keeps the later record. */
  readonly superseded: boolean;
}

export interface Transaction {
  readonly epoch: number;
  readonly status: 'none' | 'ongoing' | 'commit' | 'abort';
  /** By input partition: output partitions added; records produced; changelog records and offsets whose marker is not written yet. */
  readonly added: readonly boolean[];
  readonly produced: readonly (readonly Hidden[] | null)[];
  readonly changelog: readonly (ChangelogEntry | null)[];
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

/** A partition's keys in Redis: watermark (-1: missing) and model, the commit that set them, and a bucket for each stream with the count of its fields. */
export interface Slot {
  readonly W: number;
  readonly model: string;
  readonly token: string;
  /** 0: none. Told apart only where there are checkpoints. */
  readonly commit: number;
  readonly counts: readonly number[];
  readonly streams: readonly Hidden[];
}

export type Stage =
  | 'away'
  | 'assigned'
  | 'fence'
  | 'fenced'
  | 'claiming'
  | 'claimed'
  | 'restoring'
  | 'replaying'
  | 'ready'
  | 'swapping'
  | 'refused';

/** A round of checkpoints under way. */
export interface Round {
  /** The watermark as it was when the round began. */
  readonly W: number;
  /** The bucket to read next, or behind the last one the mark's turn; -1: the round is void. */
  readonly next: number;
  /** What waits for a transaction, and the committed offset to which that was asked for. */
  readonly queued: ChangelogEntry | null;
  readonly at: number;
}

/** What a process holds of one partition. */
export interface Holding {
  readonly stage: Stage;
  readonly previous: number;
  /** Committed offset and base, as read. */
  readonly c: number;
  readonly base: number;
  /** Next offset to step. */
  readonly pos: number;
  /** Watermark, model and commit last acknowledged by Redis, and the commit sent last (0: none since the store was opened). */
  readonly W: number;
  readonly model: string;
  readonly commit: number;
  readonly underWay: number;
  /** Streams that absorbed this offset or a later one are dirty. */
  readonly since: number;
  /** Hidden states in memory; null is not loaded. */
  readonly hot: readonly (Hidden | null)[];
  /** The script under way, and those to follow. */
  readonly saving: Save | null;
  readonly chunks: readonly Save[];
  /** A bucket was found incomplete: everything is restored. */
  readonly lost: boolean;
  /** The swap that it knows of; its own last mark, and its round under way. */
  readonly swap: number;
  readonly marked: number;
  readonly round: Round | null;
}

export interface OpenTransaction {
  /** Batch end by partition; -1 not in it. */
  readonly ends: readonly number[];
  readonly unacknowledged: number;
  /** Records still to be produced, once the offsets are acknowledged. */
  readonly produces: readonly Produce[];
  readonly entries: readonly (ChangelogEntry | null)[];
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
  /** Saves so far: makes a save's token unique. */
  readonly saves: number;
}

interface Sent {
  readonly from: number;
  readonly id: number;
}
export interface Produce extends Sent {
  readonly kind: 'produce';
  readonly epoch: number;
  readonly p: number;
  readonly records: readonly Hidden[];
  readonly entry: ChangelogEntry | null;
}
export interface Offsets extends Sent {
  readonly kind: 'offsets';
  readonly epoch: number;
  readonly member: number;
  readonly generation: number;
  readonly pending: readonly (PendingOffset | null)[];
}
export interface End extends Sent {
  readonly kind: 'end';
  readonly epoch: number;
}
export interface Claim extends Sent {
  readonly kind: 'claim';
  readonly member: number;
  readonly generation: number;
  readonly p: number;
  readonly c: number;
  readonly base: number;
}
/** One script: applied if watermark and model are as expected or, from the second chunk on, if the token is that of the chunk before. */
export interface Save extends Sent {
  readonly kind: 'save';
  readonly p: number;
  readonly expected: { readonly W: number; readonly model: string; readonly token: string; readonly commit: number };
  /** What it leaves behind; W -1: watermark and model stay. */
  readonly W: number;
  readonly model: string;
  readonly token: string;
  readonly commit: number;
  readonly streams: readonly (Hidden | null)[];
  /** Whether all buckets are emptied first. */
  readonly afresh: boolean;
}
export type Request = Produce | Offsets | End | Claim | Save;

/** Faults still allowed, rounds of checkpoints that may still begin (Infinity: any), and which process slot has died for good (-1: none). */
export interface Faults {
  readonly crashes: number;
  readonly expulsions: number;
  readonly timeouts: number;
  readonly transactionTimeouts: number;
  readonly failovers: number;
  readonly flushes: number;
  readonly bucketLosses: number;
  readonly rounds: number;
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
