/** What the server sends: events of GET /live, pages of GET /streams, and GET /streams/{id}/trace. */
export type Source = 'model' | 'baseline' | 'blend';

/** `expected`: the prediction that had been made for this tick before it arrived, by `source`. */
export type Point = [ts: number, value: number | null, expected: number | null, source: Source];

export interface ModelInfo {
  label: string;
  origin: string;
  createdAt: string;
  cell: string | null;
  hidden: number | null;
  swaps: number;
  /** Errors on held-back rows, in units of each stream's scale. */
  validation: { mae: number; persistenceMae: number } | null;
}

export interface TrainingInfo {
  state: 'waiting' | 'training' | 'idle' | 'off' | 'failed';
  progress: number;
  detail: string;
  lastTrainedAt: string | null;
  nextAt: number | null;
}

export interface Accuracy {
  source: Source;
  maeModel: number | null;
  maePersistence: number | null;
}

export interface StreamFrame extends Accuracy {
  id: string;
  group: string;
  title: string;
  unit: string;
  ticks: number;
  next: { targetTs: number | null; prediction: number | null } | null;
  points: Point[];
}

export interface Frame {
  now: number;
  ticksPerSecond: number;
  ticksTotal: number;
  deadLettersTotal: number;
  pipeline: string;
  /** Why the pipeline does not go on, if it does not. */
  problem?: string | null;
  model: ModelInfo | null;
  training: TrainingInfo;
  streams: StreamFrame[];
}

export interface ListedStream extends Accuracy {
  id: string;
  ticks: number;
  ts: number | null;
  value: number | null;
  prediction: number | null;
}

export interface StreamPage {
  streams: ListedStream[];
  cursor: string | null;
}

export interface TraceRow {
  step: number;
  ts: number;
  input: number | string | null;
  memory: number[];
  output: number | null;
}

export interface Trace {
  stream: string;
  model: string | null;
  exact: boolean;
  unit?: string;
  rows: TraceRow[];
}
