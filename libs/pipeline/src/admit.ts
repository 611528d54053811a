/** Step 2b: late, duplicate and already absorbed ticks fall out, in the order of the log. A tick's fate depends only on the record and the stream's state. */
import type { RecordBatch } from '#domain/record-batch';
import type { PipelineCore } from './core.js';
import { RowKind, type DecodedBatch } from './decode.js';
import { MOST_AHEAD_MS } from './expiry.js';
import { Field, FIELDS_PER_INPUT, missingIndex } from './stream-table.js';

/** Weight of a new distance between ticks in a stream's typical spacing. */
const SPACING_RATE = 1 / 16;

/** A tick that comes later than this many usual distances is not the next one: what was known of that is not known of it. */
const NEXT_WITHIN = 1.5;

/** Returns each tick's typical spacing at that point, ms (0: unknown), and fills `batch.features`; and in `batch.values` what a tick does not say of itself where the one before has said it. */
export function admit(core: PipelineCore, records: RecordBatch, batch: DecodedBatch): Float64Array {
  const { meta, fields } = core.table;
  const { inputs, values } = batch;
  const tokens = core.model?.vocabulary !== undefined;
  const { foreseen } = core;
  const spacing = new Float64Array(batch.count);
  const ttl = core.options.stateTtlMs;
  let { time } = core;
  for (let i = 0; i < batch.count; i++) {
    const slot = batch.slot[i];
    if (slot < 0 || batch.kind[i] === RowKind.deadLetter) continue;
    const base = slot * fields;
    const offset = records.offsets[i];
    const before = time;
    if (ttl !== null && batch.kind[i] === RowKind.tick) {
      const written = records.timestamps[i];
      // 0 and less: the producer gave none.
      if (written > 0 && batch.ts[i] > written + MOST_AHEAD_MS) {
        batch.reject(
          i,
          'TIMESTAMP',
          `ts ${batch.ts[i]} is more than a day after the record's own timestamp, ${written}`,
        );
        continue;
      }
      // With each tick, whatever becomes of it: then a replay that passes over those it has absorbed comes to the same time.
      if (batch.ts[i] > time) time = batch.ts[i];
    }
    if (offset <= meta[base + Field.offset]) {
      batch.kind[i] = RowKind.absorbed;
      continue;
    }
    if (batch.kind[i] === RowKind.control) {
      core.table.forgetTime(slot);
      meta[base + Field.offset] = offset;
      core.markDirty(slot);
      continue;
    }
    const ts = batch.ts[i];
    let last = meta[base + Field.ts];
    if (ttl !== null && last + ttl < before) {
      core.table.forgetTime(slot);
      last = NaN;
      (batch.startsOver ??= new Uint8Array(batch.count))[i] = 1;
    }
    if (!tokens && ts <= last) {
      if (ts < last) {
        batch.reject(i, 'LATE', `ts ${ts} is before the stream's last tick, ${last}`);
        continue;
      }
      if (sameAsLast(meta, base, values, i * inputs, inputs, foreseen)) {
        batch.reject(i, 'DUPLICATE', `the stream's last tick has the same ts ${ts} and value`);
        continue;
      }
    }
    let next = false;
    if (ts > last) {
      const old = meta[base + Field.spacing];
      next = old === 0 || ts - last < NEXT_WITHIN * old;
      meta[base + Field.spacing] = old === 0 ? ts - last : old + SPACING_RATE * (ts - last - old);
    }
    if (!(ts <= last)) meta[base + Field.ts] = ts;
    let missing = 0;
    for (let k = 0, f = base + Field.inputs; k < inputs; k++, f += FIELDS_PER_INPUT) {
      let value = values[i * inputs + k];
      if (value !== value && next && foreseen?.[k] === 1 && !wasMissing(meta, base, inputs, k + 1))
        value = values[i * inputs + k] = meta[f + FIELDS_PER_INPUT];
      if (value === value) meta[f] = value;
      else missing |= 1 << (k & 31);
      batch.features[i * inputs + k] = meta[f]!;
      if ((k & 31) === 31 || k === inputs - 1) {
        meta[base + missingIndex(inputs, k)] = missing;
        missing = 0;
      }
    }
    meta[base + Field.offset] = offset;
    spacing[i] = meta[base + Field.spacing]!;
    core.markDirty(slot);
  }
  core.time = time;
  return spacing;
}

/** Whether a tick says nothing that the last one has not; what is missing may since have been taken from the one before that. */
function sameAsLast(
  meta: Float64Array,
  base: number,
  values: Float64Array,
  at: number,
  inputs: number,
  foreseen: Uint8Array | undefined,
): boolean {
  for (let k = 0; k < inputs; k++) {
    const value = values[at + k];
    const missing = wasMissing(meta, base, inputs, k);
    if (value === value) {
      if (missing || value !== meta[base + Field.inputs + FIELDS_PER_INPUT * k]) return false;
    } else if (!missing && foreseen?.[k] !== 1) return false;
  }
  return true;
}

const wasMissing = (meta: Float64Array, base: number, inputs: number, k: number): boolean =>
  ((meta[base + missingIndex(inputs, k)] >> (k & 31)) & 1) === 1;
