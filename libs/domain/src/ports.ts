/** The narrow ports between the pipeline and the world. Adapters implement them; one contract suite a port holds for every adapter. */
import type { RiverrunError } from './errors.js';
import type { ModelArtifact, ModelDraft, ModelManifest, ModelReference } from './model.js';
import type { OutcomeBatch } from './outcome.js';
import type { RecordBatch } from './record-batch.js';
import type { Canary } from './served.js';

/** One partition of the log of ticks, read in order, and the place its outcomes go: outcomes and the committed position move together. */
export interface TickLog {
  /** Where the log stands. `committed` (c) is the next offset that has no outcome yet; `start` <= c is the first offset this application's outcomes begin at, or
   *  the first that can still be read. Again after an error: what is under way is over when the promise resolves. A log that finds no committed position may
   *  choose one, unless `hasStates` says that there once was one: RiverrunError OFFSET_MISSING. */
  open(hasStates?: () => Promise<boolean>): Promise<LogPosition>;
  /** Sets the next offset `read` returns. RangeError-like RiverrunError LOG_RANGE outside [start, end]. */
  seek(offset: number): Promise<void>;
  /** The next records in order, all of one topic, at most `maxRecords`; waits while there are none; null once closed. Records read after `seek`
   *  below c are the same as the first time, byte for byte. With `below`, only records before that offset; a batch without records once there are no more. */
  read(maxRecords: number, below?: number): Promise<RecordBatch | null>;
  /** Commits one outcome for every record of the batch and moves c behind its last, atomically. The batch must begin at c (at the first
   *  record from c on, where the log has gaps). */
  publish(outcomes: OutcomeBatch): Promise<void>;
  /** Says that the stored states have absorbed everything below `offset` (W). */
  releaseBelow(offset: number): void;
  /** What was read is void: a waiting `read`, or the next one, rejects with `why`, and the reader recovers. Absent where nothing beside the log can be lost. */
  invalidate?(why: RiverrunError): void;
  /** Absent where the store is as safe as the log itself. */
  readonly checkpoints?: CheckpointLog;
  /** Ends a waiting `read` with null and releases everything. */
  close(): Promise<void>;
}

export interface LogPosition {
  readonly start: number;
  readonly committed: number;
  readonly end: number;
  /** Where the outcomes below c changed to another model, oldest first, as far as the log remembers: a replay steps each record with the model that made its
   *  outcome. Absent for a log whose store cannot lose what it has acknowledged. */
  readonly swaps?: readonly ModelSwap[];
  /** Where `swaps` begins to be complete: a replay from further back would miss some. Absent: they all are there. */
  readonly swapsFrom?: number;
  /** Where this application began to read; where there are checkpoints. */
  readonly base?: number;
}

/** Models by what a log or a checkpoint says of them. */
export interface ModelArchive {
  /** By `name@version`. RiverrunError MODEL_NOT_FOUND. */
  byLabel(label: string): Promise<ModelArtifact>;
  /** A model out of a checkpoint: the registry may have been lost with the states. */
  restore(artifact: ModelArtifact): Promise<void>;
}

export interface ModelSwap {
  /** The first offset whose outcome is of that model. */
  readonly offset: number;
  /** The labels of what serves (see `servedText`); null: nothing. */
  readonly model: string | null;
}

/** Copies of states beside the store, for the loss of the store itself. Fuzzy: a copy may be younger than the watermark that is marked, never older. */
export interface CheckpointLog {
  /** Adds copies; the youngest of a key counts. `null` removes one. Resolves once they are durable; rejects where this worker is no longer the owner. */
  write(entries: readonly CheckpointEntry[]): Promise<void>;
  /** Every key's youngest copy, in the order they were written; a key may come several times, the last one counts. */
  read(visit: (key: string, value: Uint8Array | null) => void): Promise<void>;
}

export interface CheckpointEntry {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** The writing end of an embedded log. */
export interface TickAppender {
  /** Appends records (their `offsets` are ignored, their topic is kept) and, in the same atomic write, the position a replayable source has reached.
   *  Durable when the promise resolves; resolves to the first record's offset. Waits while too many records are unread (back-pressure). */
  append(records: RecordBatch, source?: SourcePosition): Promise<number>;
  /** The position last appended by that source; undefined if never. */
  sourcePosition(source: string): Promise<string | undefined>;
}

export interface SourcePosition {
  readonly source: string;
  readonly position: string;
}

/** W and what the stored states were made with. `offset` is the next offset the stored states have not absorbed. */
export interface Watermark {
  readonly offset: number;
  /** The digests of what the next tick is stepped with (see `servedText`); null before the first model. */
  readonly model: string | null;
  /** Says how stored states are laid out; another layout is refused. */
  readonly layout: string;
  /** The partition's time, ms: the largest ts of its ticks before `offset`. Absent where states do not expire, or before the first tick. */
  readonly time?: number | undefined;
  /** How far the comparison of the champion with a challenger has come. It has no part in any outcome: lost, it begins anew. */
  readonly trial?: Trial | undefined;
}

export interface Trial {
  /** Digests of both: of others it says nothing. */
  readonly champion: string;
  readonly challenger: string;
  /** See libs/forecasting's sequential test. */
  readonly state: readonly number[];
}

/** States of one partition's streams, moved forward by compare-and-set on the watermark. */
export interface StateStore {
  /** The stored watermark, or undefined in a fresh store. */
  open(): Promise<Watermark | undefined>;
  /** Stored bytes by stream. The handle is the store's own short name for the stream (any integer >= 0, stable while the store is open): hand it back in `commit`.
   *  With `storedOnly`, an id without a stored state gets handle -1 and leaves nothing behind: for ids that somebody merely asks about. */
  load(ids: readonly string[], options?: { readonly storedOnly?: boolean }): Promise<LoadedStates>;
  /** Writes states, window segments and the watermark in one atomic step. RiverrunError WATERMARK_MISMATCH, and nothing written, unless the
   *  stored watermark equals `expected`. The arrays may be reused once the promise resolves. */
  commit(changes: StateChanges): Promise<void>;
  /** States whose stored offset is `offset` or later, a page at a time; for checkpoints. Only stores beside a log with checkpoints have it. */
  changedSince?(offset: number, cursor: string | undefined): Promise<ChangedStates>;
  /** Forgets everything, the watermark too: what is left of a store that has lost a part. */
  clear?(): Promise<void>;
  /** Ids in a stable order, from the one after `cursor` on. */
  list(cursor: string | undefined, limit: number): Promise<{ ids: string[]; cursor: string | undefined }>;
  close(): Promise<void>;
}

export interface ChangedStates {
  readonly ids: readonly string[];
  readonly states: readonly Uint8Array[];
  /** undefined on the last page. */
  readonly cursor: string | undefined;
}

export interface LoadedStates {
  readonly handles: Int32Array;
  readonly states: readonly (Uint8Array | undefined)[];
}

export interface StateChanges {
  readonly expected: Watermark | undefined;
  readonly next: Watermark;
  /** States, column by column: stream ids[i] (known to the store as handles[i]) gets bytes[start[i], end[i]). start[i] = -1 removes the stream and its window. */
  readonly ids: readonly string[];
  readonly handles: Int32Array;
  readonly bytes: Uint8Array;
  readonly start: Int32Array;
  readonly end: Int32Array;
  readonly segments: WindowSegments;
}

/** Rows a full window segment has. The youngest rows, fewer than this, live in the stream's state. */
export const SEGMENT_ROWS = 16;

/** Full segments of windows: segment k belongs to ids[owner[k]] of the same StateChanges, is that stream's sequence[k]-th (from 0, without gaps), and
 *  holds SEGMENT_ROWS rows of `width` numbers: ts, then the inputs (NaN = missing), from rows[k * SEGMENT_ROWS * width] on. */
export interface WindowSegments {
  readonly count: number;
  readonly width: number;
  readonly owner: Int32Array;
  readonly sequence: Float64Array;
  readonly rows: Float64Array;
}

/** The reading end of the windows that `StateStore.commit` appends. A stream keeps its youngest segments, as many as the store was configured for. */
export interface WindowStore {
  /** Rows of each stream's stored segments, oldest first: row-major [n, width]; empty where none. */
  read(ids: readonly string[]): Promise<Float64Array[]>;
}

export interface Aliases {
  readonly champion: ModelReference | undefined;
  /** The champion before this one: what a rollback goes back to. */
  readonly previous: ModelReference | undefined;
  /** Runs beside the champion and is compared with it, without serving. */
  readonly challenger: ModelReference | undefined;
  /** Serves a share of the streams in the champion's place. */
  readonly canary: Canary<ModelReference> | undefined;
}

export interface ModelRegistry {
  /** Stores a new version of the draft's name; weights are checked against the network's shapes and for finiteness first (RiverrunError MODEL_INVALID). */
  publish(draft: ModelDraft, weights: Float32Array): Promise<ModelManifest>;
  /** The artifact, its digest checked. RiverrunError MODEL_NOT_FOUND | MODEL_CORRUPT. Without a version: the newest. */
  load(model: { readonly name: string; readonly version?: number | undefined }): Promise<ModelArtifact>;
  list(): Promise<ModelManifest[]>;
  aliases(pipeline: string): Promise<Aliases>;
  /** Makes it the pipeline's champion, the present one becoming `previous`, and ends a trial and a canary. With `expected`, only if the champion still is that one
   *  (RiverrunError ALIAS_CHANGED). With `keepBeside` the one before goes on beside it, as its challenger: should the new one turn worse, it comes back. */
  activate(
    pipeline: string,
    model: ModelReference,
    expected?: ModelReference | null,
    keepBeside?: boolean,
  ): Promise<Aliases>;
  /** Puts a model beside the champion, in place of another that may be there; null: none. Only if the champion is `champion` (RiverrunError ALIAS_CHANGED). */
  challenge(pipeline: string, model: ModelReference | null, champion: ModelReference): Promise<Aliases>;
  /** Has a model serve a share of the streams in the champion's place, and ends a trial; null: all streams are the champion's again. Only if the champion is `champion`
   *  (RiverrunError ALIAS_CHANGED). */
  setCanary(pipeline: string, canary: Canary<ModelReference> | null, champion: ModelReference): Promise<Aliases>;
}

export interface Clock {
  /** ms since 1970. */
  now(): number;
}

export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}
