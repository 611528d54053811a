/** What the service sends: frames of GET /live, pages of GET /streams, traces of GET /streams/{id}/trace. */

export type Source = 'model' | 'blend' | 'baseline';

/** [ts in ms, actual value, the prediction that had been made for it, who had made it, half the width of its interval] */
export type Point = [ts: number, value: number | null, expected: number | null, source: Source, half?: number | null];

export interface Validation {
  readonly rows: number;
  readonly mae: number;
  readonly persistenceMae: number;
  readonly baselineMae?: number;
}

export interface ModelInfo {
  readonly label: string;
  readonly origin: 'trained' | 'imported';
  readonly createdAt: string;
  readonly cell: string | null;
  readonly hidden: number | null;
  readonly swaps: number;
  readonly validation: Validation | null;
}

/** The challenger takes over once `evidence`, 1 at first, passes `threshold`. */
export interface TrialInfo {
  readonly label: string;
  readonly evidence: number;
  readonly threshold: number;
  /** Moments at which both could be compared. */
  readonly compared: number;
}

/** Serves a share of the streams in the champion's place. */
export interface CanaryInfo {
  readonly label: string;
  readonly share: number;
}

export interface TrainingInfo {
  readonly state: 'waiting' | 'training' | 'idle' | 'off' | 'failed';
  readonly progress: number;
  readonly detail: string;
  readonly lastTrainedAt: string | null;
  readonly nextAt: number | null;
}

export interface Errors {
  readonly source: Source;
  readonly maeModel: number | null;
  readonly maePersistence: number | null;
  /** Where forecasts are made with baselines and intervals: 1 - error over that of the best baseline, and the share of intervals that held. */
  readonly skill?: number | null;
  readonly coverage?: number | null;
}

export interface StreamFrame extends Errors {
  readonly id: string;
  readonly group: string;
  readonly title: string;
  readonly unit: string;
  readonly ticks: number;
  readonly next: {
    readonly targetTs: number | null;
    readonly prediction: number | null;
    readonly half?: number | null;
  } | null;
  readonly points: readonly Point[];
}

export interface Frame {
  readonly now: number;
  readonly ticksPerSecond: number;
  readonly ticksTotal: number;
  readonly deadLettersTotal: number;
  readonly pipeline: string;
  /** Steps ahead that are forecast, and the share of truths that intervals should hold. */
  readonly horizon?: number;
  readonly level?: number;
  readonly problem: string | null;
  readonly model: ModelInfo | null;
  readonly trial?: TrialInfo | null;
  readonly canary?: CanaryInfo | null;
  readonly training: TrainingInfo;
  readonly streams: readonly StreamFrame[];
}

export interface StreamRow extends Errors {
  readonly id: string;
  readonly ticks: number;
  readonly ts: number;
  readonly value: number | null;
  readonly prediction: number | null;
}

export interface StreamPage {
  readonly streams: readonly StreamRow[];
  readonly cursor: string | null;
}

export interface TraceRow {
  readonly step: number;
  readonly ts: number;
  readonly input: number | string | null;
  readonly memory: readonly number[];
  readonly output: number | null;
}

export interface Trace {
  readonly stream: string;
  readonly model: string | null;
  readonly exact: boolean;
  readonly rows: readonly TraceRow[];
}
