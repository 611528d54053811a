/** Step 2: streams that are not hot come from the store in one round trip; those it does not know are new. */
import { RiverrunError } from '#domain/errors';
import type { PipelineCore } from './core.js';
import type { DecodedBatch } from './decode.js';
import { save } from './save.js';
import { readState } from './state-codec.js';

export async function loadColdStreams(core: PipelineCore, batch: DecodedBatch): Promise<void> {
  if (batch.cold.size === 0) return;
  const ids = [...batch.cold.keys()];
  await makeRoom(core, batch, ids.length);
  const { handles, states } = await core.ports.states.load(ids);
  for (let k = 0; k < ids.length; k++) {
    const slot = core.table.insert(ids[k], handles[k]);
    const bytes = states[k];
    const model = core.modelOf(slot);
    if (bytes !== undefined) readState(bytes, core.table, slot, model);
    else model?.network.resetState(slot);
    // A new stream has nothing to be warmed up from; a model that speaks from the first tick starts it at zeros.
    if (bytes === undefined && model?.manifest.warmUp === 0) core.table.generation[slot] = model.generation;
    core.loads[bytes === undefined ? 'new' : 'store'] += 1;
    for (const i of batch.cold.get(ids[k])!) batch.slot[i] = slot;
  }
  batch.cold.clear();
}

async function makeRoom(core: PipelineCore, batch: DecodedBatch, wanted: number): Promise<void> {
  const { table } = core;
  if (table.capacity - table.size >= wanted) return;
  const inBatch = new Uint8Array(table.capacity);
  for (const slot of batch.slot) if (slot >= 0) inBatch[slot] = 1;
  const keep = (slot: number): boolean => inBatch[slot] === 1;
  if (table.makeRoom(wanted, keep)) return;
  // Only dirty streams are left: never evict one, write it first.
  await save(core);
  if (!table.makeRoom(wanted, keep))
    throw new RiverrunError(
      'HOT_STREAMS',
      `one batch has more streams than the ${table.capacity} that fit in memory: raise RIVERRUN_HOT_BYTES or lower RIVERRUN_MAX_BATCH`,
    );
}
