/** Requests and replies as one binary argument each: a state costs the client a copy, not an argument of its own. The scripts in commands/ say the formats. */
import { SEGMENT_ROWS, type StateChanges, type WindowSegments } from '#domain/ports';
import { SegmentEncoder, readSegment, segmentBytes, segmentWidth } from './segment-codec.js';
import { fieldBytes, writeField, type Grouping } from './stream-fields.js';

const GROUP_HEADER = 4;
const REMOVED = 0xffff;
const NONE = 0xffffffff;

/** Part of a request: the buckets it touches, in the order of their keys, and what is asked of them. */
export interface Chunk {
  readonly buckets: readonly number[];
  /** What it is about, in the order of the reply. */
  readonly entries: Int32Array;
  readonly packed: Buffer;
  readonly last: boolean;
}

export interface ChunkLimits {
  readonly streams: number;
  readonly bytes: number;
}

type Writer = (target: Buffer, at: number, entry: number) => number;

/** Cuts the entries into chunks, bucket by bucket; at least one chunk, if an empty one. `bytesOf` is an upper bound. */
function* chunks(
  { order, bucket }: Grouping,
  limits: ChunkLimits,
  bytesOf: (entry: number) => number,
  write: Writer,
): Generator<Chunk> {
  let from = 0;
  do {
    let to = from;
    let bytes = 0;
    while (to < order.length && to - from < limits.streams && (to === from || bytes < limits.bytes))
      bytes += bytesOf(order[to++]) + GROUP_HEADER;
    const target = Buffer.allocUnsafe(bytes);
    const buckets: number[] = [];
    let at = 0;
    for (let k = from; k < to;) {
      const current = bucket[order[k]];
      const header = at;
      const first = k;
      at += GROUP_HEADER;
      for (; k < to && bucket[order[k]] === current; k++) at = write(target, at, order[k]);
      target.writeUInt16LE(current, header);
      target.writeUInt16LE(k - first, header + 2);
      buckets.push(current);
    }
    yield { buckets, entries: order.subarray(from, to), packed: target.subarray(0, at), last: to === order.length };
    from = to;
  } while (from < order.length);
}

/** Chunks that ask for streams. */
export function packIds(ids: readonly string[], grouping: Grouping, limits: ChunkLimits): Generator<Chunk> {
  return chunks(
    grouping,
    limits,
    (entry) => 4 + fieldBytes(ids[entry]),
    (target, at, entry) => writeSizedField(target, at, ids[entry]),
  );
}

/** Chunks that write changes. A stream's state and segments are in the same one: they are never seen apart. */
export function packChanges(changes: StateChanges, grouping: Grouping, limits: ChunkLimits): Generator<Chunk> {
  const { ids, bytes, start, end, segments } = changes;
  const { first, next, count } = segmentsByOwner(segments, ids.length);
  const encoder = new SegmentEncoder(segments.rows, segments.width);
  const perSegment = 12 + segmentBytes(segments.width);
  return chunks(
    grouping,
    limits,
    (entry) => 10 + fieldBytes(ids[entry]) + Math.max(0, end[entry] - start[entry]) + count[entry] * perSegment,
    (target, at, entry) => {
      const removed = start[entry] < 0;
      at = writeSizedField(target, at, ids[entry]);
      const size = removed ? 0 : end[entry] - start[entry];
      at = target.writeUInt32LE(size, at);
      if (size > 0) target.set(bytes.subarray(start[entry], end[entry]), at);
      at = target.writeUInt16LE(removed ? REMOVED : count[entry], at + size);
      if (removed) return at;
      for (let k = first[entry]; k >= 0; k = next[k]) {
        at = target.writeDoubleLE(segments.sequence[k], at);
        const body = at + 4;
        at = encoder.write(k, target, body);
        target.writeUInt32LE(at - body, body - 4);
      }
      return at;
    },
  );
}

/** States out of a reply of load-states, each put where its id was. */
export function unpackStates(reply: Buffer, entries: Int32Array, states: (Uint8Array | undefined)[]): void {
  let at = 0;
  for (const entry of entries) {
    const size = reply.readUInt32LE(at);
    at += 4;
    if (size === NONE) continue;
    // Not a Buffer, whose slice would be no copy.
    states[entry] = new Uint8Array(reply.buffer, reply.byteOffset + at, size);
    at += size;
  }
}

/** Fields and states out of a reply of changed-states. */
export function unpackChanged(reply: Buffer): { fields: Uint8Array[]; states: Uint8Array[] } {
  const fields: Uint8Array[] = [];
  const states: Uint8Array[] = [];
  for (let at = 0; at < reply.length;)
    for (const parts of [fields, states]) {
      const size = reply.readUInt32LE(at);
      parts.push(new Uint8Array(reply.buffer, reply.byteOffset + at + 4, size));
      at += 4 + size;
    }
  return { fields, states };
}

/** Rows out of a reply of read-windows, each put where its id was. */
export function unpackWindows(reply: Buffer, entries: Int32Array, windows: Float64Array[]): void {
  let at = 0;
  for (const entry of entries) {
    const places: number[] = [];
    let values = 0;
    const count = reply.readUInt32LE(at);
    at += 4;
    for (let k = 0; k < count; k++) {
      places.push(at + 4);
      values += SEGMENT_ROWS * segmentWidth(reply, at + 4);
      at += 4 + reply.readUInt32LE(at);
    }
    const rows = new Float64Array(values);
    let to = 0;
    for (const place of places) {
      readSegment(reply, place, rows, to);
      to += SEGMENT_ROWS * segmentWidth(reply, place);
    }
    windows[entry] = rows;
  }
}

function writeSizedField(target: Buffer, at: number, id: string): number {
  const end = writeField(target, at + 4, id);
  target.writeUInt32LE(end - at - 4, at);
  return end;
}

interface OwnedSegments {
  /** By entry: its first segment, or -1. */
  readonly first: Int32Array;
  /** By segment: the next one of the same entry, or -1. */
  readonly next: Int32Array;
  /** By entry. */
  readonly count: Uint16Array;
}

function segmentsByOwner({ count: total, owner }: WindowSegments, entries: number): OwnedSegments {
  const first = new Int32Array(entries).fill(-1);
  const next = new Int32Array(total);
  const count = new Uint16Array(entries);
  for (let k = total - 1; k >= 0; k--) {
    next[k] = first[owner[k]];
    first[owner[k]] = k;
    count[owner[k]]++;
  }
  return { first, next, count };
}
