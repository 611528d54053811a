/** A wave under a forecast plan: each tick is the truth of forecasts made before, then what the network is given; its outputs and the baselines make the next forecast. */
import type { Forecaster } from '#forecasting/forecaster';
import type { JointForecaster } from '#forecasting/joint-forecaster';
import { writeOtherInput } from '#forecasting/other-inputs';
import { updateInputScale } from '#rnn/scaler';
import type { PipelineCore } from './core.js';
import type { ModelSlot } from './model-slot.js';
import { RowKind, type DecodedBatch } from './decode.js';
import { STEP_FIELDS, type SteppedBatch } from './stepped-batch.js';
import { Field, FIELDS_PER_INPUT, InputField, Source } from './stream-table.js';

/** Of the network in a forecast: what is less than this is none, and what is more than the rest is all. */
const SOME = 1e-3;

/** Absorbs a tick and, where `model` has the stream's hidden state, writes what the network is given into its next row. */
export function absorb(
  core: PipelineCore,
  forecaster: JointForecaster,
  batch: DecodedBatch,
  stepped: SteppedBatch,
  i: number,
  model: ModelSlot | undefined,
): void {
  const { table, shadow } = core;
  const { meta, plans } = table;
  const { inputs, values, features } = batch;
  const slot = batch.slot[i];
  const at = table.planAt(slot);
  const source = meta[slot * table.fields + Field.source];
  forecaster.catchUp(plans, at, batch.ts[i]);
  shadow?.score(table, forecaster, slot, values, i * inputs);
  forecaster.absorb(plans, at, batch.ts[i], values, i * inputs);
  const { targets } = forecaster;
  const { length: forecast } = targets;
  stepped.expected[i] = targets[0].expected;
  stepped.expectedHalf[i] = targets[0].issued;
  for (let k = 0; k < forecast; k++) stepped.anomaly[i * forecast + k] = targets[k].anomaly;
  stepped.expectedFromModel[i] = Number(source > Source.baseline);
  const row = model === undefined ? 0 : model.rows * model.network.spec.inputSize;
  const own = forecaster.features;
  if (model !== undefined) forecaster.writeFeatures(plans, at, model.network.inputs, row);
  const beside = shadow?.enter(table, slot);
  if (beside !== undefined) forecaster.writeFeatures(plans, at, shadow!.model.network.inputs, beside);
  for (let k = 0; k < inputs; k++) {
    const last = slot * table.fields + Field.inputs + FIELDS_PER_INPUT * k + InputField.last;
    const feature = features[i * inputs + k];
    if (k >= forecast && (model !== undefined || beside !== undefined)) {
      const raw = values[i * inputs + k];
      const scale = last + InputField.scale - InputField.last;
      if (model !== undefined && raw === raw) updateInputScale(meta, scale, raw, meta[last]);
      const other = k - forecast;
      if (model !== undefined)
        writeOtherInput(model.network.inputs, row + own, other, feature, meta[last], meta, scale);
      if (beside !== undefined)
        writeOtherInput(shadow!.model.network.inputs, beside + own, other, feature, meta[last], meta, scale);
    }
    meta[last] = feature;
  }
}

/** Turns the wave's outputs into forecasts, in the same order as each network's inputs were written. */
export function forecastWave(
  core: PipelineCore,
  forecaster: JointForecaster,
  batch: DecodedBatch,
  stepped: SteppedBatch,
  order: Int32Array,
  from: number,
  to: number,
): void {
  const { table, shadow } = core;
  const { horizon: H, targets } = forecaster;
  const outputSize = targets.length * H;
  shadow?.step();
  for (let w = from; w < to; w++) {
    const i = order[w];
    if (batch.kind[i] === RowKind.control) continue;
    const slot = batch.slot[i];
    shadow?.forecast(table, forecaster, slot);
    const model = core.modelOf(slot);
    let outputs =
      model !== undefined && table.generation[slot] === model.generation ? model.network.outputs : undefined;
    const at = outputs === undefined ? 0 : outputSize * model!.rows++;
    if (outputs !== undefined && !allFinite(outputs, at, outputSize)) {
      // The recurrence has run out of float32: the baselines speak, and the stream starts over.
      model!.network.resetState(slot);
      outputs = undefined;
    }
    forecaster.forecast(table.plans, table.planAt(slot), outputs, at);
    for (let k = 0; k < targets.length; k++) takeForecast(stepped, i * targets.length + k, targets[k]);
    const [{ plan, halves }] = targets;
    const base = slot * table.fields;
    table.meta[base + Field.expected] = stepped.prediction[i] = plan.mixed[H - 1];
    table.meta[base + Field.source] = stepped.source[i * targets.length];
    stepped.half[i] = halves[H - 1];
  }
  shadow?.leave();
}

/** Into row `row` of what holds a row for each target. */
function takeForecast(
  stepped: SteppedBatch,
  row: number,
  { horizon: H, plan, halves, offsets, networkWeight }: Forecaster,
): void {
  stepped.source[row] = networkWeight < SOME ? Source.baseline : networkWeight > 1 - SOME ? Source.model : Source.blend;
  stepped.weight[row] = networkWeight;
  for (let h = 0, s = row * H * STEP_FIELDS; h < H; h++) {
    stepped.steps[s++] = plan.mixed[h];
    stepped.steps[s++] = halves[h];
  }
  if (offsets.length > 0) stepped.quantiles.set(offsets, row * offsets.length);
}

export function allFinite(values: Float32Array, from: number, count: number): boolean {
  for (let k = from; k < from + count; k++) if (!Number.isFinite(values[k])) return false;
  return true;
}
