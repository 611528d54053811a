/** What a training attempt is given and what it gives back. Plain data: it crosses to the worker thread and back by structured clone. */
import type { TrainingRecord } from '#domain/model';
import type { NetworkSpec } from '#rnn/spec';

export type Cell = 'simple-rnn' | 'gru' | 'lstm';

export const DEFAULT_BUDGET_SECONDS = 12;
export const DEFAULT_EPOCHS = 60;

export interface TrainRequest {
  /** One window a stream: rows [ts, x1..xd], row-major, oldest first, NaN = missing. */
  readonly windows: readonly Float64Array[];
  /** d. The first input is the one predicted. */
  readonly inputs: number;
  readonly cell: Cell;
  readonly hidden: number;
  /** Same request, same seed, same backend: the same weights to the bit, as long as neither budget nor cancel cut the attempt short. */
  readonly seed: number;
  /** Wall time the attempt may take; looked at after every batch. Default DEFAULT_BUDGET_SECONDS. */
  readonly budgetSeconds?: number | undefined;
  /** Default DEFAULT_EPOCHS; early stopping usually comes first. */
  readonly epochs?: number | undefined;
  /** Weights of the same network to go on from. */
  readonly warmStart?: Float32Array | undefined;
}

export interface TrainProgress {
  readonly epoch: number;
  readonly epochs: number;
  /** Of the attempt, by epochs or by budget, whichever is further. */
  readonly fraction: number;
  /** Mean training loss of the epoch, in units of the streams' scales. */
  readonly loss: number;
  /** MAE on the held-back rows, in units of the streams' scales. */
  readonly validation: number;
}

export type StopReason = 'converged' | 'epochs' | 'budget' | 'cancelled';

export interface TrainResult {
  readonly network: NetworkSpec;
  /** As `weightShapes(network)` lays them out: the best on the held-back rows. */
  readonly weights: Float32Array;
  readonly record: TrainingRecord;
  /** Whether it beats persistence on the held-back rows by more than chance would; if not, it is not worth serving. */
  readonly improved: boolean;
  readonly stopped: StopReason;
  readonly backend: 'wasm' | 'cpu';
}

export interface TrainHooks {
  readonly progress?: ((progress: TrainProgress) => void) | undefined;
  /** Asked after every batch. */
  readonly shouldStop?: (() => boolean) | undefined;
}
