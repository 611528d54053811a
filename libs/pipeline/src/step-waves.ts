/** Step 3: the i-th tick of all streams together (a wave), in order within a stream. Score what was forecast for the tick, then step, then forecast the next. */
import type { RecordBatch } from '#domain/record-batch';
import { addSince } from '#forecasting/forecaster';
import { updateScale } from '#rnn/scaler';
import type { PipelineCore } from './core.js';
import { RowKind, type DecodedBatch } from './decode.js';
import { toStreamUnits, writeFeatures } from './features.js';
import { absorb, allFinite, forecastWave } from './forecast-wave.js';
import { STEP_FIELDS, type SteppedBatch } from './stepped-batch.js';
import { Field, FIELDS_PER_INPUT, InputField, Source } from './stream-table.js';
import { canWarmUp, mustWarmUp, warmUp, type Windows } from './warm-up.js';

/** Of the first input, the one that is forecast. */
const LAST_VALUE = Field.inputs + InputField.last;
const FIRST_SCALE = Field.inputs + InputField.scale;
/** Errors are averaged over about this many ticks. */
const ERROR_RATE = 1 / 128;

export function stepWaves(
  core: PipelineCore,
  records: RecordBatch,
  batch: DecodedBatch,
  windows: Windows,
): SteppedBatch {
  const { count } = records;
  const { forecaster, stepped: before } = core;
  const outputSize = forecaster === undefined ? (core.model?.network.outputSize ?? 1) : 1;
  const targets = forecaster?.targets.length ?? 0;
  const each = targets * (forecaster?.horizon ?? 0);
  const quantiles = forecaster?.options.quantiles?.length ?? 0;
  const stepped: SteppedBatch = {
    prediction: new Float64Array(count).fill(NaN),
    half: new Float64Array(count).fill(NaN),
    expected: new Float64Array(count).fill(NaN),
    expectedHalf: new Float64Array(count).fill(NaN),
    expectedFromModel: new Uint8Array(count),
    source: new Int8Array(count * Math.max(targets, 1)),
    outputs: new Float32Array(outputSize > 1 ? count * outputSize : 0),
    steps: longEnough(before?.steps, count * each * STEP_FIELDS),
    weight: new Float64Array(count * targets),
    quantiles: longEnough(before?.quantiles, count * each * quantiles),
    anomaly: new Float64Array(count * targets),
  };
  core.stepped = stepped;
  const { order, waveEnds } = wavesOf(core, batch);
  let from = 0;
  for (const to of waveEnds) {
    const limit = core.model?.network.maxWave ?? count;
    for (; from < to; from = Math.min(from + limit, to))
      stepWave(core, batch, stepped, order, from, Math.min(from + limit, to), windows);
  }
  return stepped;
}

const longEnough = (before: Float64Array | undefined, length: number): Float64Array =>
  before !== undefined && before.length >= length ? before : new Float64Array(length);

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
  const { table, windowBuffer, forecaster } = core;
  const { meta, fields } = table;
  const { inputs, values, features } = batch;
  if (batch.startsOver !== undefined)
    for (let w = from; w < to; w++) if (batch.startsOver[order[w]] === 1) table.forgetForecast(batch.slot[order[w]]);
  if (core.model !== undefined || forecaster !== undefined) warmUpWave(core, batch, order, from, to, windows);
  const standard = core.model?.manifest.scaler === 'standard';
  for (let w = from; w < to; w++) {
    const i = order[w];
    const slot = batch.slot[i];
    if (batch.kind[i] === RowKind.control) {
      // Its hidden state begins with its next tick: no outcome says which model there was at a reset.
      table.forgetForecast(slot);
      continue;
    }
    const base = slot * fields;
    const model = core.modelOf(slot);
    const warm = model !== undefined && table.generation[slot] === model.generation;
    const tally = core.isCanary(slot) ? { ...core.tally } : undefined;
    if (forecaster !== undefined) {
      windowBuffer.append(table, slot, batch.ts[i], values, i * inputs);
      meta[base + Field.count] = meta[base + Field.count] + 1;
      absorb(core, forecaster, batch, stepped, i, warm ? model : undefined);
      if (tally !== undefined) addSince(core.canaryTally, tally, core.tally);
      if (warm) model.network.slots[model.rows++] = slot;
      continue;
    }
    const value = values[i * inputs];
    stepped.expected[i] = meta[base + Field.expected]!;
    const fromModel = meta[base + Field.source] === Source.model;
    stepped.expectedFromModel[i] = Number(fromModel);
    if (fromModel && value === value) score(core, base, value);
    if (tally !== undefined) addSince(core.canaryTally, tally, core.tally);
    windowBuffer.append(table, slot, batch.ts[i], values, i * inputs);
    meta[base + Field.count] = meta[base + Field.count] + 1;
    for (let k = 0, at = base + Field.inputs; k < inputs; k++, at += FIELDS_PER_INPUT) {
      const last = at + InputField.last;
      const feature = features[i * inputs + k];
      if (warm) {
        const raw = values[i * inputs + k];
        if (standard && raw === raw) updateScale(meta, at + InputField.scale, raw, meta[last]);
        writeFeatures(model, model.rows, k, inputs, feature, meta[last], meta, at + InputField.scale);
      }
      meta[last] = feature;
    }
    if (warm) model.network.slots[model.rows++] = slot;
  }
  const { models } = core;
  for (const model of models) {
    if (model.rows > 0) model.network.step(model.rows);
    model.rows = 0;
  }
  if (forecaster === undefined) forecast(core, batch, stepped, order, from, to);
  else forecastWave(core, forecaster, batch, stepped, order, from, to);
  for (const model of models) model.rows = 0;
}

/** Turns the wave's outputs into forecasts, in the same order as each network's inputs were written. */
function forecast(
  core: PipelineCore,
  batch: DecodedBatch,
  stepped: SteppedBatch,
  order: Int32Array,
  from: number,
  to: number,
): void {
  const { table } = core;
  const { meta, fields } = table;
  for (let w = from; w < to; w++) {
    const i = order[w];
    if (batch.kind[i] === RowKind.control) continue;
    const slot = batch.slot[i];
    const base = slot * fields;
    let prediction = meta[base + LAST_VALUE];
    let source: number = Source.baseline;
    const model = core.modelOf(slot);
    if (model !== undefined && table.generation[slot] === model.generation) {
      const { outputs, outputSize } = model.network;
      const at = outputSize * model.rows++;
      const y = toStreamUnits(model, outputs[at], prediction, meta, base + FIRST_SCALE);
      if (Number.isFinite(y) && allFinite(outputs, at, outputSize)) {
        prediction = y;
        source = Source.model;
        for (let k = 0; outputSize > 1 && k < outputSize; k++) stepped.outputs[i * outputSize + k] = outputs[at + k]!;
      } else {
        // The recurrence has run out of float32: the baseline speaks, and the stream starts over.
        model.network.resetState(slot);
      }
    }
    // What a token model says is not a forecast of the next token's id.
    meta[base + Field.expected] = model?.vocabulary === undefined ? prediction : NaN;
    meta[base + Field.source] = source;
    stepped.prediction[i] = prediction;
    stepped.source[i] = source;
  }
}

/** Streams that the model has not stepped yet and that have history enough get their hidden state before this tick. */
function warmUpWave(
  core: PipelineCore,
  batch: DecodedBatch,
  order: Int32Array,
  from: number,
  to: number,
  windows: Windows,
): void {
  const slots: number[] = [];
  for (let w = from; w < to; w++) {
    const i = order[w];
    const slot = batch.slot[i];
    if (batch.kind[i] === RowKind.tick && mustWarmUp(core, slot) && canWarmUp(core, slot)) slots.push(slot);
  }
  if (slots.length > 0) warmUp(core, slots, windows);
}

function score(core: PipelineCore, base: number, value: number): void {
  const { tally, table } = core;
  const { meta } = table;
  const n = meta[base + Field.evaluations] + 1;
  const rate = Math.max(1 / n, ERROR_RATE);
  const model = Math.abs(value - meta[base + Field.expected]);
  const baseline = Math.abs(value - meta[base + LAST_VALUE]);
  meta[base + Field.modelError] += rate * (model - meta[base + Field.modelError]);
  meta[base + Field.baselineError] += rate * (baseline - meta[base + Field.baselineError]);
  meta[base + Field.evaluations] = n;
  const scale = meta[base + FIRST_SCALE + 1];
  tally.truths += 1;
  tally.mixed += model / scale;
  tally.persistence += baseline / scale;
}
