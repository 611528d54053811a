/** What is searched: configurations that hold, rules without which something breaks, and rules that turned out not to be needed. */
import { DESIGN, type Configuration, type Rule } from './configuration.js';

type Part = Partial<Omit<Configuration, 'rules'>>;

const configuration = (part: Part, ...without: Rule[]): Configuration => ({
  log: [[0, 0]],
  streams: 2,
  maxBatch: 2,
  faults: {},
  ...part,
  rules: { ...DESIGN, ...Object.fromEntries(without.map((rule) => [rule, false])) },
});

export interface Holds {
  readonly name: string;
  readonly configuration: Configuration;
}
const holds = (name: string, part: Part, ...without: Rule[]): Holds => ({
  name,
  configuration: configuration(part, ...without),
});

const ONE = { log: [[0]], streams: 1 };
/** Two buckets, which a round reads at different moments; and one that is stored twice. */
const ROUNDS = { log: [[0, 1]], checkpoints: true };
const LATER = { log: [[0, 0]], streams: 1 };

export const HOLD: readonly Holds[] = [
  holds('a crash', { faults: { crashes: 1 } }),
  holds('a zombie', { faults: { expulsions: 1 } }),
  holds('lost answers and late requests, three records', { log: [[0, 1, 0]], faults: { timeouts: 1 } }),
  holds('two lost answers', { faults: { timeouts: 2 } }),
  holds('a transaction timed out by the broker', { faults: { transactionTimeouts: 1, timeouts: 1 } }),
  holds('two partitions', { log: [[0, 1], [0]] }),
  holds('a fail-over and a late request', { log: [[0, 1, 0]], faults: { failovers: 1, timeouts: 1 } }),
  holds('a fail-over between the chunks of a save', {
    log: [[0, 1]],
    chunks: true,
    faults: { failovers: 1, timeouts: 1 },
  }),
  holds('a fail-over under cold loads and evictions', { cold: true, faults: { failovers: 1, timeouts: 1 } }),
  holds('a lost bucket under cold loads', { log: [[0, 1]], cold: true, faults: { bucketLosses: 1, timeouts: 1 } }),
  holds('FLUSHALL, restored from fuzzy checkpoints', { log: [[0, 1, 0]], checkpoints: true, faults: { flushes: 1 } }),
  holds('FLUSHALL amid a round, and again', { ...ROUNDS, faults: { flushes: 2 } }),
  holds('a lost bucket amid a round, then FLUSHALL', {
    ...ROUNDS,
    faults: { bucketLosses: 1, flushes: 1 },
  }),
  holds('an older copy amid a round, then FLUSHALL', {
    ...ROUNDS,
    faults: { failovers: 1, flushes: 1 },
  }),
  holds('an older copy and a lost bucket amid a round', {
    ...ROUNDS,
    faults: { failovers: 1, bucketLosses: 1 },
  }),
  holds('FLUSHALL amid a round under cold loads', {
    ...ROUNDS,
    cold: true,
    faults: { flushes: 1 },
  }),
  holds('a swap and a fail-over', { swap: true, faults: { failovers: 1 } }),
  holds('a swap and a late request', { swap: true, faults: { timeouts: 1 } }),
  holds('a first start with a crash', { ...ONE, firstStart: true, faults: { crashes: 1 } }),
  holds('a first start with lost answers', { firstStart: true, faults: { timeouts: 1 } }),
];

/** Minutes, not seconds. */
export const HOLD_AT_LENGTH: readonly Holds[] = [
  holds('a crash and a zombie', { faults: { crashes: 1, expulsions: 1 } }),
  holds('two zombies, one record', { ...ONE, faults: { expulsions: 2 } }),
  holds('two zombies', { faults: { expulsions: 2 } }),
  holds('a zombie and a lost answer', { faults: { expulsions: 1, timeouts: 1 } }),
  holds('a zombie and a broker time-out', { faults: { expulsions: 1, transactionTimeouts: 1 } }),
  holds('a zombie and a fail-over', { faults: { expulsions: 1, failovers: 1 } }),
  holds('a crash, three records', { log: [[0, 1, 0]], faults: { crashes: 1 } }),
  holds('two partitions and a zombie', { log: [[0], [0]], maxBatch: 1, faults: { expulsions: 1 } }),
  holds('two partitions and a crash', { log: [[0], [0]], maxBatch: 1, faults: { crashes: 1 } }),
  holds('two partitions and a lost answer', { log: [[0], [0]], maxBatch: 1, faults: { timeouts: 1 } }),
  holds('chunks, a zombie and a fail-over', {
    log: [[0, 1]],
    chunks: true,
    faults: { expulsions: 1, failovers: 1 },
  }),
  holds('chunks and FLUSHALL', { ...ROUNDS, chunks: true, faults: { flushes: 1, timeouts: 1, rounds: 1 } }),
  holds('chunks, cold loads and a crash', {
    log: [[0, 1]],
    chunks: true,
    cold: true,
    faults: { failovers: 1, crashes: 1 },
  }),
  holds('FLUSHALL and an aborted page', { ...ROUNDS, faults: { flushes: 1, timeouts: 1 } }),
  holds('an older copy and an aborted page', {
    log: [[0, 0]],
    streams: 1,
    checkpoints: true,
    faults: { failovers: 1, timeouts: 1 },
  }),
  holds('checkpoints and a crash', { ...ROUNDS, faults: { flushes: 1, crashes: 1, rounds: 1 } }),
  holds('checkpoints and a zombie', { ...ONE, checkpoints: true, faults: { flushes: 1, expulsions: 1 } }),
  holds('checkpoints and a zombie, two buckets', { ...ROUNDS, faults: { flushes: 1, expulsions: 1, rounds: 1 } }),
  holds('a lost bucket and checkpoints, three records', {
    log: [[0, 1, 0]],
    checkpoints: true,
    faults: { bucketLosses: 1, timeouts: 1, rounds: 1 },
  }),
  holds('a swap, checkpoints and FLUSHALL', {
    swap: true,
    checkpoints: true,
    faults: { flushes: 1, timeouts: 1, rounds: 1 },
  }),
  holds('a swap and a crash', { swap: true, faults: { crashes: 1 } }),
  holds('a swap and a zombie', { swap: true, faults: { expulsions: 1 } }),
  holds('a first start with a zombie', { firstStart: true, faults: { expulsions: 1 } }),
];

/** Left out, these change nothing that the search can see. */
export const NOT_NEEDED: readonly Holds[] = [
  holds(
    'heartbeatFirst: a process that woke up only disturbs',
    { ...ONE, faults: { expulsions: 1 } },
    'heartbeatFirst',
  ),
  holds('quietWhileJoining: once claims are awaited', { ...ONE, faults: { expulsions: 1 } }, 'quietWhileJoining'),
  holds('swapSavesFirst: the swap log decides', { swap: true, faults: { timeouts: 1 } }, 'swapSavesFirst'),
];

export const NOT_NEEDED_AT_LENGTH: readonly Holds[] = [
  holds('quietWhileJoining, two zombies', { ...ONE, faults: { expulsions: 2 } }, 'quietWhileJoining'),
  holds('swapSavesFirst and a crash', { swap: true, faults: { crashes: 1 } }, 'swapSavesFirst'),
  holds('swapSavesFirst and a fail-over', { swap: true, faults: { failovers: 1, timeouts: 1 } }, 'swapSavesFirst'),
];

export interface Breaks {
  readonly rule: Rule;
  readonly configuration: Configuration;
  readonly finds: RegExp;
}
const breaks = (rule: Rule, part: Part, finds: RegExp): Breaks => ({
  rule,
  configuration: configuration(part, rule),
  finds,
});

export const BREAK: readonly Breaks[] = [
  breaks('compareAndSet', { log: [[0, 0, 1]], faults: { timeouts: 1 } }, /I4/),
  breaks('dirtySet', { log: [[0, 1]] }, /I4/),
  breaks('generationCheck', { faults: { expulsions: 1 } }, /I2/),
  breaks('requireStable', { faults: { expulsions: 1 } }, /I2/),
  breaks('rereadsStable', { faults: { expulsions: 1 } }, /refused/),
  breaks('suppressReplay', { faults: { timeouts: 1 } }, /I2.* 2 outcomes/),
  breaks('retainConsecutiveOnly', { ...ONE, faults: { expulsions: 2 } }, /I2.* 2 outcomes/),
  breaks('claimAwaited', { faults: { timeouts: 1 } }, /I2/),
  breaks('recoverOutsideTransaction', { faults: { timeouts: 1 } }, /I4/),
  breaks('chunkToken', { log: [[0, 1]], chunks: true, faults: { failovers: 1 } }, /I4/),
  breaks('tokenUnique', { log: [[0, 1, 0]], chunks: true, faults: { timeouts: 1 } }, /I4/),
  breaks('coldLoadChecksWatermark', { cold: true, faults: { failovers: 1 } }, /computed from "1a"/),
  breaks('neverEvictDirty', { cold: true }, /I4/),
  breaks('countBuckets', { cold: true, faults: { bucketLosses: 1 } }, /computed from "1a"/),
  breaks('markWaits', ROUNDS, /I5/),
  breaks('roundTakesWAtStart', ROUNDS, /I5/),
  breaks('abortLeavesPageDirty', { ...ROUNDS, faults: { timeouts: 1 } }, /I5/),
  breaks('rebuildsDirtySet', { ...ROUNDS, faults: { timeouts: 1 } }, /I5/),
  breaks('roundAwaitsCommitted', { ...ROUNDS, ...LATER, maxBatch: 1, faults: { failovers: 1, timeouts: 1 } }, /I5/),
  breaks('ownPages', { ...ROUNDS, faults: { flushes: 1 } }, /I5/),
  breaks('ownPages', { ...ROUNDS, faults: { failovers: 1 } }, /I5/),
  breaks('emptyIsNobodys', { ...ROUNDS, faults: { flushes: 1, timeouts: 1 } }, /I5/),
  breaks('countPages', { ...ROUNDS, faults: { bucketLosses: 1 } }, /I5/),
  breaks('recoveryVoidsRound', { ...ROUNDS, faults: { failovers: 1 } }, /I5/),
  breaks('recoveryVoidsRound', { ...ROUNDS, faults: { bucketLosses: 1 } }, /I5/),
  breaks('swapLog', { swap: true, faults: { timeouts: 1 } }, /computed from "0a1a" instead of "0b1b"/),
  breaks('changelogToEnd', { swap: true, faults: { crashes: 1 } }, /computed from "0a1a" instead of "0b1b"/),
  breaks('baseOnce', { firstStart: true, faults: { crashes: 1 } }, /computed from "1a" instead of "0a1a"/),
  breaks('baseInMetadata', { ...ONE, firstStart: true, faults: { crashes: 1 } }, /refused/),
];

/** What breaks after a minute only. */
export const BREAK_AT_LENGTH: readonly Breaks[] = [
  breaks('recoveryVoidsQueue', { ...ONE, checkpoints: true, faults: { expulsions: 2 } }, /I2/),
];

/** Faults after which, in any state, either process alone gets on without waiting for a transaction's time-out. */
export const LIVE: readonly Holds[] = [
  holds('a crash', { ...ONE, faults: { crashes: 1 } }),
  holds('a zombie', { ...ONE, faults: { expulsions: 1 } }),
  holds('lost answers', { ...ONE, faults: { timeouts: 1 } }),
  holds('a first start with a crash', { ...ONE, firstStart: true, faults: { crashes: 1 } }),
  holds('a fail-over and cold loads', { cold: true, faults: { failovers: 1, timeouts: 1 } }),
  holds('FLUSHALL and checkpoints', { ...ROUNDS, faults: { flushes: 1 } }),
  holds('a swap', { swap: true, faults: { timeouts: 1 } }),
];

export const LIVE_AT_LENGTH: readonly Holds[] = [
  holds('a crash, two records', { faults: { crashes: 1 } }),
  holds('a zombie, two records', { faults: { expulsions: 1 } }),
  holds('a crash and a zombie', { ...ONE, faults: { crashes: 1, expulsions: 1 } }),
  holds('two partitions and a lost answer', { log: [[0], [0]], maxBatch: 1, faults: { timeouts: 1 } }),
];

/** Without these somebody waits for a time-out: whoever takes over, or the readers of an output partition. */
export const WAIT: readonly Breaks[] = [
  breaks('claim', { faults: { crashes: 1 } }, /^w\d alone gets on only after a transaction's time-out/),
  breaks('fencePrevious', { faults: { crashes: 1 } }, /^w\d alone gets on only after a transaction's time-out/),
  breaks('offsetsFirst', { faults: { expulsions: 1 } }, /^w\d alone: readers wait/),
];
