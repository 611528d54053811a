/** What became of each record: exactly one outcome a record, in the order of the batch. */
import type { RecordBatch } from './record-batch.js';

export const OutcomeKind = { prediction: 0, control: 1, deadLetter: 2 } as const;

export type DeadLetterCode =
  | 'MALFORMED'
  | 'KEY_MISMATCH'
  | 'STREAM_ID'
  | 'TIMESTAMP'
  | 'VALUE'
  | 'TOKEN'
  | 'TOO_LARGE'
  | 'LATE'
  | 'DUPLICATE'
  | 'TOMBSTONE';

export interface DeadLetter {
  readonly code: DeadLetterCode;
  readonly message: string;
}

export interface OutcomeBatch {
  readonly records: RecordBatch;
  /** `name@version` of the model that was active for the batch, or null while there is none. */
  readonly model: string | null;
  /** One of OutcomeKind for each record. */
  readonly kinds: Uint8Array;
  /** JSON text of record i's prediction or control answer: bytes[start[i], end[i]); empty for a dead letter. */
  readonly bytes: Uint8Array;
  readonly start: Int32Array;
  readonly end: Int32Array;
  /** By the record's place in the batch. */
  readonly deadLetters: ReadonlyMap<number, DeadLetter>;
  /** The numbers behind the predictions, for pages and metrics; NaN where there is none. First input only. */
  readonly columns: {
    /** Id of the record's stream, or undefined for a dead letter without one. */
    readonly stream: (string | undefined)[];
    readonly ts: Float64Array;
    /** The tick's value (a token's id for token streams). */
    readonly value: Float64Array;
    /** The prediction made for this one, a horizon ago. */
    readonly expected: Float64Array;
    /** Half the width of the interval issued with it. */
    readonly expectedHalf: Float64Array;
    /** 1 where a model made that one. */
    readonly expectedFromModel: Uint8Array;
    /** The prediction made now, and half the width of its interval. */
    readonly prediction: Float64Array;
    readonly half: Float64Array;
  };
}
