/** Which streams there are, under which handle, and where the newest state and segments of each lie. A place is a file's slot times 2^32 plus a position.
 *  Also counts each file's live bytes, so that compaction knows what is worth it. */
import { Chunked } from './chunked.js';
import { SegmentRings } from './segment-rings.js';

const FILE = 2 ** 32;
/** What a record takes beside its bytes: columns and an average id. */
const OVERHEAD = 24;

export const placeOf = (slot: number, position: number): number => slot * FILE + position;
export const slotOf = (place: number): number => Math.floor(place / FILE);
export const positionOf = (place: number): number => place % FILE;

export class StateIndex {
  /** By handle. */
  readonly ids: (string | undefined)[] = [];
  /** By slot: bytes of the file that are some stream's newest. */
  readonly live: number[] = [];
  liveBytes = 0;
  streams = 0;
  private readonly byId = new Map<string, number>();
  private readonly places = new Chunked(Float64Array, -1);
  private readonly lengths = new Chunked(Int32Array, 0);
  private readonly rings: SegmentRings;
  private free: number[] = [];

  /** Bytes of one segment; all have the same. */
  segmentBytes = 0;

  constructor(windowSegments: number) {
    this.rings = new SegmentRings(windowSegments);
  }

  find(id: string): number | undefined {
    return this.byId.get(id);
  }

  /** The id's handle if it has a state, else -1. */
  stored(id: string): number {
    const handle = this.byId.get(id) ?? -1;
    return handle >= 0 && this.place(handle) >= 0 ? handle : -1;
  }

  /** The id's handle, a fresh one if it has none. */
  handle(id: string): number {
    const known = this.byId.get(id);
    if (known !== undefined) return known;
    const handle = this.free.pop() ?? this.ids.length;
    this.bind(handle, id);
    return handle;
  }

  bind(handle: number, id: string): void {
    while (this.ids.length < handle) this.ids.push(undefined);
    this.ids[handle] = id;
    this.byId.set(id, handle);
  }

  /** Makes the handle and its id forget each other. */
  unbind(handle: number): void {
    const id = this.ids[handle];
    if (id === undefined || this.place(handle) >= 0) return;
    this.byId.delete(id);
    this.ids[handle] = undefined;
    this.free.push(handle);
  }

  /** After a scan: handles nobody has may be given out again. */
  collectFree(): void {
    this.free = [];
    for (let handle = this.ids.length - 1; handle >= 0; handle--)
      if (this.ids[handle] === undefined) this.free.push(handle);
  }

  place(handle: number): number {
    return this.places.get(handle);
  }
  length(handle: number): number {
    return this.lengths.get(handle);
  }

  setState(handle: number, place: number, length: number): void {
    const former = this.places.get(handle);
    if (former >= 0) this.count(former, -(this.lengths.get(handle) + OVERHEAD));
    else this.streams += 1;
    this.places.set(handle, place);
    this.lengths.set(handle, length);
    this.count(place, length + OVERHEAD);
  }

  /** Forgets state and window; the handle stays bound until `unbind`. */
  removeState(handle: number): void {
    const former = this.places.get(handle);
    if (former >= 0) {
      this.count(former, -(this.lengths.get(handle) + OVERHEAD));
      this.streams -= 1;
    }
    this.places.set(handle, -1);
    this.rings.remove(handle, this.segmentDied);
  }

  addSegment(handle: number, sequence: number, place: number): void {
    if (this.rings.add(handle, sequence, place, this.segmentDied)) this.count(place, this.segmentBytes + OVERHEAD);
  }

  segmentIsAt(handle: number, sequence: number, place: number): boolean {
    return this.rings.isAt(handle, sequence, place);
  }
  segments(handle: number): number[] {
    return this.rings.places(handle);
  }

  private readonly segmentDied = (place: number): void => this.count(place, -(this.segmentBytes + OVERHEAD));

  private count(place: number, bytes: number): void {
    const slot = slotOf(place);
    this.live[slot] = (this.live[slot] ?? 0) + bytes;
    this.liveBytes += bytes;
  }
}
