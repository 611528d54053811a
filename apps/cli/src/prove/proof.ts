/** What `prove` says. */
import { note, print, table } from '../output.js';
import { stateOffset } from '#pipeline/state-codec';

/** `same`: null where there was nothing to compare with. */
export interface Proof {
  readonly ok: boolean;
  readonly stream: string;
  readonly pipeline: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** The replay began there. */
  readonly from: number;
  readonly model: string | null;
  readonly outcome: { readonly same: boolean | null; readonly replayed: string; readonly found: string | null };
  readonly state: {
    readonly same: boolean | null;
    readonly bytes: number;
    /** The last offset that each has absorbed. */
    readonly offset: number | null;
    readonly storedOffset: number | null;
  };
  readonly notes: readonly string[];
}

export interface Evidence {
  readonly stream: string;
  readonly pipeline: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly from: number;
  readonly model: string | null;
  readonly replayed: Uint8Array;
  /** undefined: there is none to compare with. */
  readonly found: Uint8Array | undefined;
  /** It must be there. */
  readonly isCommitted: boolean;
  readonly state: Uint8Array | undefined;
  readonly stored: Uint8Array | undefined;
  readonly notes: readonly string[];
}

export function proofOf(evidence: Evidence): Proof {
  const { replayed, found, isCommitted, state, stored, notes: given, ...place } = evidence;
  const notes = [...given];
  const offsetOf = (bytes: Uint8Array | undefined): number | null => (bytes === undefined ? null : stateOffset(bytes));
  const [offset, storedOffset] = [offsetOf(state), offsetOf(stored)];
  const same = found === undefined ? (isCommitted ? false : null) : Buffer.compare(replayed, found) === 0;
  const comparable = state !== undefined && stored !== undefined && offset === storedOffset;
  if (stored === undefined) notes.push('no state of the stream is stored');
  else if (!comparable)
    notes.push(`the stored state stands at offset ${storedOffset}, the replayed one at ${offset}: not to be compared`);
  const sameState = comparable ? Buffer.compare(state, stored) === 0 : null;
  return {
    ok: same !== false && sameState !== false && (same ?? sameState) !== null,
    ...place,
    outcome: {
      same,
      replayed: Buffer.from(replayed).toString(),
      found: found === undefined ? null : Buffer.from(found).toString(),
    },
    state: { same: sameState, bytes: state?.length ?? 0, offset, storedOffset },
    notes,
  };
}

export async function printProof(proof: Proof): Promise<void> {
  const { outcome, state, notes } = proof;
  const verdict = (same: boolean | null): string =>
    same === null ? 'not compared' : same ? 'the same to the bit' : 'DIFFERS';
  await print(
    table([
      ['WHAT', 'VERDICT', 'REPLAYED'],
      ['outcome', verdict(outcome.same), outcome.replayed],
      ['state', verdict(state.same), `${state.bytes} bytes, after offset ${state.offset ?? '-'}`],
    ]),
  );
  if (outcome.same === false) note(`found: ${outcome.found ?? 'no outcome at all'}`);
  note(
    `${proof.stream}: ${proof.topic}/${proof.partition}, offsets ${proof.from} to ${proof.offset} replayed, model ${proof.model ?? 'none'}`,
  );
  for (const text of notes) note(text);
}
