/** Brings a stream's hidden state under a model it has not been stepped with: from zeros over the stream's stored window, lazily, at its next tick. */
import { SEGMENT_ROWS } from '#domain/ports';
import type { PipelineCore } from './core.js';
import { RowKind, type DecodedBatch } from './decode.js';
import type { ModelSlot } from './model-slot.js';
import { normalise, robustScale } from './normaliser.js';
import { save } from './save.js';
import { Field, FIELDS_PER_INPUT, type StreamTable } from './stream-table.js';

/** Stored window rows by slot. */
export type Windows = ReadonlyMap<number, Float64Array>;
const NONE: Windows = new Map();

/** Reads the windows of the batch's streams that will have to be warmed up; most batches have none. */
export async function loadWindowsToWarmUp(core: PipelineCore, batch: DecodedBatch): Promise<Windows> {
  const { table, model } = core;
  if (model === undefined) return NONE;
  const slots = new Set<number>();
  for (let i = 0; i < batch.count; i++) {
    const slot = batch.slot[i];
    if (slot < 0 || batch.kind[i] !== RowKind.tick || table.generation[slot] === model.generation) continue;
    if (storedSegments(table, slot) > 0) slots.add(slot);
  }
  if (slots.size === 0) return NONE;
  // Segments still on their way to the store belong to the window too.
  if (core.windowBuffer.slots.length > 0) await save(core);
  return readWindows(core, [...slots]);
}

export async function readWindows(core: PipelineCore, slots: readonly number[]): Promise<Windows> {
  const { table } = core;
  const stored = await core.ports.windows.read(slots.map((slot) => table.ids[slot]));
  const width = 1 + core.spec.inputs.length;
  return new Map(
    slots.map((slot, k) => {
      const rows = stored[k];
      const valid = storedSegments(table, slot) * SEGMENT_ROWS * width;
      return [slot, rows.subarray(Math.max(0, rows.length - valid))];
    }),
  );
}

/** The stream's whole window, stored rows and tail, oldest first: row-major [n, 1 + inputs]. */
export function windowOf(
  table: StreamTable,
  slot: number,
  stored: Float64Array | undefined,
  width: number,
): Float64Array {
  const from = slot * table.tailStride;
  const tail = table.tail.subarray(from, from + table.meta[slot * table.fields + Field.tailRows] * width);
  if (stored === undefined || stored.length === 0) return tail.slice();
  const all = new Float64Array(stored.length + tail.length);
  all.set(stored);
  all.set(tail, stored.length);
  return all;
}

/** Warms up the streams in `slots`: scale from the window, hidden state by one cold pass over it, all streams side by side. */
export function warmUp(core: PipelineCore, model: ModelSlot, slots: readonly number[], windows: Windows): void {
  const width = 1 + core.spec.inputs.length;
  for (let from = 0; from < slots.length; from += model.network.maxWave) {
    const wave = slots.slice(from, from + model.network.maxWave);
    replay(
      core.table,
      model,
      wave,
      wave.map((slot) => windowOf(core.table, slot, windows.get(slot), width)),
      width,
    );
  }
}

/** From zeros over each stream's rows. `afterStep` sees every step of a single stream (for `trace`). */
export function replay(
  table: StreamTable,
  model: ModelSlot,
  slots: readonly number[],
  rows: readonly Float64Array[],
  width: number,
  afterStep?: (row: number) => void,
): void {
  const { network, manifest } = model;
  const inputs = width - 1;
  const { meta, fields } = table;
  slots.forEach((slot, k) => {
    network.resetState(slot);
    table.generation[slot] = model.generation;
    if (manifest.scaler === 'standard' && afterStep === undefined) setScale(table, slot, rows[k], width);
  });
  const last = slots.map(() => new Float64Array(inputs).fill(NaN));
  const steps = Math.max(0, ...rows.map((r) => r.length / width));
  for (let step = 0; step < steps; step++) {
    let n = 0;
    for (let k = 0; k < slots.length; k++) {
      const row = rows[k];
      if (step * width >= row.length) continue;
      const slot = slots[k];
      network.slots[n] = slot;
      for (let input = 0; input < inputs; input++) {
        const value = row[step * width + 1 + input];
        if (value === value) last[k][input] = value;
        writeFeature(
          model,
          n,
          input,
          inputs,
          last[k][input],
          meta,
          slot * fields + Field.inputs + FIELDS_PER_INPUT * input + 1,
        );
      }
      n += 1;
    }
    network.step(n);
    afterStep?.(step);
  }
}

/** Writes one input of one stream of a wave: a token's id, a raw value, or a normalised one. A value never seen counts as the centre. */
export function writeFeature(
  model: ModelSlot,
  row: number,
  input: number,
  inputs: number,
  value: number,
  meta: Float64Array,
  scaleAt: number,
): void {
  if (model.vocabulary !== undefined) model.network.tokens[row] = value === value ? value : 0;
  else if (value !== value) model.network.inputs[row * inputs + input] = 0;
  else
    model.network.inputs[row * inputs + input] =
      model.manifest.scaler === 'none' ? value : normalise(meta, scaleAt, value);
}

function setScale(table: StreamTable, slot: number, rows: Float64Array, width: number): void {
  for (let input = 0; input < width - 1; input++) {
    const values: number[] = [];
    for (let at = 1 + input; at < rows.length; at += width) values.push(rows[at]);
    const { centre, scale } = robustScale(values);
    const at = slot * table.fields + Field.inputs + FIELDS_PER_INPUT * input;
    table.meta[at + 1] = centre;
    table.meta[at + 2] = scale;
  }
}

const storedSegments = (table: StreamTable, slot: number): number =>
  table.meta[slot * table.fields + Field.segments] - table.meta[slot * table.fields + Field.voidSegments];
