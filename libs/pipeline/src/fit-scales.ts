/** Scales of a stream's inputs from its window. */
import { fitScale } from '#rnn/scaler';
import { scaleIndex, type StreamTable } from './stream-table.js';

/** Of the inputs from `first` on. `rows`: [n, width], ts and inputs, oldest first. */
export function fitScales(table: StreamTable, slot: number, rows: Float64Array, width: number, first = 0): void {
  const values = new Float64Array(rows.length / width);
  for (let input = first; input < width - 1; input++) {
    for (let row = 0; row < values.length; row++) values[row] = rows[row * width + 1 + input];
    fitScale(values, table.meta, scaleIndex(table, slot, input));
  }
}
