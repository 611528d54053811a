/** Step 3: the i-th tick of all streams together (a wave), in order within a stream. Score what was forecast for the tick, then step, then forecast the next. */
import type { RecordBatch } from '#domain/record-batch';
import type { PipelineCore } from './core.js';
import { RowKind, type DecodedBatch } from './decode.js';
import type { ModelSlot } from './model-slot.js';
import { updateScale } from './normaliser.js';
import { Field, FIELDS_PER_INPUT, Source } from './stream-table.js';
import { warmUp, writeFeature, type Windows } from './warm-up.js';

/** Columns by record. */
export interface SteppedBatch {
  readonly prediction: Float64Array;
  /** What had been forecast for this tick; NaN if nothing. */
  readonly expected: Float64Array;
  readonly source: Int8Array;
  /** [count, outputSize]; filled for models with several outputs. */
  readonly outputs: Float32Array;
}

/** Errors are averaged over about this many ticks. */
const ERROR_RATE = 1 / 128;

export function stepWaves(
  core: PipelineCore,
  records: RecordBatch,
  batch: DecodedBatch,
  windows: Windows,
): SteppedBatch {
  const { count } = records;
  const outputSize = core.model?.network.outputSize ?? 1;
  const stepped: SteppedBatch = {
    prediction: new Float64Array(count).fill(NaN),
    expected: new Float64Array(count).fill(NaN),
    source: new Int8Array(count),
    outputs: new Float32Array(outputSize > 1 ? count * outputSize : 0),
  };
  const { order, waveEnds } = wavesOf(core, batch);
  let from = 0;
  for (const to of waveEnds) {
    const limit = core.model?.network.maxWave ?? count;
    for (; from < to; from = Math.min(from + limit, to))
      stepWave(core, batch, stepped, order, from, Math.min(from + limit, to), windows);
  }
  return stepped;
}

/** Sorts the batch's ticks and controls by their rank within their stream: order[waveEnds[r-1] .. waveEnds[r]) is wave r, each stream at most once in it. */
function wavesOf(core: PipelineCore, batch: DecodedBatch): { order: Int32Array; waveEnds: number[] } {
  const { kind, slot, count } = batch;
  const seen = core.seen;
  const rank = new Int32Array(count).fill(-1);
  const waveEnds: number[] = [];
  for (let i = 0; i < count; i++) {
    if (kind[i] > RowKind.control) continue;
    const r = seen[slot[i]]++;
    rank[i] = r;
    if (r === waveEnds.length) waveEnds.push(0);
    waveEnds[r] += 1;
  }
  let total = 0;
  const next = waveEnds.map((size) => {
    const start = total;
    total += size;
    return start;
  });
  for (let r = 0; r < waveEnds.length; r++) waveEnds[r] = next[r] + waveEnds[r];
  const order = new Int32Array(total);
  for (let i = 0; i < count; i++) {
    if (rank[i] < 0) continue;
    order[next[rank[i]]++] = i;
    seen[slot[i]] = 0;
  }
  return { order, waveEnds };
}

function stepWave(
  core: PipelineCore,
  batch: DecodedBatch,
  stepped: SteppedBatch,
  order: Int32Array,
  from: number,
  to: number,
  windows: Windows,
): void {
  const { table, model, windowBuffer } = core;
  const { meta, fields } = table;
  const { inputs, values, features } = batch;
  if (model !== undefined) warmUpWave(core, model, batch, order, from, to, windows);
  const standard = model?.manifest.scaler === 'standard';
  let n = 0;
  for (let w = from; w < to; w++) {
    const i = order[w];
    const slot = batch.slot[i];
    if (batch.kind[i] === RowKind.control) {
      table.forgetForecast(slot);
      if (model !== undefined) startOver(core, model, slot);
      continue;
    }
    const base = slot * fields;
    const value = values[i * inputs];
    stepped.expected[i] = meta[base + Field.expected]!;
    if (meta[base + Field.source] === Source.model && value === value) score(core, base, value);
    windowBuffer.append(table, slot, batch.ts[i], values, i * inputs);
    meta[base + Field.count] = meta[base + Field.count] + 1;
    meta[base + Field.baseline] = features[i * inputs]!;
    if (model === undefined || table.generation[slot] !== model.generation) continue;
    for (let k = 0, scaleAt = base + Field.inputs + 1; k < inputs; k++, scaleAt += FIELDS_PER_INPUT) {
      const raw = values[i * inputs + k];
      if (standard && raw === raw) updateScale(meta, scaleAt, raw);
      writeFeature(model, n, k, inputs, features[i * inputs + k], meta, scaleAt);
    }
    model.network.slots[n] = slot;
    n += 1;
  }
  if (n > 0) model!.network.step(n);
  forecast(core, batch, stepped, order, from, to);
}

/** Turns the wave's outputs into forecasts, in the same order as the inputs were written. */
function forecast(
  core: PipelineCore,
  batch: DecodedBatch,
  stepped: SteppedBatch,
  order: Int32Array,
  from: number,
  to: number,
): void {
  const { table, model } = core;
  const { meta, fields } = table;
  const outputSize = model?.network.outputSize ?? 1;
  const outputs = model?.network.outputs;
  let n = 0;
  for (let w = from; w < to; w++) {
    const i = order[w];
    if (batch.kind[i] === RowKind.control) continue;
    const slot = batch.slot[i];
    const base = slot * fields;
    let prediction = meta[base + Field.baseline];
    let source: number = Source.baseline;
    if (model !== undefined && table.generation[slot] === model.generation) {
      const y = toScale(model, outputs![n * outputSize], prediction, meta, base);
      if (Number.isFinite(y)) {
        prediction = y;
        source = Source.model;
        for (let k = 0; outputSize > 1 && k < outputSize; k++)
          stepped.outputs[i * outputSize + k] = outputs![n * outputSize + k]!;
      } else {
        // The recurrence has run out of float32: the baseline speaks, and the stream starts over.
        model.network.resetState(slot);
      }
      n += 1;
    }
    // What a token model says is not a forecast of the next token's id.
    meta[base + Field.expected] = model?.vocabulary === undefined ? prediction : NaN;
    meta[base + Field.source] = source;
    stepped.prediction[i] = prediction;
    stepped.source[i] = source;
  }
}

/** The network's output in the stream's own units; `baseline` is the last known value. */
export function toScale(model: ModelSlot, y: number, baseline: number, meta: Float64Array, base: number): number {
  const { scaler, target } = model.manifest;
  const scaled = scaler === 'none' ? y : y * meta[base + Field.inputs + 2];
  if (target === 'difference') return baseline + scaled;
  return scaler === 'none' ? scaled : meta[base + Field.inputs + 1] + scaled;
}

/** Streams that the model has not stepped yet and that have history enough get their hidden state before this tick. */
function warmUpWave(
  core: PipelineCore,
  model: ModelSlot,
  batch: DecodedBatch,
  order: Int32Array,
  from: number,
  to: number,
  windows: Windows,
): void {
  const { table } = core;
  const slots: number[] = [];
  for (let w = from; w < to; w++) {
    const i = order[w];
    const slot = batch.slot[i];
    if (
      batch.kind[i] === RowKind.tick &&
      table.generation[slot] !== model.generation &&
      table.meta[slot * table.fields + Field.count] >= model.manifest.warmUp
    )
      slots.push(slot);
  }
  if (slots.length > 0) warmUp(core, model, slots, windows);
}

function startOver(core: PipelineCore, model: ModelSlot, slot: number): void {
  model.network.resetState(slot);
  if (model.manifest.warmUp === 0) core.table.generation[slot] = model.generation;
}

function score(core: PipelineCore, base: number, value: number): void {
  const { evaluations, table } = core;
  const { meta } = table;
  const n = meta[base + Field.evaluations] + 1;
  const rate = Math.max(1 / n, ERROR_RATE);
  const model = Math.abs(value - meta[base + Field.expected]);
  const baseline = Math.abs(value - meta[base + Field.baseline]);
  meta[base + Field.modelError] += rate * (model - meta[base + Field.modelError]);
  meta[base + Field.baselineError] += rate * (baseline - meta[base + Field.baselineError]);
  meta[base + Field.evaluations] = n;
  const scale = meta[base + Field.inputs + 2];
  evaluations.count += 1;
  evaluations.model += model / scale;
  evaluations.baseline += baseline / scale;
}
