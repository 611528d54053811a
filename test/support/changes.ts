/** Changes for a state store, out of what a test has in mind. */
import type { StateChanges, Watermark } from '#domain/ports';

export interface PlainChange {
  readonly id: string;
  /** null removes the stream. */
  readonly state: Uint8Array | null;
  /** Segments of one number a row: sequence and what fills it. */
  readonly segments?: readonly { readonly sequence: number; readonly fill: number }[];
}

const ROWS = 16;

export function plainChanges(
  expected: Watermark | undefined,
  next: Watermark,
  changes: readonly PlainChange[],
): StateChanges {
  const bytes = Buffer.concat(changes.map(({ state }) => state ?? new Uint8Array(0)));
  const start = new Int32Array(changes.length);
  const end = new Int32Array(changes.length);
  let at = 0;
  changes.forEach(({ state }, i) => {
    start[i] = state === null ? -1 : at;
    end[i] = state === null ? -1 : (at += state.length);
  });
  const segments = changes.flatMap(({ segments = [] }, owner) => segments.map((segment) => ({ ...segment, owner })));
  return {
    expected,
    next,
    ids: changes.map(({ id }) => id),
    handles: new Int32Array(changes.length),
    bytes: new Uint8Array(bytes),
    start,
    end,
    segments: {
      count: segments.length,
      width: 1,
      owner: Int32Array.from(segments, ({ owner }) => owner),
      sequence: Float64Array.from(segments, ({ sequence }) => sequence),
      rows: Float64Array.from(segments.flatMap(({ fill }) => new Array<number>(ROWS).fill(fill))),
    },
  };
}
