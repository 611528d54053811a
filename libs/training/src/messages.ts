/** What the process that serves and the one that trains say to each other. */
import type { TrainProgress, TrainRequest, TrainResult } from './train.types.js';

/** Said once. The windows follow as bytes on standard input, one after another, `lengths` float64 each. */
export interface ToTrainer extends Omit<TrainRequest, 'windows'> {
  readonly lengths: readonly number[];
}

export type FromTrainer =
  | { readonly type: 'progress'; readonly progress: TrainProgress }
  | { readonly type: 'result'; readonly result: TrainResult }
  | { readonly type: 'error'; readonly code: string; readonly message: string };
