/** What a training attempt is given and what it gives back. Plain data: it crosses to the process that trains, and back. */
import type { ForecastSpec, TrainingRecord, Transform } from '#domain/model';
import type { NetworkSpec } from '#rnn/spec';
import type { Backend } from './backend.js';

export type Cell = 'simple-rnn' | 'gru' | 'lstm';

/** mae: the absolute error, which forecasts are judged by; huber: squared within a scale of the stream, for what has no wild values and where the mean is wanted. */
export const LOSSES = ['mae', 'huber'] as const;
export type Loss = (typeof LOSSES)[number];

export const DEFAULT_BUDGET_SECONDS = 30;

export interface TrainRequest {
  /** One window a stream: rows [ts, x1..xd], row-major, oldest first, NaN = missing. */
  readonly windows: readonly Float64Array[];
  /** d. The first `targets` inputs are forecast. */
  readonly inputs: number;
  /** Default: 1. */
  readonly targets?: number | undefined;
  /** Steps ahead, 1 or more. */
  readonly horizon: number;
  /** Ticks of a season, 0 for none, or to be found in the windows. */
  readonly season: number | 'auto';
  /** Whether ticks come at one spacing, so that those left out count. auto: as the windows repeat themselves better, the champion's way unless the other is clearly better. Default: no. */
  readonly regular?: boolean | 'auto' | undefined;
  /** IANA zone of calendar features. */
  readonly timeZone: string;
  /** Of what the network is given and asked for. auto: the champion's; without one, the one a network does best with on the held-back rows. Default: difference. */
  readonly transform?: Transform | 'auto' | undefined;
  /** Whether it is given how long ago the tick before was. auto: the champion's; without one, where ticks come irregularly. Default: no. */
  readonly gaps?: boolean | 'auto' | undefined;
  /** What the network learns to make small. Default: mae. */
  readonly loss?: Loss | undefined;
  /** Share of truths that intervals should hold. */
  readonly level: number;
  readonly cell: Cell;
  readonly hidden: number;
  /** Same request, same seed, same backend: the same weights to the bit, as long as neither budget nor cancel cut the attempt short. */
  readonly seed: number;
  /** Wall time the attempt may take; looked at after every batch. Default DEFAULT_BUDGET_SECONDS. */
  readonly budgetSeconds?: number | undefined;
  /** Default: 60 from scratch, 8 from given weights. */
  readonly epochs?: number | undefined;
  /** Weights of the same network; the result is held against them. It goes on from them, unless another transform is asked for, or gaps. Of no use where another season is found than theirs. */
  readonly champion?: Trained | undefined;
  /** Without a champion, what serves in its place, of the same inputs, targets and horizon: the result is held against it where both follow the same season. Under another, their errors have
   *  other units; then the baselines are what counts. */
  readonly standIn?: (Trained & { readonly network: NetworkSpec }) | undefined;
}

export interface Trained {
  readonly weights: Float32Array;
  readonly season: number;
  /** Default: no. */
  readonly regular?: boolean | undefined;
  /** Default: difference. */
  readonly transform?: Transform | undefined;
  /** Default: no. */
  readonly gaps?: boolean | undefined;
}

export interface TrainProgress {
  readonly epoch: number;
  readonly epochs: number;
  /** Of the attempt, by epochs or by budget, whichever is further. */
  readonly fraction: number;
  /** Mean training loss of the epoch, in units of the streams' scales. */
  readonly loss: number;
}

export type StopReason = 'epochs' | 'budget' | 'cancelled';

export interface TrainResult {
  readonly network: NetworkSpec;
  /** As `weightShapes(network)` lays them out. */
  readonly weights: Float32Array;
  readonly forecast: ForecastSpec;
  readonly record: TrainingRecord;
  /** Whether on the held-back rows it is no worse than the champion or what stands in for one, and without either, than the baselines. */
  readonly improved: boolean;
  readonly stopped: StopReason;
  readonly backend: Backend;
}

export interface TrainHooks {
  readonly progress?: ((progress: TrainProgress) => void) | undefined;
  /** Asked after every batch. */
  readonly shouldStop?: (() => boolean) | undefined;
}
