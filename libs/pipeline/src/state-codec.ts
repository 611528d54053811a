/** A stream's state as bytes, and back. Little-endian:
 *  u8 version, u8 inputs, u8 tail rows, u8 targets + 1 (0: no plan), u32 hidden floats, u32 x 2 model tag, then float64 fields, float64 tail rows, the plan of each target, float32
 *  hidden state. A plan is u32 horizon, u32 season (its top bit: ticks left out are counted), u32 float64s, u32 float32s, and these (libs/forecasting); streams of models that are served raw have none,
 *  and streams without a tick since their beginning or a reset have neither a plan nor a hidden state.
 *  16 + 8 (13 + 5 inputs) + 8 rows (1 + inputs) + (16 + 8 wide + 4 narrow) + 4 hidden bytes: 288 for a raw GRU-32 with one input and an empty tail;
 *  a float64 field more for each 32 inputs beyond the first 32. */
import { RiverrunError } from '#domain/errors';
import { haveSameShape, type PlanShape } from '#forecasting/plan-shape';
import type { ModelSlot } from './model-slot.js';
import { Field, fieldCount, type StreamTable } from './stream-table.js';

const VERSION = 1;
const HEADER_BYTES = 16;
const PLAN_HEADER_BYTES = 16;
/** In the header: 1 is a first version's plan, float64s all, of one target; it is left out like those of another shape. */
const NO_PLAN = 0;
const targetsIn = (plan: number): number => (plan === NO_PLAN ? 0 : Math.max(1, plan - 1));
/** In a plan's header, beside the season. */
const REGULAR = 2 ** 31;
/** Records start at multiples of 8, so that float64 views fit. */
const ALIGN = 8;

/** Names the layout in the watermark: states of another layout are refused instead of misread. */
export const layoutId = (inputs: readonly string[]): string => `riverrun-state-${VERSION}/${inputs.join(',')}`;

/** The last offset that a stored state has absorbed; NaN where the bytes are no state. */
export const stateOffset = (bytes: Uint8Array): number =>
  bytes.length < HEADER_BYTES + 8
    ? NaN
    : new DataView(bytes.buffer, bytes.byteOffset).getFloat64(HEADER_BYTES + 8 * Field.offset, true);

/** Window segments that a state's stream has made so far: the sequence of the next one. */
export const stateSegments = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getFloat64(HEADER_BYTES + 8 * Field.segments, true);

/** Ticks that a state's stream has absorbed. */
export const stateTicks = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getFloat64(HEADER_BYTES + 8 * Field.count, true);

/** The same state as if the last record it has absorbed had lain at `offset`: for another log. */
export function withStateOffset(bytes: Uint8Array, offset: number): Uint8Array {
  const copy = bytes.slice();
  new DataView(copy.buffer).setFloat64(HEADER_BYTES + 8 * Field.offset, offset, true);
  return copy;
}

/** Serialises many streams into one reusable arena. */
export class StateWriter {
  bytes = new Uint8Array(1 << 16);
  length = 0;
  private floats64 = new Float64Array(this.bytes.buffer);
  private floats32 = new Float32Array(this.bytes.buffer);
  private words = new Uint32Array(this.bytes.buffer);

  clear(): void {
    this.length = 0;
  }

  /** Appends the stream in `slot`; returns where its bytes start. They end at `length`. */
  write(table: StreamTable, slot: number, model: ModelSlot | undefined): number {
    const { fields, meta, tail, tailStride, plans } = table;
    const inputs = tailStride / 16 - 1;
    const base = slot * fields;
    // A plan that has seen no tick is left out: then a reset leaves the same state whichever model was there.
    const begun = meta[base + Field.count] > 0;
    const forecaster = begun && table.planned[slot] === 1 ? table.forecaster : undefined;
    const warm = model !== undefined && table.generation[slot] === model.generation;
    const hidden = warm ? model.network.stateSize : 0;
    const start = (this.length + ALIGN - 1) & -ALIGN;
    const tailValues = meta[base + Field.tailRows] * (1 + inputs);
    const shape = forecaster?.shape;
    const planBytes = shape === undefined ? 0 : plansLength(shape);
    const end = start + HEADER_BYTES + 8 * (fields + tailValues) + planBytes + 4 * hidden;
    this.reserve(end);
    this.bytes[start] = VERSION;
    this.bytes[start + 1] = inputs;
    this.bytes[start + 2] = meta[base + Field.tailRows]!;
    this.bytes[start + 3] = shape === undefined ? NO_PLAN : shape.targets + 1;
    const word = start >> 2;
    this.words[word + 1] = hidden;
    this.words[word + 2] = warm ? model.tag[0] : 0;
    this.words[word + 3] = warm ? model.tag[1] : 0;
    let at = (start + HEADER_BYTES) >> 3;
    for (let f = 0; f < fields; f++) this.floats64[at++] = oneNaN(meta[base + f]);
    const row = slot * tailStride;
    for (let k = 0; k < tailValues; k++) this.floats64[at++] = oneNaN(tail[row + k]);
    if (shape !== undefined)
      for (let target = 0; target < shape.targets; target++)
        at = this.writePlan(at, shape, plans, table.planAt(slot) + target * shape.size);
    if (warm) model.network.readState(slot, this.floats32, at << 1);
    this.length = end;
    return start;
  }

  /** One target's, plans[from ..], at float64 `at`; returns where it ends. */
  private writePlan(at: number, shape: PlanShape, plans: Float64Array, from: number): number {
    const { horizon, season, regular, wide, size } = shape;
    this.words[at << 1] = horizon;
    this.words[(at << 1) + 1] = season + (regular ? REGULAR : 0);
    this.words[(at << 1) + 2] = wide;
    this.words[(at << 1) + 3] = size - wide;
    const narrow = (at + (PLAN_HEADER_BYTES >> 3) + wide) << 1;
    for (let k = 0, to = at + (PLAN_HEADER_BYTES >> 3); k < wide; k++) this.floats64[to + k] = oneNaN(plans[from + k]);
    for (let k = wide, to = narrow - wide; k < size; k++) this.floats32[to + k] = oneNaN(plans[from + k]);
    const end = at + (planLength(wide, size - wide) >> 3);
    // States are compared byte by byte.
    if ((size - wide) % 2 === 1) this.words[(end << 1) - 1] = 0;
    return end;
  }

  private reserve(end: number): void {
    if (end <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.bytes.length, (end + ALIGN) & -ALIGN));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.floats64 = new Float64Array(grown.buffer);
    this.floats32 = new Float32Array(grown.buffer);
    this.words = new Uint32Array(grown.buffer);
  }
}

/** NaN has many bit patterns, and compiled code makes others than interpreted code does: states are compared byte by byte. */
const oneNaN = (x: number): number => (x === x ? x : NaN);

/** Bytes of a plan, so that float64s may follow. */
const planLength = (wide: number, narrow: number): number => PLAN_HEADER_BYTES + 8 * wide + ((4 * narrow + 7) & -8);
/** And of those of all targets. */
const plansLength = ({ targets, wide, size }: PlanShape): number => targets * planLength(wide, size - wide);

/** The shape of the plan in a stored state; undefined where there is none. */
export function planIn(bytes: Uint8Array, inputs: number): PlanShape | undefined {
  if (bytes.length < HEADER_BYTES || bytes[3] === NO_PLAN) return undefined;
  const at = HEADER_BYTES + 8 * (fieldCount(inputs) + bytes[2] * (1 + inputs));
  if (bytes.length < at + PLAN_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return shapeAt(targetsIn(bytes[3]), (k) => view.getUint32(at + 4 * k, true));
}

/** Of a plan's header, word by word; all targets have the same. */
const shapeAt = (targets: number, word: (k: number) => number): PlanShape => ({
  targets,
  horizon: word(0),
  season: word(1) % REGULAR,
  regular: word(1) >= REGULAR,
  wide: word(2),
  size: word(2) + word(3),
});

/** ts of a stored stream's last tick, ms; NaN before the first. */
export const storedTime = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getFloat64(HEADER_BYTES + 8 * Field.ts, true);

/** Views of one buffer into which stored bytes are copied to be read: they may start at any address. Good until the next call. */
let scratch = viewsOf(new ArrayBuffer(1 << 12));

function viewsOf(buffer: ArrayBuffer): {
  bytes: Uint8Array;
  words: Uint32Array;
  floats32: Float32Array;
  floats64: Float64Array;
} {
  return {
    bytes: new Uint8Array(buffer),
    words: new Uint32Array(buffer),
    floats32: new Float32Array(buffer),
    floats64: new Float64Array(buffer),
  };
}

/** Reads stored bytes into the stream's slot, which is as `insert` has left it. A hidden state of another model, or another plan, is left out: the stream is warmed up anew from its window. */
export function readState(bytes: Uint8Array, table: StreamTable, slot: number, model: ModelSlot | undefined): void {
  const { fields, meta, tail, tailStride, plans, forecaster } = table;
  const inputs = tailStride / 16 - 1;
  if (bytes.length > scratch.bytes.length)
    scratch = viewsOf(new ArrayBuffer(2 * bytes.length + ((-2 * bytes.length) & 7)));
  const { words, floats32, floats64 } = scratch;
  scratch.bytes.set(bytes);
  const rows = bytes[2];
  const hidden = words[1];
  const tailValues = rows * (1 + inputs);
  const planAt = HEADER_BYTES + 8 * (fields + tailValues);
  const targets = targetsIn(bytes[3]);
  const shape = shapeAt(targets, (k) => (bytes.length < planAt + PLAN_HEADER_BYTES ? 0 : words[(planAt >> 2) + k]));
  const planBytes = plansLength(shape);
  const expected = planAt + planBytes + 4 * hidden;
  if (bytes[0] !== VERSION || targets > inputs || bytes[1] !== inputs || !(rows <= 16) || bytes.length !== expected)
    throw new RiverrunError(
      'STATE_CORRUPT',
      `the stored state of stream ${table.ids[slot]} cannot be read (${bytes.length} bytes, version ${bytes[0]})`,
    );
  let at = HEADER_BYTES >> 3;
  for (let f = 0, to = slot * fields; f < fields; f++) meta[to + f] = floats64[at++];
  for (let k = 0, to = slot * tailStride; k < tailValues; k++) tail[to + k] = floats64[at++];
  const planFits = targets > 0 && forecaster !== undefined && haveSameShape(shape, forecaster.shape);
  // A plan not begun is what `StreamTable.clear` makes.
  table.planned[slot] = planFits || meta[slot * fields + Field.count] === 0 ? 1 : 0;
  for (let target = 0; planFits && target < targets; target++) {
    const { wide, size } = shape;
    const to = table.planAt(slot) + target * size;
    const from = at + (PLAN_HEADER_BYTES >> 3) + (((target * planBytes) / targets) >> 3);
    for (let k = 0; k < wide; k++) plans[to + k] = floats64[from + k];
    for (let k = wide, start = ((from + wide) << 1) - wide; k < size; k++) plans[to + k] = floats32[start + k];
  }
  at += planBytes >> 3;
  const fits =
    model !== undefined && hidden === model.network.stateSize && words[2] === model.tag[0] && words[3] === model.tag[1];
  table.generation[slot] = fits ? model.generation : 0;
  if (fits) model.network.writeState(slot, floats32, at << 1);
}
