/** A stream's last steps, gone through once more: what went in, the memory after it, what came out. */
import type { PipelineCore } from './core.js';
import { toStreamUnits } from './features.js';
import { replayForecasts } from './replay-forecasts.js';
import { Field, scaleIndex } from './stream-table.js';
import { orNull } from './stream-view.js';
import { replay } from './warm-up.js';

export interface TraceRow {
  readonly step: number;
  readonly ts: number;
  readonly input: number | string | null;
  readonly memory: number[];
  readonly output: number | null;
}

export interface Trace {
  readonly stream: string;
  readonly model: string | null;
  /** True if replaying the stored window ends in exactly the live hidden state. */
  readonly exact: boolean;
  readonly rows: TraceRow[];
}

/** The last `limit` of `rows`, the stream's whole window. The live state stays as it is. */
export function traceOf(core: PipelineCore, slot: number, rows: Float64Array, limit: number): Trace {
  const width = 1 + core.spec.inputs.length;
  const count = rows.length / width;
  const words = core.model?.manifest.vocabulary;
  const traced: TraceRow[] = [];
  const add = (step: number, memory: number[], output: number | null): void => {
    if (step < count - limit) return;
    const value = rows[step * width + 1];
    const input = value !== value ? null : core.model?.vocabulary === undefined ? value : (words?.[value] ?? value);
    traced.push({
      step: core.table.meta[slot * core.table.fields + Field.count] - count + step + 1,
      ts: rows[step * width],
      input,
      memory,
      output,
    });
  };
  const model = core.modelOf(slot);
  if (model === undefined || core.table.generation[slot] !== model.generation) {
    for (let step = 0; step < count; step++) add(step, [], null);
    return { stream: core.table.ids[slot], model: null, exact: true, rows: traced };
  }
  const live = new Float32Array(model.network.stateSize);
  const memory = new Float32Array(model.network.stateSize);
  model.network.readState(slot, live);
  const { forecaster } = core;
  if (forecaster !== undefined) {
    const { mixed } = forecaster.targets[0].plan;
    replayForecasts(core.table, forecaster, model.network, [slot], [rows], width, (step) => {
      model.network.readState(slot, memory);
      add(step, Array.from(memory), orNull(mixed[forecaster.horizon - 1]));
    });
  } else
    replay(core.table, model, [slot], [rows], width, (step) => {
      model.network.readState(slot, memory);
      const output = toStreamUnits(
        model,
        model.network.outputs[0],
        rows[step * width + 1],
        core.table.meta,
        scaleIndex(core.table, slot, 0),
      );
      add(step, Array.from(memory), orNull(output));
    });
  const exact = live.every((x, k) => Object.is(x, memory[k]));
  model.network.writeState(slot, live);
  return { stream: core.table.ids[slot], model: model.label, exact, rows: traced };
}
