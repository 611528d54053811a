/** Streams that have gone quiet. A stream whose last tick lies more than the TTL before the partition's time is as on its first day. The partition's time is the
 *  largest ts of its ticks so far, part of the watermark: no clock decides, so a replay expires the same streams at the same records.
 *
 *  What the next tick finds is the same whether the stream is still stored or not: `admit` looks. Removing it only gives room back, at any time. That holds also
 *  for a removal that a crash cuts off from its watermark: a replay may then step the stream's last records as those of a new one, with outcomes that are
 *  suppressed, and it is expired once more before the first that is not. */
import type { StateChanges } from '#domain/ports';
import type { PipelineCore } from './core.js';
import { storedTime } from './state-codec.js';
import { Field } from './stream-table.js';

/** Further ahead of its record's own timestamp a tick is a mistake, which must not expire the streams around it. */
export const MOST_AHEAD_MS = 24 * 3_600_000;
/** Hot streams looked at in a save: some tenths of a millisecond. */
const HOT_AT_A_TIME = 2048;
const STORED_AT_A_TIME = 256;

/** `last`: ts of the stream's last tick; NaN, and never expired, before the first. */
export const isExpired = ({ options, time }: PipelineCore, last: number): boolean =>
  options.stateTtlMs !== null && last + options.stateTtlMs < time;

/** The next few hot streams' expired ones, for `save`. Not within a batch: it knows streams by their slots. */
export function expiredHot(core: PipelineCore): number[] {
  const { table } = core;
  const expired: number[] = [];
  if (core.options.stateTtlMs === null) return expired;
  const slots = table.ids.length;
  for (let n = Math.min(HOT_AT_A_TIME, slots); n > 0; n--) {
    const slot = core.expiryHand < slots ? core.expiryHand : 0;
    core.expiryHand = slot + 1;
    if (table.ids[slot] === '' || table.dirty[slot] === 1) continue;
    if (isExpired(core, table.meta[slot * table.fields + Field.ts])) expired.push(slot);
  }
  return expired;
}

/** Goes through all that is stored, page by page, for what is not hot. */
export class StoredExpiry {
  private cursor: string | undefined;
  /** The partition's time from which another pass is worth it. */
  private due = -Infinity;

  constructor(private readonly core: PipelineCore) {}

  /** One page; between passes nothing, until a quarter of the TTL has gone by. */
  async page(): Promise<void> {
    const { table, ports, options, watermark } = this.core;
    const { stateTtlMs } = options;
    const time = watermark?.time;
    if (stateTtlMs === null || watermark === undefined || time === undefined) return;
    if (this.cursor === undefined) {
      if (time < this.due) return;
      this.due = time + stateTtlMs / 4;
    }
    const page = await ports.states.list(this.cursor, STORED_AT_A_TIME);
    this.cursor = page.cursor;
    const cold = page.ids.filter((id) => table.find(id) < 0);
    if (cold.length === 0) return;
    const { handles, states } = await ports.states.load(cold, { storedOnly: true });
    // As of W: memory may be ahead.
    const expired = cold.flatMap((_, i) =>
      states[i] !== undefined && storedTime(states[i]) + stateTtlMs < time ? [i] : [],
    );
    if (expired.length === 0) return;
    const none = new Float64Array(0);
    const removed = new Int32Array(expired.length).fill(-1);
    const changes: StateChanges = {
      expected: watermark,
      next: watermark,
      ids: expired.map((i) => cold[i]),
      handles: Int32Array.from(expired, (i) => handles[i]),
      bytes: new Uint8Array(0),
      start: removed,
      end: removed,
      segments: {
        count: 0,
        width: 1 + this.core.spec.inputs.length,
        owner: new Int32Array(0),
        sequence: none,
        rows: none,
      },
    };
    await ports.states.commit(changes);
    for (const id of changes.ids) this.core.removed?.add(id);
  }

  reset(): void {
    this.cursor = undefined;
    this.due = -Infinity;
  }
}
