/** Brings streams under a forecast plan from their windows: what the plan keeps of them where they come with none, and the network's hidden state. */
import type { JointForecaster } from '#forecasting/joint-forecaster';
import { writeOtherInput } from '#forecasting/other-inputs';
import type { Network } from '#rnn/network.types';
import { fitOtherScales } from './fit-scales.js';
import type { ModelSlot } from './model-slot.js';
import { scaleIndex, type StreamTable } from './stream-table.js';

/** Rows a hidden state is warmed up with: it has forgotten what came before. */
const WARM_UP_ROWS = 512;

/** Goes through each stream's rows as ticks were gone through, in a plan of their own, all streams side by side; `rows[k]`: [n, width], ts and inputs, oldest first.
 *  The network's hidden states begin at zeros, WARM_UP_ROWS before the end. Returns the plans, [slots, size]. `afterStep` sees every row of a single stream. */
export function replayForecasts(
  table: StreamTable,
  forecaster: JointForecaster,
  network: Network | undefined,
  slots: readonly number[],
  rows: readonly Float64Array[],
  width: number,
  afterStep?: (row: number) => void,
): Float64Array {
  const { size, features } = forecaster;
  const targets = forecaster.targets.length;
  const inputs = width - 1;
  const plans = new Float64Array(slots.length * size);
  const last = new Float64Array(slots.length * inputs).fill(NaN);
  const tally = { ...forecaster.tally };
  const counts = rows.map((row) => row.length / width);
  slots.forEach((slot, k) => {
    forecaster.reset(plans, k * size);
    network?.resetState(slot);
  });
  const steps = Math.max(0, ...counts);
  for (let step = 0; step < steps; step++) {
    const isWarm = (k: number): boolean => network !== undefined && counts[k] - step <= WARM_UP_ROWS;
    let n = 0;
    for (let k = 0; k < slots.length; k++) {
      if (step >= counts[k]) continue;
      const row = rows[k];
      const at = step * width;
      forecaster.catchUp(plans, k * size, row[at]);
      forecaster.absorb(plans, k * size, row[at], row, at + 1);
      const warm = isWarm(k);
      const to = warm ? n * network!.spec.inputSize : 0;
      if (warm) forecaster.writeFeatures(plans, k * size, network!.inputs, to);
      for (let input = targets; input < inputs; input++) {
        const value = row[at + 1 + input];
        const previous = last[k * inputs + input];
        const known = (last[k * inputs + input] = value === value ? value : previous);
        const scale = scaleIndex(table, slots[k], input);
        if (warm) writeOtherInput(network!.inputs, to + features, input - targets, known, previous, table.meta, scale);
      }
      if (warm) network!.slots[n++] = slots[k];
    }
    if (n > 0) network!.step(n);
    for (let k = 0; k < slots.length; k++) {
      if (step >= counts[k]) continue;
      // The network has learnt from these rows: what it says of them is no measure of what it will be worth. Who looks on looks at a single stream, the wave's first row.
      const outputs = afterStep !== undefined && isWarm(k) ? network!.outputs : undefined;
      forecaster.forecast(plans, k * size, outputs);
    }
    afterStep?.(step);
  }
  // What is gone through again has been counted before.
  Object.assign(forecaster.tally, tally);
  return plans;
}

/** Brings streams under what is served now. A stream's own plan stays where it has one: it has seen more than the window. */
export function warmUpForecasts(
  table: StreamTable,
  forecaster: JointForecaster,
  model: ModelSlot | undefined,
  slots: readonly number[],
  rows: readonly Float64Array[],
  width: number,
): void {
  // The targets' scales are the plan's.
  slots.forEach((slot, k) => fitOtherScales(table, slot, rows[k], width, forecaster.targets.length));
  const plans = replayForecasts(table, forecaster, model?.network, slots, rows, width);
  slots.forEach((slot, k) => {
    table.generation[slot] = model?.generation ?? 0;
    if (table.planned[slot] === 1) return;
    table.plans.set(plans.subarray(k * forecaster.size, (k + 1) * forecaster.size), table.planAt(slot));
    table.planned[slot] = 1;
  });
}
