/** The streams that are hot in memory: a hash table from id to slot, and what is known of each stream in columns by slot. */
import { SEGMENT_ROWS } from '#domain/ports';
import type { JointForecaster } from '#forecasting/joint-forecaster';
import { SCALE_FIELDS } from '#rnn/scaler';

/** What a stream's state holds besides its hidden state and its youngest window rows; one float64 each, in this order in memory and on disk. */
export const Field = {
  /** Offset of the last record absorbed; -1 before the first. */
  offset: 0,
  /** Its event time, ms; NaN before the first. */
  ts: 1,
  /** Typical distance between ticks, ms; 0 before the second. */
  spacing: 2,
  /** Ticks absorbed. */
  count: 3,
  /** Full window segments made so far, and how many of them a reset has made void. */
  segments: 4,
  voidSegments: 5,
  tailRows: 6,
  /** The forecast served for the next tick; NaN before the first value. */
  expected: 7,
  /** Who made it: see Source. */
  source: 8,
  /** Exponentially weighted absolute errors of the model and of the baseline over the same ticks, and how many. */
  modelError: 9,
  baselineError: 10,
  evaluations: 11,
  /** Bit k: input k was missing in the last tick. Those of inputs from the 33rd on stand behind all inputs, 32 a field: see missingIndex. */
  missing: 12,
  /** For each input from here on: see InputField. */
  inputs: 13,
} as const;
/** What is kept of each input. */
export const InputField = {
  /** Last known value as of the last admitted tick, and as of the last stepped one: the baseline's forecast. Within a batch the first runs ahead. NaN before the first. */
  admitted: 0,
  last: 1,
  /** Centre, scale and change: see libs/rnn/src/scaler.ts. */
  scale: 2,
} as const;
export const FIELDS_PER_INPUT = InputField.scale + SCALE_FIELDS;
export const Source = { none: -1, baseline: 0, model: 1, blend: 2 } as const;

/** Where the fields of so many inputs end. */
const inputsEnd = (inputs: number): number => Field.inputs + FIELDS_PER_INPUT * inputs;
export const fieldCount = (inputs: number): number => inputsEnd(inputs) + ((inputs - 1) >> 5);
/** Which of a stream's fields has the bit that says whether input k is missing: bit k % 32. */
export const missingIndex = (inputs: number, k: number): number =>
  k < 32 ? Field.missing : inputsEnd(inputs) + (k >> 5) - 1;
/** Where in `meta` the scale of a stream's input lies: centre, scale, change. */
export const scaleIndex = ({ fields }: StreamTable, slot: number, input: number): number =>
  slot * fields + Field.inputs + FIELDS_PER_INPUT * input + InputField.scale;
export const tailLength = (inputs: number): number => SEGMENT_ROWS * (1 + inputs);

/** Estimated bytes a hot stream takes besides its hidden state: columns, id, hash table. */
export const bytesPerStream = (inputs: number, forecaster: JointForecaster | undefined): number =>
  8 * (fieldCount(inputs) + tailLength(inputs) + (forecaster?.size ?? 0)) + SHORT_ID + 120;

/** Bytes of `StreamTable.shortIds` a slot. */
export const SHORT_ID = 24;

export class StreamTable {
  readonly fields: number;
  /** Where the fields of the inputs end. */
  private readonly inputsEnd: number;
  readonly tailStride: number;
  readonly ids: string[] = [];
  readonly meta: Float64Array;
  /** The youngest window rows of each stream: ts, then the inputs. */
  readonly tail: Float64Array;
  /** What the forecaster keeps of each stream, `forecaster.size` floats a slot. */
  readonly plans: Float64Array;
  /** 0 where those say nothing: the stream came from a store that had others, and its window has to be gone through. */
  readonly planned: Uint8Array;
  readonly handle: Int32Array;
  /** Counts up whenever what is known of the slot's stream ends: it begins anew, or the slot is another stream's. */
  readonly lives: Int32Array;
  /** Which model the hidden state belongs to (see ModelSlot.generation); 0 = none. */
  readonly generation: Int32Array;
  /** 1 while memory is ahead of the store. Such a slot is never evicted. */
  readonly dirty: Uint8Array;
  private readonly referenced: Uint8Array;
  /** Of each slot's id. */
  readonly hashes: Int32Array;
  /** Short plain ids once more as bytes, SHORT_ID a slot: the length (0: look at `ids`), then the characters. At a million streams every pointer followed is a cache miss. */
  readonly shortIds: Uint8Array;
  /** Pairs of slot + 1 (0 where empty) and the id's hash; linear probing. */
  private readonly index: Int32Array;
  private readonly mask: number;
  private readonly free: number[] = [];
  private hand = 0;
  /** Streams held. */
  size = 0;

  /** The big columns are reserved at once; pages never touched cost no memory. */
  constructor(
    readonly capacity: number,
    inputs: number,
    /** Another one of the same shape may take its place. */
    public forecaster: JointForecaster | undefined = undefined,
  ) {
    this.fields = fieldCount(inputs);
    this.inputsEnd = inputsEnd(inputs);
    this.tailStride = tailLength(inputs);
    this.meta = new Float64Array(capacity * this.fields);
    this.tail = new Float64Array(capacity * this.tailStride);
    this.plans = new Float64Array(capacity * (forecaster?.size ?? 0));
    this.planned = new Uint8Array(capacity);
    this.handle = new Int32Array(capacity);
    this.generation = new Int32Array(capacity);
    this.lives = new Int32Array(capacity);
    this.dirty = new Uint8Array(capacity);
    this.referenced = new Uint8Array(capacity);
    this.hashes = new Int32Array(capacity);
    let buckets = 16;
    while (buckets < 2 * capacity) buckets *= 2;
    this.shortIds = new Uint8Array(capacity * SHORT_ID);
    this.index = new Int32Array(2 * buckets);
    this.mask = buckets - 1;
  }

  /** The slot of the stream whose id is the ASCII text bytes[start, end), or -1. */
  findAscii(bytes: Uint8Array, start: number, end: number): number {
    let hash = SEED;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], PRIME);
    hash = mix(hash);
    const length = end - start;
    for (let at = hash & this.mask; ; at = (at + 1) & this.mask) {
      const slot = this.index[2 * at] - 1;
      if (slot < 0) return -1;
      if (this.index[2 * at + 1] === hash && this.isAscii(slot, bytes, start, length)) return this.touch(slot);
    }
  }

  find(id: string): number {
    const hash = hashOf(id);
    for (let at = hash & this.mask; ; at = (at + 1) & this.mask) {
      const slot = this.index[2 * at] - 1;
      if (slot < 0) return -1;
      if (this.index[2 * at + 1] === hash && this.ids[slot] === id) return this.touch(slot);
    }
  }

  /** Gives a stream that is not in the table a slot, its columns as for a stream never seen. There must be room: see `makeRoom`. */
  insert(id: string, handle: number): number {
    const slot = this.free.pop() ?? this.ids.length;
    if (slot >= this.capacity) throw new RangeError(`stream table is full (${this.capacity} streams)`);
    const hash = hashOf(id);
    this.ids[slot] = id;
    this.hashes[slot] = hash;
    this.handle[slot] = handle;
    this.generation[slot] = 0;
    this.dirty[slot] = 0;
    this.clear(slot);
    let at = hash & this.mask;
    while (this.index[2 * at] !== 0) at = (at + 1) & this.mask;
    this.index[2 * at] = slot + 1;
    this.index[2 * at + 1] = hash;
    this.writeShortId(slot, id);
    this.size += 1;
    return this.touch(slot);
  }

  /** A stream as on its first day. */
  clear(slot: number): void {
    const base = slot * this.fields;
    const { meta } = this;
    for (let f = 0; f < this.fields; f++) meta[base + f] = 0;
    meta[base + Field.offset] = -1;
    this.forgetTime(slot);
    this.forgetForecast(slot);
  }

  /** The half of a reset that decides which ticks come next: see `admit`. */
  forgetTime(slot: number): void {
    const base = slot * this.fields;
    this.meta[base + Field.ts] = NaN;
    this.meta[base + Field.spacing] = 0;
    this.meta[base + Field.missing] = 0;
    for (let f = Field.inputs; f < this.inputsEnd; f += FIELDS_PER_INPUT)
      this.meta[base + f + InputField.admitted] = NaN;
    this.meta.fill(0, base + this.inputsEnd, base + this.fields);
  }

  /** The other half: what the stream's past says of its future. Its stored window segments become void. */
  forgetForecast(slot: number): void {
    const { meta } = this;
    const base = slot * this.fields;
    for (let f: number = Field.count; f < Field.missing; f++) if (f !== Field.segments) meta[base + f] = 0;
    meta[base + Field.voidSegments] = meta[base + Field.segments]!;
    meta[base + Field.expected] = NaN;
    meta[base + Field.source] = Source.none;
    for (let f = base + Field.inputs; f < base + this.inputsEnd; f += FIELDS_PER_INPUT) {
      meta[f + InputField.last] = NaN;
      meta[f + InputField.scale] = 0;
      meta[f + InputField.scale + 1] = 1;
      meta[f + InputField.scale + 2] = 1;
    }
    this.generation[slot] = 0;
    this.lives[slot] = this.lives[slot] + 1;
    this.forecaster?.reset(this.plans, this.planAt(slot));
    this.planned[slot] = 1;
  }

  /** Where the stream's floats begin in `plans`. */
  planAt(slot: number): number {
    return slot * (this.forecaster?.size ?? 0);
  }

  /** Evicts clean streams not used of late (second chance) until `wanted` more fit; false if too few are clean. Streams in `keep` stay. */
  makeRoom(wanted: number, keep: (slot: number) => boolean): boolean {
    let budget = 3 * this.ids.length;
    while (this.capacity - this.size < wanted) {
      if (budget-- <= 0) return false;
      const slot = this.hand;
      this.hand = (slot + 1) % this.ids.length;
      if (this.ids[slot] === '' || this.dirty[slot] === 1 || keep(slot)) continue;
      if (this.referenced[slot] === 1) this.referenced[slot] = 0;
      else this.remove(slot);
    }
    return true;
  }

  /** Forgets every stream. */
  reset(): void {
    this.index.fill(0);
    this.dirty.fill(0, 0, this.ids.length);
    this.ids.length = 0;
    this.free.length = 0;
    this.size = 0;
    this.hand = 0;
  }

  /** Forgets a stream that is clean. */
  remove(slot: number): void {
    let at = this.hashes[slot] & this.mask;
    while (this.index[2 * at] !== slot + 1) at = (at + 1) & this.mask;
    // Close the gap: later entries of the same probe run move up if their home allows it.
    for (let next = (at + 1) & this.mask; this.index[2 * next] !== 0; next = (next + 1) & this.mask) {
      const home = this.index[2 * next + 1] & this.mask;
      if (((next - home) & this.mask) >= ((next - at) & this.mask)) {
        this.index[2 * at] = this.index[2 * next];
        this.index[2 * at + 1] = this.index[2 * next + 1];
        at = next;
      }
    }
    this.index[2 * at] = 0;
    this.ids[slot] = '';
    this.free.push(slot);
    this.size -= 1;
  }

  private isAscii(slot: number, bytes: Uint8Array, start: number, length: number): boolean {
    const { shortIds } = this;
    const base = slot * SHORT_ID;
    let k = 0;
    if (shortIds[base] > 0) {
      if (shortIds[base] !== length) return false;
      while (k < length && shortIds[base + 1 + k] === bytes[start + k]) k += 1;
      return k === length;
    }
    const id = this.ids[slot];
    if (id.length !== length) return false;
    while (k < length && id.charCodeAt(k) === bytes[start + k]) k += 1;
    return k === length;
  }

  /** Only ids that stand in JSON as they are. */
  private writeShortId(slot: number, id: string): void {
    const base = slot * SHORT_ID;
    this.shortIds[base] = 0;
    if (id.length >= SHORT_ID) return;
    for (let k = 0; k < id.length; k++) {
      const code = id.charCodeAt(k);
      if (code < 32 || code > 126 || code === 34 || code === 92) return;
      this.shortIds[base + 1 + k] = code;
    }
    this.shortIds[base] = id.length;
  }

  private touch(slot: number): number {
    this.referenced[slot] = 1;
    return slot;
  }
}

/** Hashes run from 0 to below this. */
const HASHES = 2 ** 32;

/** Whether a stream is one of those that make up a share of all streams: by its id alone, so the same ones everywhere and after every restart. A larger share has all of a
 *  smaller one. */
export const isInShare = (id: string, share: number): boolean => isHashInShare(hashOf(id), share);
export const isHashInShare = (hash: number, share: number): boolean => hash >>> 0 < share * HASHES;

const SEED = 0x811c9dc5 | 0;
const PRIME = 0x01000193;

function hashOf(id: string): number {
  let hash = SEED;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), PRIME);
  return mix(hash);
}

/** FNV-1a leaves its low bits too regular for a power-of-two table. */
function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
