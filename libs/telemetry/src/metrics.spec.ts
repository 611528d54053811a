import { spawnSync } from 'node:child_process';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { OutcomeKind, type DeadLetter, type OutcomeBatch } from '#domain/outcome';
import { RecordBatchBuilder } from '#domain/record-batch';
import { LatencyHistogram } from './latency-histogram.js';
import { createMetrics } from './metrics.js';

/** One character a record: p prediction, c control, M malformed, L late. */
function outcomes(kinds: string, timestamps: number[]): OutcomeBatch {
  const builder = new RecordBatchBuilder();
  for (const ts of timestamps) builder.add(null, null, ts);
  const deadLetters = new Map<number, DeadLetter>();
  [...kinds].forEach((kind, i) => {
    if (kind === 'M' || kind === 'L') deadLetters.set(i, { code: kind === 'M' ? 'MALFORMED' : 'LATE', message: '' });
  });
  const none = new Float64Array();
  return {
    records: builder.build('ticks', 0, 0),
    model: null,
    kinds: Uint8Array.from(kinds, (kind) =>
      kind === 'p' ? OutcomeKind.prediction : kind === 'c' ? OutcomeKind.control : OutcomeKind.deadLetter,
    ),
    bytes: new Uint8Array(),
    start: new Int32Array(),
    end: new Int32Array(),
    deadLetters,
    columns: {
      stream: [],
      ts: none,
      value: none,
      expected: none,
      expectedHalf: none,
      expectedFromModel: new Uint8Array(0),
      prediction: none,
      half: none,
    },
  };
}

const samples = async (registry: Registry): Promise<Record<string, number>> =>
  Object.fromEntries(
    (await registry.metrics())
      .split('\n')
      .filter((line) => line.startsWith('riverrun_'))
      .map((line) => [line.slice(9, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );

function used(): Registry {
  const registry = new Registry();
  const metrics = createMetrics(registry, { version: '1.2.3' });
  metrics.batch(outcomes('pMpcL', [1000, 900, 0, 2000, NaN]), {
    committedAt: 1001,
    stages: { decode: 0.002, step: 0.0001 },
  });
  metrics.batch(outcomes('M', [0]), { committedAt: 2500 });
  metrics.lag({ topic: 'ticks', partition: 0, consumer: 7, state: 3 });
  metrics.hotStates('a', 10, 1000);
  metrics.hotStates('b', 5, 500);
  metrics.hotStates('a', 1, 100);
  metrics.stateLoads('store', 4);
  metrics.recovered(1.5);
  metrics.modelsInUse('a', [{ name: 'gru', version: 1, role: 'champion' }]);
  metrics.modelsInUse('a', [{ name: 'gru', version: 2, role: 'champion' }]);
  metrics.modelSwapped();
  metrics.trainingAttempt('activated', 2, 1700000000);
  metrics.trainingAttempt('failed', 2, 1700000100);
  metrics.trainingAttempt('abandoned', 2, 1700000200);
  const tally = {
    ...{ truths: 5, mixed: 1, persistence: 2, seasonalNaive: 0, statistical: 1.5 },
    ...{ network: 0, networkTruths: 0, intervals: 0, held: 0, drifts: 1 },
  };
  const later = {
    truths: 15,
    mixed: 5.5,
    persistence: 9,
    network: 3,
    networkTruths: 4,
    intervals: 8,
    held: 7,
    drifts: 2,
  };
  metrics.forecasts(tally, { ...tally, ...later }, 0.9);
  metrics.forecasts(tally, tally, 0.9);
  return registry;
}

describe('metrics', () => {
  it('count what happened', async () => {
    const seen = await samples(used());
    expect(seen).toMatchObject({
      ticks_total: 6,
      predictions_total: 2,
      'dead_letters_total{code="MALFORMED"}': 2,
      'dead_letters_total{code="LATE"}': 1,
      'dead_letters_total{code="DUPLICATE"}': 0,
      // 1 ms, 101 ms, 1.001 s, a clock ahead = 0; NaN is left out; then 2.5 s
      'tick_latency_seconds_bucket{le="0.001"}': 2,
      'tick_latency_seconds_bucket{le="0.1"}': 2,
      'tick_latency_seconds_bucket{le="0.25"}': 3,
      'tick_latency_seconds_bucket{le="2.5"}': 5,
      'tick_latency_seconds_bucket{le="+Inf"}': 5,
      tick_latency_seconds_count: 5,
      batch_records_count: 2,
      batch_records_sum: 6,
      'batch_stage_duration_seconds_count{stage="decode"}': 1,
      'consumer_lag_records{topic="ticks",partition="0"}': 7,
      'state_lag_records{topic="ticks",partition="0"}': 3,
      hot_streams: 6,
      hot_bytes: 600,
      'state_loads_total{source="store"}': 4,
      recovery_duration_seconds_sum: 1.5,
      'model_info{name="gru",version="2",role="champion"}': 1,
      model_swaps_total: 1,
      'training_attempts_total{outcome="failed"}': 1,
      training_duration_seconds_sum: 6,
      last_training_success_timestamp_seconds: 1700000000,
      last_commit_timestamp_seconds: 2.5,
      'forecast_evaluations_total{predictor="model"}': 10,
      'forecast_scaled_absolute_error_total{predictor="model"}': 4.5,
    });
    expect(seen.tick_latency_seconds_sum).toBeCloseTo(0.001 + 0.101 + 1.001 + 2.5, 9);
    expect(Object.keys(seen).some((name) => name.startsWith('build_info{version="1.2.3"'))).toBe(true);
    expect(Object.keys(seen).some((name) => name.includes('version="1",role'))).toBe(false);
  });

  it('a fresh service has no moments, but the process has its own metrics', async () => {
    const registry = new Registry();
    createMetrics(registry, { version: '1' });
    const text = await registry.metrics();
    expect(text).not.toMatch(/^riverrun_last_/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_/m);
    expect(text).toMatch(/^process_resident_memory_bytes /m);
    expect(() => createMetrics(registry, { version: '1' })).toThrow(/already been registered/);
  });

  it('the text is well-formed: HELP and TYPE once, samples of that name only, buckets that grow', async () => {
    const text = await used().metrics();
    const names = new Set<string>();
    for (const block of text.trim().split('\n\n')) {
      const [help, type, ...lines] = block.split('\n');
      const [, name] = /^# HELP (\S+) \S/.exec(help) ?? [];
      const [, kind] = new RegExp(`^# TYPE ${name} (counter|gauge|histogram|summary)$`).exec(type) ?? [];
      expect(kind, help).toBeDefined();
      expect(names.has(name)).toBe(false);
      names.add(name);
      if (name.startsWith('riverrun_')) expect(name.endsWith('_total')).toBe(kind === 'counter');
      for (const line of lines)
        expect(line).toMatch(/^[a-z_][a-z0-9_]*(\{([a-z_]+="[^"\n]*",?)+\})? (-?[0-9.e+-]+|NaN|[+-]?Inf)$/i);
      for (const line of lines) expect(line.startsWith(name)).toBe(true);
      const buckets = lines
        .filter((line) => line.includes('_bucket{') && !line.includes('stage='))
        .map((line) => Number(line.split(' ').pop()));
      expect(buckets).toEqual([...buckets].sort((a, b) => a - b));
    }
  });

  it('promtool finds nothing to say', async ({ skip }) => {
    const text = (await used().metrics())
      .split('\n\n')
      .filter((block) => block.includes(' riverrun_'))
      .join('\n');
    const promtool = spawnSync('promtool', ['check', 'metrics'], { input: `${text}\n`, encoding: 'utf8' });
    if (promtool.error) skip('promtool is not installed');
    expect(`${promtool.stdout}${promtool.stderr}`).toBe('');
    expect(promtool.status).toBe(0);
  });
});

describe('LatencyHistogram', () => {
  it('agrees with one observation at a time', async () => {
    const bounds = [0.001, 0.01, 0.1, 1];
    const seconds = Float64Array.from({ length: 5000 }, () => 10 ** (Math.random() * 6 - 4.5));
    seconds.set([0, 0.001, 0.01, 1, 5]);
    const histogram = new LatencyHistogram({ name: 'x', help: 'x', registers: [] }, bounds);
    histogram.observeSince(
      seconds.map((s) => -s * 1000),
      5000,
      0,
    );
    const { values } = await histogram.get();
    const rounded = seconds.map((s) => s * 1000 * 1e-3);
    expect(values.slice(0, 5).map(({ value }) => value)).toEqual(
      [...bounds, Infinity].map((le) => rounded.filter((s) => s <= le).length),
    );
  });

  it('costs a tick less than 20 ns', () => {
    const histogram = new LatencyHistogram({ name: 'x', help: 'x', registers: [] }, [0.001, 0.01, 0.1, 1, 10]);
    const timestamps = Float64Array.from({ length: 4096 }, (_, i) => 1.7e12 - (i % 7) * 3);
    let best = Infinity;
    for (let round = 0; round < 300; round++) {
      const started = performance.now();
      histogram.observeSince(timestamps, 4096, 1.7e12 + 20);
      best = Math.min(best, performance.now() - started);
    }
    const ns = (best / 4096) * 1e6;
    console.log(`${ns.toFixed(1)} ns a tick`);
    expect(ns).toBeLessThan(20);
  });
});
