/** Streams as the service's HTTP shows them, out of Redis. */
import { RiverrunError } from '#domain/errors';
import { viewOfState, type StreamView } from '#pipeline/stream-view';
import { findStream, pageOf, type StatePartition } from './stored-states.js';

export interface StreamJson extends Omit<StreamView, 'ts' | 'values'> {
  readonly ts: number | null;
  readonly pipeline: string;
  readonly topic: string;
  readonly partition: number;
  readonly value: number | null;
  readonly values: Record<string, number | null>;
}

/** Pages through the partitions; the cursor says which, and where in it. */
export async function listStored(
  partitions: readonly StatePartition[],
  cursor: string | null,
  limit: number,
): Promise<{ streams: StreamJson[]; cursor: string | null }> {
  const match = /^(\d{1,6})\.(.*)$/s.exec(cursor ?? '0.');
  if (match === null) throw new RiverrunError('CURSOR', `${cursor} is no cursor of this list`);
  let place = Number(match[1]);
  let within = match[2] === '' ? undefined : match[2];
  const streams: StreamJson[] = [];
  for (; place < partitions.length; place++, within = undefined)
    do {
      // One more than wanted would be a page of its own: full means that there may be more.
      if (streams.length >= limit) return { streams, cursor: `${place}.${within ?? ''}` };
      const page = await pageOf(partitions[place].store, within, limit - streams.length);
      streams.push(...page.streams.map(({ id, state }) => viewJson(partitions[place], id, state)));
      within = page.cursor;
    } while (within !== undefined);
  return { streams, cursor: null };
}

export async function showStored(partitions: readonly StatePartition[], stream: string): Promise<StreamJson> {
  const { place, state } = await findStream(partitions, stream);
  return viewJson(place, stream, state);
}

function viewJson({ pipeline, topic, partition }: StatePartition, id: string, state: Uint8Array): StreamJson {
  const { values, ...view } = viewOfState(id, state, pipeline.inputs.length, pipeline);
  const orNull = (x: number): number | null => (Number.isFinite(x) ? x : null);
  return {
    ...view,
    ts: orNull(view.ts),
    pipeline: pipeline.name,
    topic,
    partition,
    value: orNull(values[0]),
    values: Object.fromEntries(pipeline.inputs.map((name, k) => [name, orNull(values[k])])),
  };
}
