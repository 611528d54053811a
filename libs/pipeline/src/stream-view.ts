/** A stream as people see it: out of its columns, or out of its stored state. */
import { readState } from './state-codec.js';
import { Field, FIELDS_PER_INPUT, Source, StreamTable } from './stream-table.js';

export interface StreamView {
  readonly id: string;
  readonly ticks: number;
  readonly ts: number;
  readonly offset: number;
  /** Last known value of each input. */
  readonly values: number[];
  /** Forecast of the next tick, null before the first value; and when it is expected, null while the spacing is unknown. */
  readonly prediction: number | null;
  readonly targetTs: number | null;
  readonly source: 'model' | 'baseline';
  /** Mean absolute errors over the same recent ticks; null until the model has been scored. */
  readonly maeModel: number | null;
  readonly maePersistence: number | null;
}

export function viewOf(table: StreamTable, slot: number): StreamView {
  const inputs = table.tailStride / 16 - 1;
  const base = slot * table.fields;
  const field = (f: number): number => table.meta[base + f];
  const orNull = (x: number): number | null => (Number.isFinite(x) ? x : null);
  const scored = field(Field.evaluations) > 0;
  return {
    id: table.ids[slot],
    ticks: field(Field.count),
    ts: field(Field.ts),
    offset: field(Field.offset),
    values: Array.from({ length: inputs }, (_, k) => field(Field.inputs + FIELDS_PER_INPUT * k)),
    prediction: orNull(field(Field.expected)),
    targetTs: field(Field.spacing) > 0 ? field(Field.ts) + Math.round(field(Field.spacing)) : null,
    source: field(Field.source) === Source.model ? 'model' : 'baseline',
    maeModel: scored ? field(Field.modelError) : null,
    maePersistence: scored ? field(Field.baselineError) : null,
  };
}

/** RiverrunError STATE_CORRUPT. */
export function viewOfState(id: string, state: Uint8Array, inputs: number): StreamView {
  const table = new StreamTable(1, inputs);
  const slot = table.insert(id, 0);
  readState(state, table, slot, undefined);
  return viewOf(table, slot);
}
