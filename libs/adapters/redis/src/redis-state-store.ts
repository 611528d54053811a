/** States and windows of one partition in Redis: the compare-and-set half of exactly-once.
 *
 *  I3, I4: a commit moves states, segments and W in one script, only if nobody has written since this store last looked (W, the id of the commit that set
 *  it, and the claim of an unfinished commit are all as they were). A large commit goes in chunks: the first claims the partition, W moves with the last. A
 *  crash between leaves streams ahead of W, below c: a replay from W skips what each stream has absorbed. */
import { randomBytes } from 'node:crypto';
import { RiverrunError } from '#domain/errors';
import type { ChangedStates, LoadedStates, StateChanges, StateStore, Watermark, WindowStore } from '#domain/ports';
import { PartitionKeys } from './keys.js';
import { bucketCounts, listStreams } from './list-streams.js';
import {
  packChanges,
  packIds,
  unpackChanged,
  unpackStates,
  unpackWindows,
  type Chunk,
  type ChunkLimits,
} from './pack.js';
import type { RedisClient } from './redis-client.js';
import { CHANGED_STATES, COMMIT_STATES, LOAD_STATES, READ_STREAMS, READ_WINDOWS } from './scripts.js';
import { groupByBucket, idOf } from './stream-fields.js';

export interface RedisStateStoreOptions {
  readonly app: string;
  readonly topic: string;
  readonly partition: number;
  /** Window segments kept for a stream. */
  readonly windowSegments: number;
  /** Streams that one script writes or reads at most. Default 2,000 and 4,000: some 20 ms. */
  readonly streamsPerScript?: number;
}

/** Buckets of a new partition: a million streams make 4,000 a bucket, which Redis can move about. Stored, so it may change. */
const BUCKETS = 256;
const FORMAT = '1';
/** What one script may do before others get their turn. */
const COMMIT_STREAMS = 2_000;
const LOAD_STREAMS = 4_000;
const READ_SEGMENTS = 1 << 14;
const BYTES = 1 << 20;
const PEEK_SEGMENTS = 1 << 9;

/** What a writer must find unchanged; all '' in a fresh store. */
interface Version {
  readonly watermark: string;
  /** Id of the commit that set it: another writer's equal watermark is not ours. */
  readonly commit: string;
  /** Id of a commit whose last chunk has not come. */
  readonly unfinished: string;
}

/** A stream as one script saw it. */
export interface StoredStream {
  /** undefined if there is none of that id (any more). */
  readonly state: Uint8Array | undefined;
  /** Rows of its stored segments, oldest first: row-major [n, width]. */
  readonly rows: Float64Array;
}

const NOTHING: Version = { watermark: '', commit: '', unfinished: '' };

/** First element of a script's reply. */
const Outcome = { changed: 0, done: 1 } as const;

export class RedisStateStore implements StateStore, WindowStore {
  private readonly keys: PartitionKeys;
  private readonly name: string;
  private version: Version | undefined;
  /** Id of the commit that was sent and not yet acknowledged; ''. */
  private underWay = '';
  private buckets = BUCKETS;

  constructor(
    private readonly client: RedisClient,
    private readonly options: RedisStateStoreOptions,
  ) {
    this.keys = new PartitionKeys(options.app, options.topic, options.partition);
    this.name = `partition ${options.partition} of ${options.topic}`;
  }

  /** Reads W, and nothing else: states come on demand. */
  async open(): Promise<Watermark | undefined> {
    this.underWay = '';
    this.version = await this.readHead();
    return parsed(this.version.watermark);
  }

  /** One round trip; several scripts at once for very many ids, each of which checks. RiverrunError WATERMARK_MISMATCH, STATE_LOST. */
  async load(ids: readonly string[], options?: { readonly storedOnly?: boolean }): Promise<LoadedStates> {
    const { watermark, commit, unfinished } = this.opened();
    const grouping = groupByBucket(ids, this.buckets);
    const states: (Uint8Array | undefined)[] = new Array<undefined>(ids.length).fill(undefined);
    const load = async (chunk: Chunk): Promise<void> => {
      const keys = [this.keys.watermark, this.keys.counts, ...chunk.buckets.map((b) => this.keys.states(b))];
      const reply = await this.client.run(LOAD_STATES, keys, [watermark, commit, unfinished, chunk.packed]);
      unpackStates(this.checked(reply), chunk.entries, states);
    };
    await Promise.all(Array.from(packIds(ids, grouping, this.limits(LOAD_STREAMS)), load));
    const unknown = (i: number): boolean => options?.storedOnly === true && states[i] === undefined;
    return { handles: Int32Array.from(grouping.hashes, (hash, i) => (unknown(i) ? -1 : hash >>> 1)), states };
  }

  /** RiverrunError WATERMARK_MISMATCH; STATE_LOST if there are states but no watermark. After REDIS_UNREACHABLE it may have happened: `open` tells. */
  async commit(changes: StateChanges): Promise<void> {
    const version = this.opened();
    if (written(changes.expected) !== version.watermark) throw this.mismatch(version.watermark);
    const commit = randomBytes(12).toString('base64url');
    this.underWay = commit;
    const watermark = written(changes.next);
    let { unfinished } = version;
    let chunks = 0;
    for (const chunk of packChanges(changes, groupByBucket(changes.ids, this.buckets), this.limits(COMMIT_STREAMS))) {
      // Each chunk finds the claim of the one before it: a fail-over that lost one in between is seen.
      const claim = `${commit}.${chunks++}`;
      const keys = [this.keys.watermark, this.keys.counts];
      for (const b of chunk.buckets) keys.push(this.keys.states(b), this.keys.segments(b));
      const head = [version.watermark, version.commit, unfinished, commit, chunk.last ? watermark : ''];
      this.checked(
        await this.commitChunk(keys, [
          ...head,
          String(this.options.windowSegments),
          String(this.buckets),
          chunk.packed,
          claim,
        ]),
      );
      unfinished = claim;
    }
    this.version = { watermark, commit, unfinished: '' };
  }

  /** Youngest segments as stored. A store that was opened reads them as of its own W (else WATERMARK_MISMATCH); one that was not, as they are. STATE_LOST. */
  async read(ids: readonly string[]): Promise<Float64Array[]> {
    if (this.version === undefined) await this.readHead();
    const { watermark, commit, unfinished } = this.version ?? NOTHING;
    const mode = this.version === undefined ? 'any' : 'exact';
    const { windowSegments } = this.options;
    const streams = Math.ceil(READ_SEGMENTS / Math.max(1, windowSegments));
    const windows = new Array<Float64Array>(ids.length);
    const read = async (chunk: Chunk): Promise<void> => {
      const keys = [this.keys.watermark, this.keys.counts, ...chunk.buckets.map((b) => this.keys.segments(b))];
      const args = [mode, watermark, commit, unfinished, String(windowSegments), chunk.packed];
      unpackWindows(this.checked(await this.client.run(READ_WINDOWS, keys, args)), chunk.entries, windows);
    };
    const chunks = packIds(ids, groupByBucket(ids, this.buckets), this.limits(streams));
    await Promise.all(Array.from(chunks, read));
    return windows;
  }

  /** Bucket by bucket, some at a time: about as much as one script may do. Every stored state has its outcome committed. RiverrunError WATERMARK_MISMATCH, STATE_LOST: what
   *  is stored is not what this store has written. */
  async changedSince(offset: number, cursor: string | undefined): Promise<ChangedStates> {
    const counts = await bucketCounts(this.client, this.keys);
    const buckets = [...counts.keys()].sort((a, b) => a - b).filter((b) => b >= Number(cursor ?? 0));
    const some: number[] = [];
    for (let sum = 0; some.length < buckets.length && sum < COMMIT_STREAMS; sum += counts.get(some.at(-1)!)!)
      some.push(buckets[some.length]);
    const next = buckets.at(some.length);
    const keys = [this.keys.watermark, this.keys.counts, ...some.map((bucket) => this.keys.states(bucket))];
    const args = [String(offset), this.opened().commit, this.underWay, ...some.map(String)];
    const { fields, states } = unpackChanged(this.checked(await this.client.run(CHANGED_STATES, keys, args)));
    return { ids: fields.map(idOf), states, cursor: next === undefined ? undefined : String(next) };
  }

  async clear(): Promise<void> {
    const all = Array.from({ length: this.buckets }, (_, b) => [this.keys.states(b), this.keys.segments(b)]).flat();
    await this.client.call('UNLINK', [this.keys.watermark, this.keys.counts, ...all]);
    this.version = undefined;
  }

  /** States and stored rows as they are, for readers beside the partition's owner: whatever it writes meanwhile, each stream's state and rows belong together.
   *  Open the store first. RiverrunError STATE_LOST. */
  async peek(ids: readonly string[]): Promise<StoredStream[]> {
    const states: (Uint8Array | undefined)[] = new Array<undefined>(ids.length).fill(undefined);
    const windows = new Array<Float64Array>(ids.length);
    const { windowSegments } = this.options;
    const streams = Math.max(1, Math.floor(PEEK_SEGMENTS / Math.max(1, windowSegments)));
    // One after the other: between two of them the owner's commits get their turn.
    for (const chunk of packIds(ids, groupByBucket(ids, this.buckets), { ...this.limits(LOAD_STREAMS), streams })) {
      const keys = [this.keys.counts];
      for (const b of chunk.buckets) keys.push(this.keys.states(b), this.keys.segments(b));
      const reply = await this.client.run(READ_STREAMS, keys, [String(windowSegments), chunk.packed]);
      unpackStates(this.checked(reply), chunk.entries, states);
      unpackWindows((reply as [number, Buffer, Buffer])[2], chunk.entries, windows);
    }
    return states.map((state, i) => ({ state, rows: windows[i] }));
  }

  /** Bucket by bucket, and within one by the field's bytes. */
  list(cursor: string | undefined, limit: number): Promise<{ ids: string[]; cursor: string | undefined }> {
    return listStreams(this.client, this.keys, cursor, limit);
  }

  /** The shared client stays open. */
  close(): Promise<void> {
    this.version = undefined;
    return Promise.resolve();
  }

  private async readHead(): Promise<Version> {
    const fields = ['format', 'buckets', 'watermark', 'commit', 'unfinished'];
    const reply = (await this.client.call('HMGET', [this.keys.watermark, ...fields])) as (Buffer | null)[];
    const [format, buckets, watermark, commit, unfinished] = reply.map((field) => field?.toString() ?? '');
    if (format !== '' && format !== FORMAT)
      throw new RiverrunError(
        'STATE_LAYOUT',
        `states of ${this.name} have format ${format}, this version reads ${FORMAT}: use the version that wrote them`,
      );
    this.buckets = buckets === '' ? BUCKETS : Number(buckets);
    return { watermark, commit, unfinished };
  }

  /** A connection may break between a commit and its reply. The script knows its own commit again, so that asking once more does no harm. */
  private async commitChunk(keys: readonly string[], args: readonly (string | Buffer)[]): Promise<unknown> {
    const began = performance.now();
    try {
      return await this.client.run(COMMIT_STATES, keys, args);
    } catch (error) {
      const lost = error instanceof RiverrunError && error.code === 'REDIS_UNREACHABLE';
      if (!lost || performance.now() - began >= this.client.commandTimeoutMs) throw error;
      return this.client.run(COMMIT_STATES, keys, args);
    }
  }

  /** The reply's content if the script did what it was asked to. */
  private checked(reply: unknown): Buffer {
    const [outcome, ...rest] = reply as [number, ...Buffer[]];
    if (outcome === Outcome.done) return rest[0];
    if (outcome === Outcome.changed) throw this.mismatch(rest[0].toString());
    const [bucket, recorded, found] = rest.map(String);
    throw new RiverrunError(
      'STATE_LOST',
      `Redis has lost stored states of ${this.name} (${bucket}: ${recorded} recorded, ${found} found): restore them, or start the partition over`,
    );
  }

  private mismatch(stored: string): RiverrunError {
    return new RiverrunError(
      'WATERMARK_MISMATCH',
      `the store of ${this.name} stands at ${stored === '' ? 'no watermark' : stored}, and not where this worker left it: ` +
        'another worker has written, or Redis has lost its newest writes; recover from the log',
    );
  }

  private limits(streams: number): ChunkLimits {
    return { streams: Math.min(streams, this.options.streamsPerScript ?? streams), bytes: BYTES };
  }

  private opened(): Version {
    if (this.version === undefined) throw new RiverrunError('STATE_CLOSED', `the store of ${this.name} is not open`);
    return this.version;
  }
}

/** One text for one watermark: the script compares it as it is. */
const written = (watermark: Watermark | undefined): string =>
  watermark === undefined
    ? ''
    : JSON.stringify({
        offset: watermark.offset,
        model: watermark.model,
        layout: watermark.layout,
        time: watermark.time,
        trial: watermark.trial,
      });

const parsed = (watermark: string): Watermark | undefined =>
  watermark === '' ? undefined : (JSON.parse(watermark) as Watermark);
