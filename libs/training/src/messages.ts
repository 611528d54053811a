/** What the predictor's thread and the training worker say to each other. */
import type { TrainProgress, TrainRequest, TrainResult } from './train.types.js';

export type ToTrainer = { readonly type: 'train'; readonly request: TrainRequest } | { readonly type: 'cancel' };

export type FromTrainer =
  | { readonly type: 'progress'; readonly progress: TrainProgress }
  | { readonly type: 'result'; readonly result: TrainResult }
  | { readonly type: 'error'; readonly code: string; readonly message: string };
