/** The path of a tick, top to bottom. Live service, replay, backtest and `pipe` are only different sources into this function. */
import { OutcomeKind, type OutcomeBatch } from '#domain/outcome';
import type { RecordBatch } from '#domain/record-batch';
import { admit } from './admit.js';
import type { PipelineCore } from './core.js';
import { decodeBatch, RowKind, type DecodedBatch } from './decode.js';
import { OutcomeWriter } from './encode.js';
import { loadColdStreams } from './load-cold.js';
import { saveDue } from './save.js';
import { stepWaves } from './step-waves.js';
import type { SteppedBatch } from './stepped-batch.js';
import { Source } from './stream-table.js';
import { loadWindowsToWarmUp } from './warm-up.js';

/** A batch whose outcomes are committed, and the seconds spent in each stage so far. */
export interface CommittedBatch {
  readonly outcomes: OutcomeBatch;
  readonly stages: Record<'decode' | 'load' | 'step' | 'encode' | 'publish', number>;
}

export interface BatchOptions {
  /** A replay of records below c, whose outcomes were published before. */
  readonly suppress?: boolean;
  /** Called between publish and save: what is committed is told, whether or not the save succeeds. The outcomes' bytes are good until it returns. */
  readonly onCommitted?: ((batch: CommittedBatch) => void) | undefined;
}

/** Where batches do not overlap, the outcomes' bytes are good until the next batch. */
export interface BatchResult extends CommittedBatch {
  readonly saveSeconds: number;
}

/** After an error memory is ahead of the store: the caller must recover. */
export async function processBatch(
  core: PipelineCore,
  records: RecordBatch,
  { suppress = false, onCommitted }: BatchOptions = {},
): Promise<BatchResult> {
  const clock = stopwatch();
  // 1. decode: each record becomes a tick, a control or a dead letter
  const batch = decodeBatch(records, core.table, {
    ...core.options,
    spec: core.spec,
    vocabulary: core.model?.vocabulary,
    fast: core.options.fastDecode,
  });
  const decode = clock();
  // 2. load the states that are not hot, in one round trip, and the windows of streams that the model does not know yet;
  //    then late and duplicate ticks fall out, which only the state can tell
  await loadColdStreams(core, batch);
  core.options.onStep?.('after-load');
  const windows = await loadWindowsToWarmUp(core, batch);
  const spacing = admit(core, records, batch);
  const load = clock();
  // 3. step the i-th tick of all streams together, in order within a stream
  const stepped = stepWaves(core, records, batch, windows);
  const step = clock();
  core.options.onStep?.('after-step');
  const outcomes = encode(core, records, batch, stepped, spacing);
  const encoded = clock();
  // 4. publish outcomes and the position c, atomically; batches of one partition one after the other
  await core.published;
  clock();
  const stages = { decode, load, step, encode: encoded, publish: 0 };
  const committed = { outcomes, stages };
  if (!suppress)
    core.published = core.ports.log.publish(outcomes).then(() => {
      stages.publish = clock();
      onCommitted?.(committed);
    });
  core.position = records.offsets[records.count - 1] + 1;
  if (core.options.overlap) core.published.catch(() => undefined);
  else await core.published;
  clock();
  // 5. move the store's watermark, with the states and windows changed since; several batches may share one such write
  await saveDue(core);
  return { ...committed, saveSeconds: clock() };
}

function encode(
  core: PipelineCore,
  records: RecordBatch,
  batch: DecodedBatch,
  stepped: SteppedBatch,
  spacing: Float64Array,
): OutcomeBatch {
  const { count } = records;
  const { table, model, canary } = core;
  const topic = core.options.nameTopic ? records.topic : undefined;
  const { forecaster } = core;
  const plan =
    forecaster === undefined
      ? undefined
      : {
          horizon: forecaster.horizon,
          level: core.spec.level,
          quantiles: forecaster.options.quantiles ?? [],
          targets: core.spec.targets ?? [],
        };
  const roomEach = plan === undefined ? 192 : roomOf(plan);
  const writer = new OutcomeWriter(
    model?.label ?? null,
    canary && { model: canary.model.label, share: canary.share },
    topic,
    takeArena(core, roomEach * count + 1024),
    plan,
  );
  const kinds = new Uint8Array(count);
  const start = new Int32Array(count);
  const end = new Int32Array(count);
  const stream: (string | undefined)[] = new Array<string | undefined>(count);
  const value = new Float64Array(count).fill(NaN);
  const outputSize = model?.network.outputSize ?? 1;
  for (let i = 0; i < count; i++) {
    start[i] = writer.length;
    const kind = batch.kind[i];
    if (kind === RowKind.deadLetter) {
      kinds[i] = OutcomeKind.deadLetter;
      stream[i] = batch.slot[i] >= 0 ? table.ids[batch.slot[i]] : batch.rejectedStreams.get(i);
    } else {
      const id = table.ids[batch.slot[i]];
      stream[i] = id;
      if (kind === RowKind.control) {
        kinds[i] = OutcomeKind.control;
        writer.control(id, 'reset', records.offsets[i]);
      } else {
        value[i] = batch.values[i * batch.inputs]!;
        const ts = batch.ts[i];
        const target = spacing[i] > 0 ? ts + Math.round(spacing[i] * (plan?.horizon ?? 1)) : NaN;
        if (plan !== undefined) {
          writer.forecast(
            table,
            batch.slot[i],
            ts,
            records.offsets[i],
            target,
            stepped,
            i,
            core.isCanary(batch.slot[i]),
          );
          end[i] = writer.length;
          continue;
        }
        const fromModel = stepped.source[i] === Source.model;
        const outputs =
          fromModel && outputSize > 1 ? stepped.outputs.subarray(i * outputSize, (i + 1) * outputSize) : undefined;
        writer.prediction(
          table,
          batch.slot[i],
          ts,
          records.offsets[i],
          stepped.prediction[i],
          target,
          fromModel ? 1 : 0,
          outputs,
          model?.softmax ?? false,
          core.isCanary(batch.slot[i]),
        );
      }
    }
    end[i] = writer.length;
  }
  core.arenas.push(writer.bytes);
  return {
    records,
    model: core.label,
    kinds,
    bytes: writer.bytes.subarray(0, writer.length),
    start,
    end,
    deadLetters: batch.deadLetters,
    columns: {
      stream,
      ts: batch.ts,
      value,
      expected: stepped.expected,
      expectedHalf: stepped.expectedHalf,
      expectedFromModel: stepped.expectedFromModel,
      prediction: stepped.prediction,
      half: stepped.half,
    },
  };
}

/** About as many bytes as a prediction takes. */
const roomOf = ({ horizon, quantiles, targets }: NonNullable<ConstructorParameters<typeof OutcomeWriter>[4]>): number =>
  256 + (1 + targets.length) * (96 * (horizon - 1) + 32 * quantiles.length * horizon) + 96 * targets.length;

/** The one of the batch before, which is over; where batches overlap, of the one before that. A new one for each batch would be most of what there is to collect. */
function takeArena({ arenas, options }: PipelineCore, size: number): Uint8Array {
  return (arenas.length > Number(options.overlap) ? arenas.shift() : undefined) ?? new Uint8Array(size);
}

function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const seconds = (now - last) / 1000;
    last = now;
    return seconds;
  };
}
