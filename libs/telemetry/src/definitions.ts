/** Every metric of the service: name, type, help, labels. No label ever grows with the number of streams. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { LatencyHistogram } from './latency-histogram.js';

const PREFIX = 'riverrun_';

const LATENCY = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const STAGE = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const RECORDS = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536];
const LONG = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

export type Instruments = ReturnType<typeof defineMetrics>;

/* eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types -- the inferred type is the list below */
export function defineMetrics(registry: Registry) {
  const common = (name: string, help: string): { name: string; help: string; registers: Registry[] } => ({
    name: PREFIX + name,
    help,
    registers: [registry],
  });
  const counter = <L extends string = never>(name: string, help: string, ...labelNames: L[]): Counter<L> =>
    new Counter({ ...common(name, help), labelNames });
  const gauge = <L extends string = never>(name: string, help: string, ...labelNames: L[]): Gauge<L> =>
    new Gauge({ ...common(name, help), labelNames });
  const histogram = <L extends string = never>(
    name: string,
    help: string,
    buckets: number[],
    ...labelNames: L[]
  ): Histogram<L> => new Histogram({ ...common(name, help), buckets, labelNames });

  return {
    ticks: counter('ticks_total', 'Records that got an outcome.'),
    predictions: counter('predictions_total', 'Predictions published.'),
    deadLetters: counter('dead_letters_total', 'Records refused, by reason.', 'code'),
    tickLatency: new LatencyHistogram(
      common('tick_latency_seconds', "From the record's timestamp until its outcome is committed."),
      LATENCY,
    ),
    batchRecords: histogram('batch_records', 'Records in a batch.', RECORDS),
    batchStages: histogram('batch_stage_duration_seconds', 'Time a batch spends in each stage.', STAGE, 'stage'),
    consumerLag: gauge('consumer_lag_records', 'Records in the log that have no outcome yet.', 'topic', 'partition'),
    stateLag: gauge(
      'state_lag_records',
      'Committed records that the stored states have not absorbed yet.',
      'topic',
      'partition',
    ),
    hotStreams: gauge('hot_streams', 'Streams whose state is in memory.'),
    hotBytes: gauge('hot_bytes', 'Memory taken by hot streams.'),
    stateLoads: counter('state_loads_total', 'States of streams that were not hot, by where they came from.', 'source'),
    recoveryDuration: histogram(
      'recovery_duration_seconds',
      'From taking a partition over until its first new tick is served.',
      LONG,
    ),
    rebalances: counter('rebalances_total', 'Assignments of partitions by the consumer group.'),
    transactions: counter('transactions_total', 'Transactions, by how they ended.', 'outcome'),
    redisCommands: histogram(
      'redis_command_duration_seconds',
      'Time from sending a command or script to its reply.',
      STAGE,
      'command',
    ),
    modelInfo: gauge('model_info', 'The models in use; always 1.', 'name', 'version', 'role'),
    modelSwaps: counter('model_swaps_total', 'Models replaced while serving.'),
    trainingAttempts: counter('training_attempts_total', 'Trainings, by how they ended.', 'outcome'),
    trainingDuration: histogram('training_duration_seconds', 'Time a training takes, its evaluation included.', LONG),
    lastTrainingSuccess: gauge(
      'last_training_success_timestamp_seconds',
      'When a training last ended without an error.',
    ),
    lastCommit: gauge('last_commit_timestamp_seconds', 'When outcomes were last committed.'),
    evaluations: counter('forecast_evaluations_total', 'Forecasts compared with what came, by predictor.', 'predictor'),
    scaledError: counter(
      'forecast_scaled_absolute_error_total',
      "Sum of absolute errors, each in units of its stream's own scale and at most 64; divide by forecast_evaluations_total.",
      'predictor',
    ),
    canaryEvaluations: counter(
      'canary_evaluations_total',
      "Of forecast_evaluations_total, those of a canary's streams.",
      'predictor',
    ),
    canaryScaledError: counter(
      'canary_scaled_absolute_error_total',
      "Of forecast_scaled_absolute_error_total, the errors of a canary's streams; divide by canary_evaluations_total.",
      'predictor',
    ),
    intervals: counter(
      'interval_evaluations_total',
      'Truths by whether the interval issued for them held.',
      'level',
      'outcome',
    ),
    drifts: counter('drift_detections_total', 'Streams whose forecast errors have become lastingly larger.'),
    buildInfo: gauge('build_info', 'What runs here; always 1.', 'version', 'node_version'),
  };
}
