/** States and windows in append-only files ("bitcask"): a commit writes everything dirty in one go at the end of the newest file, memory knows where the
 *  newest record of each stream lies, and compaction writes live records again before an old file goes (state-files.ts). Why not a B-tree: docs/adr/0002.
 *
 *  I3 and I4 hold across a crash because a commit's states and segments count only with the watermark frame behind them. */
import { RiverrunError, errorMessage } from '#domain/errors';
import {
  SEGMENT_ROWS,
  type LoadedStates,
  type StateChanges,
  type StateStore,
  type Watermark,
  type WindowStore,
} from '#domain/ports';
import { padded, type Frame } from './frame.js';
import { SegmentFiles, type SegmentFile, type SegmentFilesOptions } from './segment-file.js';
import { StateFiles } from './state-files.js';
import { SegmentsView, StateFrame, StatesView, StateWriter } from './state-frames.js';
import { StateIndex, placeOf } from './state-index.js';

export interface FileStateStoreOptions extends SegmentFilesOptions {
  /** Window segments kept for a stream. Default 32. */
  readonly windowSegments?: number;
}

export class FileStateStore implements StateStore, WindowStore {
  private files: SegmentFiles;
  private index: StateIndex;
  private places: StateFiles;
  private readonly writer = new StateWriter((bytes) => void this.files.append(bytes));
  private watermark: Watermark | undefined;
  private isOpen = false;
  /** Values of each row of a window; 0 until the first segment. */
  private width = 0;
  /** By the changes' entries; the arrays serve one commit after the other. */
  private handles = new Int32Array(1024);
  private positions = new Float64Array(1024);
  private segmentPositions = new Float64Array(1024);
  /** Of the commit's segments, those that stay. */
  private readonly alive: number[] = [];

  constructor(
    private readonly folder: string,
    private readonly options: FileStateStoreOptions = {},
  ) {
    this.files = new SegmentFiles(folder, 'states', options);
    this.index = new StateIndex(options.windowSegments ?? 32);
    this.places = new StateFiles(this.files, this.index);
  }

  async open(): Promise<Watermark | undefined> {
    if (this.isOpen) return this.watermark;
    this.files = new SegmentFiles(this.folder, 'states', this.options);
    this.index = new StateIndex(this.options.windowSegments ?? 32);
    this.places = new StateFiles(this.files, this.index);
    this.watermark = undefined;
    this.width = 0;
    await this.files.open((file, frame) => this.visit(file, frame), StateFrame.watermark);
    this.index.collectFree();
    this.isOpen = true;
    return this.watermark;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a refusal must be a rejected promise
  async load(ids: readonly string[], { storedOnly = false } = {}): Promise<LoadedStates> {
    this.mustBeOpen();
    const { index } = this;
    const handles = Int32Array.from(ids, (id) => (storedOnly ? index.stored(id) : index.handle(id)));
    const known: number[] = [];
    const offsets: number[] = [];
    let size = 0;
    handles.forEach((handle, i) => {
      if (handle < 0 || index.place(handle) < 0) return;
      known.push(i);
      offsets.push(size);
      size += padded(index.length(handle));
    });
    const bytes = new Uint8Array(size);
    const lengths = known.map((i) => index.length(handles[i]));
    this.places.read(
      known.map((i) => index.place(handles[i])),
      lengths,
      bytes,
      offsets,
    );
    const states: (Uint8Array | undefined)[] = new Array<Uint8Array | undefined>(ids.length).fill(undefined);
    known.forEach((i, k) => (states[i] = bytes.subarray(offsets[k], offsets[k] + lengths[k])));
    return { handles, states };
  }

  /** 1. compare  2. write states and segments  3. write the watermark: from here on it has happened  4. let the index know  5. compact a little. */
  // eslint-disable-next-line @typescript-eslint/require-await
  async commit(changes: StateChanges): Promise<void> {
    this.mustBeOpen();
    const { expected, next } = changes;
    if (!sameWatermark(this.watermark, expected))
      throw new RiverrunError(
        'WATERMARK_MISMATCH',
        `the store stands at ${described(this.watermark)}, not at ${described(expected)}`,
      );
    this.checkWidth(changes);
    this.resolveHandles(changes);
    if (this.files.rollIsDue) this.files.roll(new Uint8Array(0));
    const start = this.files.newest!.bytes;
    try {
      this.write(changes, start);
    } catch (error) {
      this.files.rewind(start);
      throw error;
    }
    this.watermark = next;
    this.apply(changes);
    this.compact(this.files.newest!.bytes - start);
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async read(ids: readonly string[]): Promise<Float64Array[]> {
    this.mustBeOpen();
    const each = SEGMENT_ROWS * this.width;
    return ids.map((id) => {
      const handle = this.index.find(id);
      const places = handle === undefined ? [] : this.index.segments(handle);
      const rows = new Float64Array(places.length * each);
      const lengths = places.map(() => 8 * each);
      this.places.read(
        places,
        lengths,
        new Uint8Array(rows.buffer),
        places.map((_, k) => k * 8 * each),
      );
      return rows;
    });
  }

  /** In the order of handles: roughly that in which streams first came in. It outlives the process, and costs nothing. The cursor is the last handle. */
  // eslint-disable-next-line @typescript-eslint/require-await
  async list(cursor: string | undefined, limit: number): Promise<{ ids: string[]; cursor: string | undefined }> {
    this.mustBeOpen();
    const from = cursor === undefined ? 0 : Number(cursor) + 1;
    if (!Number.isSafeInteger(from) || from < 0)
      throw new RiverrunError('CURSOR', `${cursor} is no cursor of this list`);
    const ids: string[] = [];
    let last = from - 1;
    for (let handle = from; handle < this.index.ids.length; handle++) {
      if (this.index.place(handle) < 0) continue;
      if (ids.length === limit) return { ids, cursor: String(last) };
      ids.push(this.index.ids[handle]!);
      last = handle;
    }
    return { ids, cursor: undefined };
  }

  async close(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    await this.files.close();
  }

  /** Streams, and bytes: on disk, and of those the live ones. */
  get size(): { streams: number; fileBytes: number; liveBytes: number } {
    return { streams: this.index.streams, fileBytes: this.files.totalBytes, liveBytes: this.index.liveBytes };
  }

  private write(changes: StateChanges, start: number): void {
    const { ids, segments, next } = changes;
    const { writer, handles } = this;
    writer.begin(start);
    writer.states(ids.length, (i) => ids[i], { ...changes, handles }, this.positions);
    const { alive } = this;
    alive.length = 0;
    // A stream that goes takes its segments along.
    for (let k = 0; k < segments.count; k++) if (changes.start[segments.owner[k]] >= 0) alive.push(k);
    if (alive.length > 0) {
      if (this.segmentPositions.length < alive.length) this.segmentPositions = new Float64Array(2 * alive.length);
      const owners = alive.map((k) => handles[segments.owner[k]]);
      const sequences = alive.map((k) => segments.sequence[k]);
      const bytes = new Uint8Array(segments.rows.buffer, segments.rows.byteOffset, segments.rows.byteLength);
      const each = SEGMENT_ROWS * segments.width * 8;
      const rowsOf = (i: number): Uint8Array => bytes.subarray(alive[i] * each, (alive[i] + 1) * each);
      writer.segments(alive.length, segments.width, owners, sequences, rowsOf, this.segmentPositions);
    }
    // The watermark comes last: without it, nothing of the above is ever looked at.
    writer.watermark(next);
    writer.flush();
  }

  private apply({ ids, start, end, segments }: StateChanges): void {
    const { index, handles, positions } = this;
    const slot = this.places.slot(this.files.newest!);
    let removed = false;
    for (let i = 0; i < ids.length; i++) {
      const handle = handles[i];
      if (handle < 0) continue;
      if (start[i] >= 0) index.setState(handle, placeOf(slot, positions[i]), end[i] - start[i]);
      else {
        removed = true;
        index.removeState(handle);
      }
    }
    this.alive.forEach((k, i) =>
      index.addSegment(handles[segments.owner[k]], segments.sequence[k], placeOf(slot, this.segmentPositions[i])),
    );
    // Only now: an id may be removed and written again in the same commit.
    if (removed) for (let i = 0; i < ids.length; i++) if (start[i] < 0 && handles[i] >= 0) index.unbind(handles[i]);
  }

  /** A handle is a hint: it counts only while it still is the id's. */
  private resolveHandles({ ids, handles, start }: StateChanges): void {
    if (this.handles.length < ids.length) {
      this.handles = new Int32Array(2 * ids.length);
      this.positions = new Float64Array(2 * ids.length);
    }
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i];
      if (this.index.ids[handles[i]] === id) this.handles[i] = handles[i]!;
      else this.handles[i] = start[i] < 0 ? (this.index.find(id) ?? -1) : this.index.handle(id);
    }
  }

  private checkWidth({ segments: { count, width } }: StateChanges): void {
    if (count === 0) return;
    if (this.width !== 0 && this.width !== width)
      throw new RiverrunError('STATE_LAYOUT', `window rows have ${this.width} numbers in this store, not ${width}`);
    this.setWidth(width);
  }

  private setWidth(width: number): void {
    this.width = width;
    this.index.segmentBytes = SEGMENT_ROWS * width * 8;
  }

  private compact(written: number): void {
    try {
      this.places.compact(written, this.writer, this.watermark!);
    } catch (error) {
      // The commit itself has happened. A full disk, say, keeps old records a while longer, that is all.
      this.options.logger?.warn('states cannot be compacted', { folder: this.folder, error: errorMessage(error) });
    }
  }

  private visit(file: SegmentFile, { kind, payload, position }: Frame): void {
    const { index } = this;
    const slot = this.places.slot(file);
    if (kind === StateFrame.states) {
      for (const view = new StatesView(payload); view.next();) {
        const { handle } = view;
        if (view.length < 0) {
          index.removeState(handle);
          index.unbind(handle);
        } else {
          // The id is looked at once for each stream, not once for each record.
          if (index.ids[handle] === undefined) index.bind(handle, view.id);
          index.setState(handle, placeOf(slot, position + view.start), view.length);
        }
      }
    } else if (kind === StateFrame.segments) {
      const view = new SegmentsView(payload);
      this.setWidth(view.width);
      for (let k = 0; k < view.count; k++)
        index.addSegment(view.handles[k], view.sequences[k], placeOf(slot, position + view.start(k)));
    } else if (kind === StateFrame.watermark)
      this.watermark = JSON.parse(Buffer.from(payload).toString('utf8')) as Watermark;
  }

  private mustBeOpen(): void {
    if (!this.isOpen) throw new RiverrunError('STATE_CLOSED', 'the state store is closed');
  }
}

const sameWatermark = (a: Watermark | undefined, b: Watermark | undefined): boolean =>
  a?.offset === b?.offset && a?.model === b?.model && a?.layout === b?.layout && a?.time === b?.time;

const described = (w: Watermark | undefined): string =>
  w === undefined
    ? 'no watermark'
    : `offset ${w.offset} (model ${w.model?.slice(0, 12) ?? 'none'}, layout ${w.layout})`;
