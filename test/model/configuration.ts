import type { Faults } from './state.js';

/** The protocol's rules; a mutation switches one off. */
export interface Rules {
  /** A save is applied only if the watermark is what the process last had acknowledged. */
  readonly compareAndSet: boolean;
  /** A save carries every stream dirty since W, not only those of the last batch. */
  readonly dirtySet: boolean;
  /** TxnOffsetCommit carries member and generation, and the coordinator checks them. */
  readonly generationCheck: boolean;
  /** The offset is read with require_stable. */
  readonly requireStable: boolean;
  /** A partition is claimed by an offset commit before anything is produced for it. */
  readonly claim: boolean;
  /** The previous owner's transactional id is fenced if its transaction is open on the partition. */
  readonly fencePrevious: boolean;
  /** Replay of [W, c) has no outcomes. */
  readonly suppressReplay: boolean;
  /** A retained partition is kept hot only across consecutive generations. */
  readonly retainConsecutiveOnly: boolean;
  /** Recovery starts only after a heartbeat in its generation. */
  readonly heartbeatFirst: boolean;
  /** A claim is never given up within its generation: whoever stops waiting for its answer leaves the group, so that it cannot arrive late. */
  readonly claimAwaited: boolean;
  /** From JoinGroup until the assignment is heard nothing is begun. */
  readonly quietWhileJoining: boolean;
  /** A partition whose batch is in the open transaction is recovered only with all others, after a new InitProducerId. */
  readonly recoverOutsideTransaction: boolean;
  /** TxnOffsetCommit is acknowledged before a record is produced. */
  readonly offsetsFirst: boolean;
}

export const DESIGN: Rules = {
  compareAndSet: true,
  dirtySet: true,
  generationCheck: true,
  requireStable: true,
  claim: true,
  fencePrevious: true,
  suppressReplay: true,
  retainConsecutiveOnly: true,
  heartbeatFirst: true,
  claimAwaited: true,
  quietWhileJoining: true,
  recoverOutsideTransaction: true,
  offsetsFirst: false,
};

export interface Configuration {
  /** The stream (by number, within its partition) of each record, by partition. */
  readonly log: readonly (readonly number[])[];
  readonly streams: number;
  readonly maxBatch: number;
  /** Records are under way like any other request; else they are acknowledged with the transaction's beginning. */
  readonly lateRecords: boolean;
  readonly faults: Partial<Faults>;
  readonly rules: Rules;
}
