import type { Faults } from './state.js';

/** The protocol's rules, all true in the design; a mutation leaves one out. */
export const DESIGN = {
  /** A save is applied only if watermark and model are what the process last had acknowledged. */
  compareAndSet: true,
  /** A save carries every stream changed since W, not only those of the last batch. */
  dirtySet: true,
  /** TxnOffsetCommit carries member and generation, and the coordinator checks them. */
  generationCheck: true,
  /** The offset is read with require_stable. */
  requireStable: true,
  /** So is the second one, when W > c: otherwise a process that woke up refuses while a decided commit waits for its marker. */
  rereadsStable: true,
  /** A partition is claimed by an offset commit before anything is produced for it. */
  claim: true,
  /** The previous owner's transactional id is fenced if its transaction is open on the partition. */
  fencePrevious: true,
  /** Replay of [W, c) has no outcomes. */
  suppressReplay: true,
  /** A retained partition is kept hot only across consecutive generations. */
  retainConsecutiveOnly: true,
  /** Recovery starts only after a heartbeat in its generation. */
  heartbeatFirst: true,
  /** A claim is never given up within its generation: whoever stops waiting for its answer leaves the group, so that it cannot arrive late. */
  claimAwaited: true,
  /** From JoinGroup until the assignment is heard nothing is begun. */
  quietWhileJoining: true,
  /** A partition whose batch is in the open transaction is recovered only with all others, after a new InitProducerId. */
  recoverOutsideTransaction: true,
  /** TxnOffsetCommit is acknowledged before a record is produced. */
  offsetsFirst: true,
  /** A chunk of a save is applied only on top of the chunk before it: a token, unique to the save, says so. */
  chunkToken: true,
  /** No other save can have had the same token. */
  tokenUnique: true,
  /** A cold load counts only if watermark and model are what the process last had acknowledged. */
  coldLoadChecksWatermark: true,
  /** Only what Redis has may be forgotten. */
  neverEvictDirty: true,
  /** The number of streams kept beside the watermark is held against the bucket at every load. */
  countBuckets: true,
  /** A round's mark is written once every page of it is. */
  markWaits: true,
  /** A page whose transaction was aborted is written again. */
  abortLeavesPageDirty: true,
  /** A new owner's round covers every stream, not only what it stepped itself. */
  rebuildsDirtySet: true,
  /** A round's mark is the watermark at its start, not at its end. */
  roundTakesWAtStart: true,
  /** A round begins once W has reached the offset found committed at the takeover: marks of former owners are at or before it. */
  roundAwaitsCommitted: true,
  /** A page counts only if the watermark was set by this store's own last commit, or by the one under way. */
  ownPages: true,
  /** "No commit" in an emptied store is not the "no commit" of a store that has sent none. */
  emptyIsNobodys: true,
  /** A page counts only if its bucket has as many fields as are counted. */
  countPages: true,
  /** A round under way ends with a recovery. */
  recoveryVoidsRound: true,
  /** So does what it has asked to be written, and no transaction has taken yet. */
  recoveryVoidsQueue: true,
  /** A swap saves all states up to c in the script that names the new model. */
  swapSavesFirst: true,
  /** The model of an offset comes from the swap log in Kafka, not from the name in Redis. */
  swapLog: true,
  /** The changelog is read up to its end, not only as far as read_committed allows at that moment. */
  changelogToEnd: true,
  /** The base of a first start is committed before the first step. */
  baseOnce: true,
  /** The committed offset's metadata carries the base, so that "no watermark" after a first start's crash is not taken for a loss. */
  baseInMetadata: true,
};

export type Rules = typeof DESIGN;
export type Rule = keyof Rules;

export interface Configuration {
  /** The stream (by number, within its partition) of each record, by partition. */
  readonly log: readonly (readonly number[])[];
  readonly streams: number;
  readonly maxBatch: number;
  readonly faults: Partial<Faults>;
  readonly rules: Rules;
  /** A save writes one stream a script. */
  readonly chunks?: boolean;
  /** States are loaded one by one when needed, and evicted. */
  readonly cold?: boolean;
  /** Fuzzy checkpoints in the changelog topic, in rounds that read Redis bucket by bucket: each stream has one. */
  readonly checkpoints?: boolean;
  /** The partition changes from model a to model b once. */
  readonly swap?: boolean;
  /** Nothing is committed yet, the log is still being written, and the service reads from its end. */
  readonly firstStart?: boolean;
}
