/** Windows out of what a store holds of a stream, for those who read beside the pipeline that owns it. */
import { readState } from './state-codec.js';
import { StreamTable } from './stream-table.js';
import { validRows, windowOf } from './warm-up.js';

export class StoredWindows {
  private readonly table: StreamTable;

  constructor(private readonly inputs: number) {
    this.table = new StreamTable(1, inputs);
  }

  /** The stream's whole window, oldest first: row-major [n, 1 + inputs]. `rows`: those of its stored segments, as of the same moment as the state.
   *  RiverrunError STATE_CORRUPT. */
  window(id: string, state: Uint8Array, rows: Float64Array): Float64Array {
    const width = 1 + this.inputs;
    this.table.reset();
    const slot = this.table.insert(id, 0);
    readState(state, this.table, slot, undefined);
    return windowOf(this.table, slot, validRows(this.table, slot, rows, width), width);
  }
}
