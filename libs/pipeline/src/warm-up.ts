/** Brings a stream's hidden state under a model it has not been stepped with: from zeros over the stream's stored window, lazily, at its next tick. */
import { SEGMENT_ROWS } from '#domain/ports';
import type { PipelineCore } from './core.js';
import { RowKind, type DecodedBatch } from './decode.js';
import { writeFeatures } from './features.js';
import { fitScales } from './fit-scales.js';
import type { ModelSlot } from './model-slot.js';
import { replayForecasts, warmUpForecasts } from './replay-forecasts.js';
import { save } from './save.js';
import { Field, scaleIndex, type StreamTable } from './stream-table.js';

/** Stored window rows by slot. */
export type Windows = ReadonlyMap<number, Float64Array>;
const NONE: Windows = new Map();
/** No wave is larger. */
const MOST_AT_ONCE = 256;

/** Streams warmed up at a time, some milliseconds' work, before timers and sockets get their turn. */
const AT_A_TIME = 32;

/** Warms up the batch's streams that have history enough, and reads the windows of those that may have by their tick; most batches have none. After a swap
 *  a batch may have thousands. It makes no difference that this is before the stream's next tick and not right at it: its window stays the same. */
export async function loadWindowsToWarmUp(core: PipelineCore, batch: DecodedBatch): Promise<Windows> {
  const { table, model } = core;
  if (model === undefined && core.forecaster === undefined) return NONE;
  const slots = new Set<number>();
  for (let i = 0; i < batch.count; i++) {
    const slot = batch.slot[i];
    if (slot < 0 || batch.kind[i] !== RowKind.tick || !mustWarmUp(core, slot)) continue;
    if (storedSegments(table, slot) > 0) slots.add(slot);
  }
  if (slots.size === 0) return NONE;
  // Segments still on their way to the store belong to the window too.
  if (core.windowBuffer.slots.length > 0) await save(core);
  const ready = [...slots].filter((slot) => canWarmUp(core, slot));
  for (let from = 0; from < ready.length; from += AT_A_TIME) {
    if (from > 0) await new Promise((resolve) => setImmediate(resolve));
    const some = ready.slice(from, from + AT_A_TIME);
    warmUp(core, some, await readWindows(core, some));
  }
  return ready.length === slots.size
    ? NONE
    : readWindows(
        core,
        [...slots].filter((slot) => !canWarmUp(core, slot)),
      );
}

/** Whether the stream has not been stepped with what is served now. */
function isBehind(core: PipelineCore, slot: number): boolean {
  const { table, forecaster } = core;
  const model = core.modelOf(slot);
  return (
    (model !== undefined && table.generation[slot] !== model.generation) ||
    (forecaster !== undefined && table.planned[slot] === 0)
  );
}

/** The same, or not with the challenger. */
export const mustWarmUp = (core: PipelineCore, slot: number): boolean =>
  isBehind(core, slot) || core.shadow?.knows(core.table, slot) === false;

/** Whether it has ticks enough for that. */
export const canWarmUp = (core: PipelineCore, slot: number): boolean =>
  core.table.meta[slot * core.table.fields + Field.count] >= (core.modelOf(slot)?.manifest.warmUp ?? 0);

export async function readWindows(core: PipelineCore, slots: readonly number[]): Promise<Windows> {
  const { table } = core;
  const stored = await core.ports.windows.read(slots.map((slot) => table.ids[slot]));
  const width = 1 + core.spec.inputs.length;
  return new Map(slots.map((slot, k) => [slot, validRows(table, slot, stored[k], width)]));
}

/** Without the rows that a reset has made void. */
export function validRows(table: StreamTable, slot: number, stored: Float64Array, width: number): Float64Array {
  const valid = storedSegments(table, slot) * SEGMENT_ROWS * width;
  return stored.subarray(Math.max(0, stored.length - valid));
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
  // A reset since they were read has made stored rows void.
  if (stored === undefined || stored.length === 0 || storedSegments(table, slot) === 0) return tail.slice();
  const all = new Float64Array(stored.length + tail.length);
  all.set(stored);
  all.set(tail, stored.length);
  return all;
}

/** Warms up the streams in `slots`: scale from the window, hidden state by one cold pass over it, all streams side by side. */
export function warmUp(core: PipelineCore, slots: readonly number[], windows: Windows): void {
  const { forecaster, table, shadow } = core;
  const width = 1 + core.spec.inputs.length;
  const inWaves = (some: readonly number[], warm: (wave: readonly number[], rows: Float64Array[]) => void): void => {
    for (let from = 0; from < some.length; from += MOST_AT_ONCE) {
      const wave = some.slice(from, from + MOST_AT_ONCE);
      warm(
        wave,
        wave.map((slot) => windowOf(table, slot, windows.get(slot), width)),
      );
    }
  };
  const behind = slots.filter((slot) => isBehind(core, slot));
  for (const model of core.canary === undefined ? [core.model] : core.models)
    inWaves(
      behind.filter((slot) => core.modelOf(slot) === model),
      (wave, rows) => {
        if (forecaster !== undefined) warmUpForecasts(table, forecaster, model, wave, rows, width);
        else replay(table, model!, wave, rows, width);
      },
    );
  if (shadow === undefined || forecaster === undefined) return;
  inWaves(
    slots.filter((slot) => !shadow.knows(table, slot)),
    (wave, rows) => {
      replayForecasts(table, forecaster, shadow.model.network, wave, rows, width);
      for (const slot of wave) shadow.learnt(table, slot);
    },
  );
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
  const { meta } = table;
  slots.forEach((slot, k) => {
    network.resetState(slot);
    table.generation[slot] = model.generation;
    if (manifest.scaler === 'standard' && afterStep === undefined) fitScales(table, slot, rows[k], width);
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
        const previous = last[k][input];
        if (value === value) last[k][input] = value;
        writeFeatures(model, n, input, inputs, last[k][input], previous, meta, scaleIndex(table, slot, input));
      }
      n += 1;
    }
    network.step(n);
    afterStep?.(step);
  }
}

const storedSegments = (table: StreamTable, slot: number): number =>
  table.meta[slot * table.fields + Field.segments] - table.meta[slot * table.fields + Field.voidSegments];
