/** States and windows in memory, with the same compare-and-set as everywhere. */
import { RiverrunError } from '#domain/errors';
import {
  SEGMENT_ROWS,
  type LoadedStates,
  type StateChanges,
  type StateStore,
  type Watermark,
  type WindowStore,
} from '#domain/ports';

export interface MemoryStateStoreOptions {
  /** Window segments kept for a stream. */
  readonly windowSegments?: number;
}

interface Entry {
  readonly handle: number;
  state: Uint8Array | undefined;
  segments: Float64Array[];
}

const NO_ENTRY: Entry = { handle: -1, state: undefined, segments: [] };

export class MemoryStateStore implements StateStore, WindowStore {
  private readonly entries = new Map<string, Entry>();
  private watermark: Watermark | undefined;
  private handles = 0;

  constructor(private readonly options: MemoryStateStoreOptions = {}) {}

  /** Streams with a state. */
  get size(): number {
    let count = 0;
    for (const { state } of this.entries.values()) if (state !== undefined) count += 1;
    return count;
  }

  open(): Promise<Watermark | undefined> {
    return Promise.resolve(this.watermark);
  }

  load(ids: readonly string[], { storedOnly = false } = {}): Promise<LoadedStates> {
    const entries = ids.map((id) => (storedOnly ? this.stored(id) : this.entry(id)));
    return Promise.resolve({ handles: Int32Array.from(entries, (e) => e.handle), states: entries.map((e) => e.state) });
  }

  commit(changes: StateChanges): Promise<void> {
    const { expected, next, ids, bytes, start, end, segments } = changes;
    const now = this.watermark;
    if (
      now?.offset !== expected?.offset ||
      now?.model !== expected?.model ||
      now?.layout !== expected?.layout ||
      now?.time !== expected?.time
    )
      return Promise.reject(
        new RiverrunError(
          'WATERMARK_MISMATCH',
          `the store stands at offset ${now?.offset ?? 'none'}, not at ${expected?.offset ?? 'none'}`,
        ),
      );
    for (let i = 0; i < ids.length; i++) {
      if (start[i] < 0) this.entries.delete(ids[i]);
      else this.entry(ids[i]).state = bytes.slice(start[i], end[i]);
    }
    const length = SEGMENT_ROWS * segments.width;
    for (let k = 0; k < segments.count; k++) {
      if (start[segments.owner[k]] < 0) continue;
      const kept = this.entry(ids[segments.owner[k]]).segments;
      kept.push(segments.rows.slice(k * length, (k + 1) * length));
      if (kept.length > (this.options.windowSegments ?? 32)) kept.shift();
    }
    this.watermark = next;
    return Promise.resolve();
  }

  read(ids: readonly string[]): Promise<Float64Array[]> {
    return Promise.resolve(
      ids.map((id) => {
        const segments = this.entries.get(id)?.segments ?? [];
        const rows = new Float64Array(segments.reduce((sum, s) => sum + s.length, 0));
        let at = 0;
        for (const segment of segments) {
          rows.set(segment, at);
          at += segment.length;
        }
        return rows;
      }),
    );
  }

  list(cursor: string | undefined, limit: number): Promise<{ ids: string[]; cursor: string | undefined }> {
    const known = [...this.entries].filter(([, entry]) => entry.state !== undefined).map(([id]) => id);
    const after = known.sort().filter((id) => cursor === undefined || id > cursor);
    const ids = after.slice(0, limit);
    return Promise.resolve({ ids, cursor: after.length > limit ? ids.at(-1) : undefined });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private stored(id: string): Entry {
    const entry = this.entries.get(id);
    return entry?.state === undefined ? NO_ENTRY : entry;
  }

  private entry(id: string): Entry {
    let entry = this.entries.get(id);
    if (entry === undefined) {
      entry = { handle: this.handles++, state: undefined, segments: [] };
      this.entries.set(id, entry);
    }
    return entry;
  }
}
