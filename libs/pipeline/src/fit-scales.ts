/** Scales of a stream's inputs from its window. */
import { fitInputScale, fitScale } from '#rnn/scaler';
import { scaleIndex, type StreamTable } from './stream-table.js';

/** Of all inputs, as a raw model sees them. `rows`: [n, width], ts and inputs, oldest first. */
export function fitScales(table: StreamTable, slot: number, rows: Float64Array, width: number): void {
  for (let input = 0; input < width - 1; input++)
    fitScale(columnOf(rows, width, input), table.meta, scaleIndex(table, slot, input));
}

/** Of the inputs from `first` on, which the network is only given: the scales of those that are forecast are their plans'. */
export function fitOtherScales(
  table: StreamTable,
  slot: number,
  rows: Float64Array,
  width: number,
  first: number,
): void {
  for (let input = first; input < width - 1; input++)
    fitInputScale(columnOf(rows, width, input), table.meta, scaleIndex(table, slot, input));
}

const columnOf = (rows: Float64Array, width: number, input: number): Float64Array =>
  Float64Array.from({ length: rows.length / width }, (_, row) => rows[row * width + 1 + input]);
