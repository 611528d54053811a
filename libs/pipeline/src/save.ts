/** Step 5: states, windows and the watermark move forward together, by compare-and-set on the watermark.
 *  I3: W <= c, because this runs after publish. I4: every stream's stored offset is at or after its last record below W, because all dirty streams go along. */
import type { StateChanges, Watermark } from '#domain/ports';
import type { PipelineCore } from './core.js';
import { expiredHot } from './expiry.js';
import { layoutId } from './state-codec.js';

function saveIsDue(core: PipelineCore): boolean {
  const lag = core.position - (core.watermark?.offset ?? 0);
  if (lag === 0) return false;
  return lag >= core.options.saveAfterRecords || performance.now() - core.lastSave >= core.options.saveAfterMs;
}

/** Writes what is due, and removes some of what has expired. Not within a batch. */
export async function saveDue(core: PipelineCore): Promise<void> {
  if (saveIsDue(core)) await save(core, undefined, expiredHot(core));
}

/** Writes everything dirty and sets W to the position memory has reached; with `model` also what the next tick is stepped with. The clean streams in
 *  the slots `expired` are removed. */
export async function save(core: PipelineCore, model = core.digest, expired: readonly number[] = []): Promise<void> {
  const { table, windowBuffer, stateWriter } = core;
  // I3: what is stored has its outcome committed. If that failed, this throws, and nothing is written until the pipeline has recovered.
  await core.published;
  const time = Number.isFinite(core.time) ? { time: core.time } : {};
  const trial = model === core.digest ? (core.shadow?.trial ?? core.watermark?.trial) : undefined;
  const next: Watermark = {
    offset: core.position,
    model,
    layout: layoutId(core.spec.inputs),
    ...time,
    ...(trial !== undefined && { trial }),
  };
  core.lastSave = performance.now();
  if (
    core.watermark !== undefined &&
    core.watermark.offset === next.offset &&
    core.watermark.model === next.model &&
    core.dirty.length === 0
  )
    return;
  stateWriter.clear();
  // In the order of slots, which is the order streams first came in: neighbours in memory, and in the store.
  const slots = Int32Array.from(core.dirty).sort();
  const count = slots.length + expired.length;
  const start = new Int32Array(count).fill(-1);
  const end = new Int32Array(count).fill(-1);
  const handles = new Int32Array(count);
  const ids: string[] = new Array<string>(count);
  for (let k = 0; k < slots.length; k++) {
    const slot = slots[k];
    start[k] = stateWriter.write(table, slot, core.modelOf(slot));
    end[k] = stateWriter.length;
    handles[k] = table.handle[slot]!;
    ids[k] = table.ids[slot]!;
    core.seen[slot] = k;
  }
  expired.forEach((slot, k) => {
    handles[slots.length + k] = table.handle[slot]!;
    ids[slots.length + k] = table.ids[slot]!;
  });
  const owner = Int32Array.from(windowBuffer.slots, (slot) => core.seen[slot]);
  for (const slot of slots) core.seen[slot] = 0;
  const changes: StateChanges = {
    expected: core.watermark,
    next,
    ids,
    handles,
    bytes: stateWriter.bytes.subarray(0, stateWriter.length),
    start,
    end,
    segments: {
      count: owner.length,
      width: windowBuffer.width,
      owner,
      sequence: Float64Array.from(windowBuffer.sequences),
      rows: windowBuffer.pendingRows,
    },
  };
  core.options.onStep?.('before-save');
  await core.ports.states.commit(changes);
  core.options.onStep?.('after-save');
  core.watermark = next;
  core.ports.log.releaseBelow(next.offset);
  windowBuffer.clear();
  for (const slot of slots) table.dirty[slot] = 0;
  core.dirty.length = 0;
  for (const slot of expired) {
    core.removed?.add(table.ids[slot]);
    table.remove(slot);
  }
}
