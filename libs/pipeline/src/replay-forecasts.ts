/** Brings streams under a forecast plan from their windows: what the plan keeps of them where they come with none, and the network's hidden state. */
import type { Forecaster } from '#forecasting/forecaster';
import { writeOtherInput } from '#forecasting/other-inputs';
import { fitScale } from '#rnn/scaler';
import type { ModelSlot } from './model-slot.js';
import { scaleIndex, type StreamTable } from './stream-table.js';

/** Rows a hidden state is warmed up with: it has forgotten what came before. */
export const WARM_UP_ROWS = 512;

/** Goes through each stream's rows as ticks were gone through, in a plan of their own, all streams side by side; `rows[k]`: [n, width], ts and inputs, oldest first.
 *  A stream's own plan stays where it has one: it has seen more than the window. The hidden state begins at zeros, WARM_UP_ROWS before the end.
 *  `afterStep` sees every row of a single stream, which keeps what it had but for its hidden state (for `trace`). */
export function replayForecasts(
  table: StreamTable,
  forecaster: Forecaster,
  model: ModelSlot | undefined,
  slots: readonly number[],
  rows: readonly Float64Array[],
  width: number,
  afterStep?: (row: number) => void,
): void {
  const { size, horizon } = forecaster;
  const inputs = width - 1;
  const plans = new Float64Array(slots.length * size);
  const last = new Float64Array(slots.length * inputs).fill(NaN);
  const tally = { ...forecaster.tally };
  const counts = rows.map((row) => row.length / width);
  slots.forEach((slot, k) => {
    forecaster.reset(plans, k * size);
    model?.network.resetState(slot);
    if (afterStep === undefined) fitOtherScales(table, slot, rows[k], width);
  });
  const steps = Math.max(0, ...counts);
  for (let step = 0; step < steps; step++) {
    const isWarm = (k: number): boolean => model !== undefined && counts[k] - step <= WARM_UP_ROWS;
    let n = 0;
    for (let k = 0; k < slots.length; k++) {
      if (step >= counts[k]) continue;
      const row = rows[k];
      const at = step * width;
      forecaster.absorb(plans, k * size, row[at], row[at + 1]);
      const warm = isWarm(k);
      const to = warm ? n * model!.network.spec.inputSize : 0;
      if (warm) forecaster.writeFeatures(plans, k * size, model!.network.inputs, to);
      for (let input = 1; input < inputs; input++) {
        const value = row[at + 1 + input];
        const previous = last[k * inputs + input];
        const known = (last[k * inputs + input] = value === value ? value : previous);
        const scale = scaleIndex(table, slots[k], input);
        if (warm) writeOtherInput(model!.network.inputs, to, input, known, previous, table.meta, scale);
      }
      if (warm) model!.network.slots[n++] = slots[k];
    }
    if (n > 0) model!.network.step(n);
    let output = 0;
    for (let k = 0; k < slots.length; k++) {
      if (step >= counts[k]) continue;
      const warm = isWarm(k);
      // The network has learnt from these rows: what it says of them is no measure of what it will be worth.
      const outputs = warm && afterStep !== undefined ? model!.network.outputs : undefined;
      forecaster.forecast(plans, k * size, outputs, output);
      if (warm) output += horizon;
    }
    afterStep?.(step);
  }
  // What is gone through again has been counted before.
  Object.assign(forecaster.tally, tally);
  if (afterStep !== undefined) return;
  slots.forEach((slot, k) => {
    table.generation[slot] = model?.generation ?? 0;
    if (table.planned[slot] === 1) return;
    table.plans.set(plans.subarray(k * size, (k + 1) * size), table.planAt(slot));
    table.planned[slot] = 1;
  });
}

function fitOtherScales(table: StreamTable, slot: number, rows: Float64Array, width: number): void {
  const values = new Float64Array(rows.length / width);
  for (let input = 1; input < width - 1; input++) {
    for (let row = 0; row < values.length; row++) values[row] = rows[row * width + 1 + input];
    fitScale(values, table.meta, scaleIndex(table, slot, input));
  }
}
