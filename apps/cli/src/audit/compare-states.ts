/** Stored states against those of the reference, byte for byte. */
import { RiverrunError } from '#domain/errors';
import type { StateStore } from '#domain/ports';
import type { MemoryStateStore } from '#adapters/memory/memory-state-store';
import { stateOffset } from '#pipeline/state-codec';
import type { Finding } from './outcome-ledger.js';

export interface StateCounts {
  compared: number;
  differing: number;
  /** Stored, but unknown to the reference; and the other way round. */
  unknown: number;
  missing: number;
  /** Written by a save that was cut off, and not to be judged at W. */
  ahead: number;
  /** Reset just where the model was swapped: which came first cannot be told. */
  undecided: number;
}

export const NO_STATES: Readonly<StateCounts> = {
  compared: 0,
  differing: 0,
  unknown: 0,
  missing: 0,
  ahead: 0,
  undecided: 0,
};

const PAGE = 4096;
const REFERENCE_PAGE = 1 << 17;

/** undefined if the store moved meanwhile. `store` is open and stands where the reference does. */
export async function compareStates(
  store: StateStore,
  reference: MemoryStateStore,
  watermark: number,
  undecided: ReadonlySet<string>,
  note: (finding: Finding) => void,
): Promise<StateCounts | undefined> {
  const counts: StateCounts = { ...NO_STATES };
  const stored = { storedOnly: true };
  let known = 0;
  try {
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await store.list(cursor, PAGE);
      cursor = page.cursor;
      const [found, expected] = await Promise.all([store.load(page.ids, stored), reference.load(page.ids, stored)]);
      page.ids.forEach((stream, i) => {
        const [state, wanted] = [found.states[i], expected.states[i]];
        if (wanted !== undefined) known += 1;
        if (state === undefined) return;
        const offset = stateOffset(state);
        if (wanted === undefined && offset >= watermark) counts.ahead += 1;
        else if (wanted === undefined) {
          counts.unknown += 1;
          note({ kind: 'state', stream, offset, expected: 'no state', found: 'a stored state' });
        } else {
          counts.compared += 1;
          if (Buffer.compare(state, wanted) === 0) return;
          if (offset >= watermark) counts.ahead += 1;
          else if (undecided.has(stream)) counts.undecided += 1;
          else {
            counts.differing += 1;
            note({ kind: 'state', stream, offset, ...difference(state, wanted) });
          }
        }
      });
    }
    for (let cursor: string | undefined, more = known < reference.size; more; more = cursor !== undefined) {
      const page = await reference.list(cursor, REFERENCE_PAGE);
      cursor = page.cursor;
      const { states } = await store.load(page.ids, stored);
      page.ids.forEach((stream, i) => {
        if (states[i] !== undefined) return;
        counts.missing += 1;
        note({ kind: 'state', stream, offset: null, expected: 'a stored state', found: 'no state' });
      });
    }
  } catch (error) {
    if (error instanceof RiverrunError && error.code === 'WATERMARK_MISMATCH') return undefined;
    throw error;
  }
  return counts;
}

function difference(state: Uint8Array, wanted: Uint8Array): { expected: string; found: string } {
  let at = 0;
  while (at < Math.min(state.length, wanted.length) && state[at] === wanted[at]) at += 1;
  const tell = (bytes: Uint8Array): string =>
    `${bytes.length} bytes, from byte ${at} on ${Buffer.from(bytes.subarray(at, at + 8)).toString('hex')}`;
  return { expected: tell(wanted), found: tell(state) };
}
