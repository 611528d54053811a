/** Where each stream's youngest window segments lie. Memory is touched only for streams that have some. */
import { Chunked } from './chunked.js';

/** Rings are allotted in slabs of so many. */
const SLAB = 1024;

export class SegmentRings {
  private readonly ringOf = new Chunked(Int32Array, -1);
  private readonly slabs: Float64Array[] = [];
  /** By ring: the sequence number after the stream's youngest segment. */
  private readonly nextOf = new Chunked(Float64Array, 0);
  private readonly free: number[] = [];
  private rings = 0;

  constructor(private readonly capacity: number) {}

  /** Records that the handle's segment of that number lies at `place`, telling the places that are dead with this. False if it is dead itself. */
  add(handle: number, sequence: number, place: number, dead: (place: number) => void): boolean {
    if (this.capacity === 0) return false;
    const ring = this.ring(handle);
    const next = this.nextOf.get(ring);
    // Older than what is kept.
    if (sequence < next - this.capacity) return false;
    const slab = this.slabs[Math.floor(ring / SLAB)];
    const at = (ring % SLAB) * this.capacity;
    // After a gap, what lies in the slots between is older than what is kept.
    for (let between = Math.max(next, sequence - this.capacity + 1); between <= sequence; between++) {
      const slot = at + (between % this.capacity);
      if (slab[slot] >= 0) dead(slab[slot]);
      slab[slot] = -1;
    }
    const slot = at + (sequence % this.capacity);
    if (slab[slot] >= 0) dead(slab[slot]);
    slab[slot] = place;
    if (sequence >= next) this.nextOf.set(ring, sequence + 1);
    return true;
  }

  /** Whether the segment of that number lies at `place`. */
  isAt(handle: number, sequence: number, place: number): boolean {
    const ring = this.ringOf.get(handle);
    if (ring < 0 || sequence < this.nextOf.get(ring) - this.capacity) return false;
    return this.slabs[Math.floor(ring / SLAB)][(ring % SLAB) * this.capacity + (sequence % this.capacity)] === place;
  }

  /** The places of the handle's segments, oldest first, without a gap up to the youngest. */
  places(handle: number): number[] {
    const ring = this.ringOf.get(handle);
    if (ring < 0) return [];
    const slab = this.slabs[Math.floor(ring / SLAB)];
    const places: number[] = [];
    const next = this.nextOf.get(ring);
    for (let sequence = next - 1; sequence >= 0 && sequence >= next - this.capacity; sequence--) {
      const place = slab[(ring % SLAB) * this.capacity + (sequence % this.capacity)];
      if (place < 0) break;
      places.push(place);
    }
    return places.reverse();
  }

  /** Forgets the handle's segments, telling the place of each. */
  remove(handle: number, dead: (place: number) => void): void {
    const ring = this.ringOf.get(handle);
    if (ring < 0) return;
    const at = (ring % SLAB) * this.capacity;
    const slots = this.slabs[Math.floor(ring / SLAB)].subarray(at, at + this.capacity);
    for (const place of slots) if (place >= 0) dead(place);
    slots.fill(-1);
    this.nextOf.set(ring, 0);
    this.ringOf.set(handle, -1);
    this.free.push(ring);
  }

  private ring(handle: number): number {
    const known = this.ringOf.get(handle);
    if (known >= 0) return known;
    const ring = this.free.pop() ?? this.rings++;
    if (ring >= this.slabs.length * SLAB) this.slabs.push(new Float64Array(SLAB * this.capacity).fill(-1));
    this.ringOf.set(handle, ring);
    return ring;
  }
}
