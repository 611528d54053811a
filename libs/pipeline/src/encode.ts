/** Step 3b: the outcomes as the messages of the contract, written straight into one arena. */
import type { Canary } from '#domain/served';
import { SHORT_ID, Source, type StreamTable } from './stream-table.js';
import { writeAscii, writeInteger, writeNine, writeNumber, MAX_NUMBER_BYTES } from './number-writer.js';
import { STEP_FIELDS, type SteppedBatch } from './stepped-batch.js';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const STREAM = ascii('{"stream":');
const TS = ascii(',"ts":');
const OFFSET = ascii(',"offset":');
const PREDICTION = ascii(',"prediction":');
const TARGET_TS = ascii(',"targetTs":');
const OUTPUTS = ascii(',"outputs":[');
const PROBABILITIES = ascii(',"probabilities":[');
const LOWER = ascii(',"lower":');
const UPPER = ascii(',"upper":');
const STEPS = ascii(',"forecast":[');
const STEP = ascii('{"h":');
const WEIGHT = ascii(',"weight":');
const ANOMALY = ascii(',"anomaly":');
const QUANTILES = ascii(',"quantiles":{');
const TARGETS = ascii(',"targets":{');
const TARGET = ascii(':{"prediction":');
const SOURCES = [',"source":"baseline"}', ',"source":"model"}', ',"source":"blend"}'].map(ascii);
const FIXED_BYTES = 260;
/** Of a step: its braces and names, and four numbers; and of each quantile. */
const STEP_BYTES = 70 + 4 * MAX_NUMBER_BYTES;
const QUANTILE_BYTES = 8 + 2 * MAX_NUMBER_BYTES;
/** A stream id in JSON: at most 256 characters, each at most six long. */
const MAX_STREAM_TEXT = 6 * 256 + 2;

type Closings = readonly [baseline: Uint8Array, model: Uint8Array, blend: Uint8Array];

function closingsOf(model: string): Closings {
  const closing = (source: string): Uint8Array => ascii(`${model},"source":"${source}"}`);
  return [closing('baseline'), closing('model'), closing('blend')];
}

/** Writes predictions one after the other. Ask `begin` for room first. */
export class OutcomeWriter {
  length = 0;
  /** What follows the numbers, by source: `,"model":…,"source":…}`; and the same for the canary's streams. */
  private readonly closings: Closings;
  private readonly canaryClosings: Closings | undefined;
  private readonly horizon: Uint8Array;
  private readonly level: Uint8Array;
  /** `"0.1":` and so on. */
  private readonly quantiles: readonly Uint8Array[];
  /** Names of the inputs that are forecast as JSON, where they are several. */
  private readonly targets: readonly Uint8Array[];

  constructor(
    model: string | null,
    canary: Canary<string> | undefined,
    private readonly topic: string | undefined,
    /** Where to write; what does not fit goes into a larger one. */
    public bytes: Uint8Array,
    /** Under a forecast plan: its steps and its intervals' level. */
    private readonly plan:
      | {
          readonly horizon: number;
          readonly level: number;
          readonly quantiles: readonly number[];
          readonly targets: readonly string[];
        }
      | undefined,
  ) {
    this.closings = closingsOf(`,"model":${JSON.stringify(model)}`);
    if (canary !== undefined)
      this.canaryClosings = closingsOf(`,"model":${JSON.stringify(canary.model)},"canary":${canary.share}`);
    this.horizon = ascii(`,"horizon":${plan?.horizon ?? 1}`);
    this.level = ascii(`,"level":${plan?.level ?? 0}`);
    this.quantiles = (plan?.quantiles ?? []).map((q) => ascii(`"${q}":`));
    const { targets = [] } = plan ?? {};
    this.targets = targets.length > 1 ? targets.map((name) => ascii(JSON.stringify(name))) : [];
  }

  /** prediction NaN: null (a stream that never had a value). targetTs NaN: left out. */
  prediction(
    table: StreamTable,
    slot: number,
    ts: number,
    offset: number,
    prediction: number,
    targetTs: number,
    source: number,
    outputs: Float32Array | undefined,
    softmax: boolean,
    isCanary: boolean,
  ): void {
    this.reserve(
      FIXED_BYTES +
        MAX_STREAM_TEXT +
        4 * MAX_NUMBER_BYTES +
        2 * MAX_NUMBER_BYTES * (outputs?.length ?? 0) +
        (this.topic?.length ?? 0) * 6 +
        400,
    );
    const { bytes } = this;
    let at = this.head(table, slot, ts, offset);
    at = copy(bytes, at, PREDICTION);
    at = prediction === prediction ? writeNumber(bytes, at, prediction) : writeAscii(bytes, at, 'null');
    at = copy(bytes, at, this.horizon);
    if (targetTs === targetTs) at = writeInteger(bytes, copy(bytes, at, TARGET_TS), targetTs);
    if (outputs !== undefined) {
      at = writeList(bytes, copy(bytes, at, OUTPUTS), outputs);
      if (softmax) at = writeList(bytes, copy(bytes, at, PROBABILITIES), outputs);
    }
    this.length = copy(bytes, at, (isCanary ? this.canaryClosings! : this.closings)[source]);
  }

  /** Record i of a batch that was stepped under the plan. The last step is the prediction; its interval is left out until it is calibrated. Several targets stand once more by
   *  name, the first one included. */
  forecast(
    table: StreamTable,
    slot: number,
    ts: number,
    offset: number,
    targetTs: number,
    stepped: SteppedBatch,
    i: number,
    isCanary: boolean,
  ): void {
    const { horizon } = this.plan!;
    const topic = (this.topic?.length ?? 0) * 6;
    const stepBytes = STEP_BYTES + this.quantiles.length * QUANTILE_BYTES;
    const each = (horizon + 1) * stepBytes + 2 * MAX_NUMBER_BYTES;
    const names = this.targets.reduce((sum, { length }) => sum + length + FIXED_BYTES + each, 0);
    this.reserve(FIXED_BYTES + MAX_STREAM_TEXT + 6 * MAX_NUMBER_BYTES + each + names + topic + 400);
    const { bytes, targets } = this;
    const first = i * Math.max(targets.length, 1);
    const { steps, source } = stepped;
    let at = this.head(table, slot, ts, offset);
    at = copy(bytes, at, PREDICTION);
    const last = ((first + 1) * horizon - 1) * STEP_FIELDS;
    at = this.step(at, stepped, last);
    if (hasInterval(steps, last)) at = copy(bytes, at, this.level);
    at = copy(bytes, at, this.horizon);
    if (targetTs === targetTs) at = writeInteger(bytes, copy(bytes, at, TARGET_TS), targetTs);
    at = this.details(at, stepped, first);
    if (targets.length > 0) {
      at = copy(bytes, at, TARGETS);
      for (let k = 0; k < targets.length; k++) {
        if (k > 0) bytes[at++] = 44;
        at = copy(bytes, copy(bytes, at, targets[k]), TARGET);
        at = this.step(at, stepped, ((first + k + 1) * horizon - 1) * STEP_FIELDS);
        at = copy(bytes, this.details(at, stepped, first + k), SOURCES[source[first + k]]);
      }
      bytes[at++] = 125;
    }
    this.length = copy(bytes, at, (isCanary ? this.canaryClosings! : this.closings)[source[first]]);
  }

  /** All steps, the network's share, the anomaly: of row `row` in what has one for each target. Room must be there. */
  private details(at: number, stepped: SteppedBatch, row: number): number {
    const { horizon } = this.plan!;
    const { bytes } = this;
    const { weight, anomaly, source } = stepped;
    if (horizon > 1) {
      at = copy(bytes, at, STEPS);
      for (let h = 1, s = row * horizon * STEP_FIELDS; h <= horizon; h++, s += STEP_FIELDS) {
        if (h > 1) bytes[at++] = 44;
        at = writeInteger(bytes, copy(bytes, at, STEP), h);
        at = this.step(copy(bytes, at, PREDICTION), stepped, s);
        bytes[at++] = 125;
      }
      bytes[at++] = 93;
    }
    if (source[row] !== Source.baseline)
      at = writeNumber(bytes, copy(bytes, at, WEIGHT), Math.round(1000 * weight[row]) / 1000);
    if (anomaly[row] === anomaly[row])
      at = writeNumber(bytes, copy(bytes, at, ANOMALY), Math.round(1000 * anomaly[row]) / 1000);
    return at;
  }

  /** A step's forecast and, where there is one, its interval with its quantiles: room must be there. */
  private step(at: number, { steps, quantiles }: SteppedBatch, from: number): number {
    const { bytes } = this;
    const forecast = steps[from];
    if (forecast !== forecast) return writeAscii(bytes, at, 'null');
    at = writeNine(bytes, at, forecast);
    if (!hasInterval(steps, from)) return at;
    at = writeNine(bytes, copy(bytes, at, LOWER), forecast - steps[from + 1]);
    at = writeNine(bytes, copy(bytes, at, UPPER), forecast + steps[from + 1]);
    const n = this.quantiles.length;
    if (n === 0) return at;
    at = copy(bytes, at, QUANTILES);
    for (let k = 0, q = (from / STEP_FIELDS) * n; k < n; k++) {
      if (k > 0) bytes[at++] = 44;
      at = writeNine(bytes, copy(bytes, at, this.quantiles[k]), forecast + quantiles[q + k]);
    }
    bytes[at++] = 125;
    return at;
  }

  /** Up to the offset: room must be there. */
  private head(table: StreamTable, slot: number, ts: number, offset: number): number {
    const { bytes } = this;
    let at = copy(bytes, this.length, STREAM);
    at = writeStreamId(bytes, at, table, slot);
    at = writeInteger(bytes, copy(bytes, at, TS), ts);
    if (this.topic !== undefined) at = writeAscii(bytes, at, `,"topic":${JSON.stringify(this.topic)}`);
    return writeInteger(bytes, copy(bytes, at, OFFSET), offset);
  }

  control(stream: string, control: string, offset: number): void {
    // Without a topic of its own JSON leaves it out.
    const text = ascii(JSON.stringify({ stream, control, topic: this.topic, offset }));
    this.reserve(text.length);
    this.length = copy(this.bytes, this.length, text);
  }

  private reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = new Uint8Array(2 * this.bytes.length + more);
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

/** Short runs are copied faster by a loop than by `set`. */
function copy(target: Uint8Array, at: number, source: Uint8Array): number {
  for (let i = 0; i < source.length; i++) target[at++] = source[i]!;
  return at;
}

const hasInterval = (steps: Float64Array, at: number): boolean =>
  steps[at + 1] === steps[at + 1] && steps[at] === steps[at];

function writeList(bytes: Uint8Array, at: number, values: Float32Array): number {
  for (let i = 0; i < values.length; i++) {
    if (i > 0) bytes[at++] = 44;
    at = writeNumber(bytes, at, values[i]);
  }
  bytes[at++] = 93;
  return at;
}

/** The stream's id as a JSON string; short plain ones from where the look-up just found them. */
function writeStreamId(bytes: Uint8Array, at: number, { shortIds, ids }: StreamTable, slot: number): number {
  const base = slot * SHORT_ID;
  const length = shortIds[base];
  if (length === 0) return writeString(bytes, at, ids[slot]);
  bytes[at++] = 34;
  for (let k = 1; k <= length; k++) bytes[at++] = shortIds[base + k];
  bytes[at++] = 34;
  return at;
}

/** A JSON string; plain ASCII takes the short way. */
function writeString(bytes: Uint8Array, at: number, text: string): number {
  const start = at;
  bytes[at++] = 34;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 32 || code > 126 || code === 34 || code === 92) return copy(bytes, start, ascii(JSON.stringify(text)));
    bytes[at++] = code;
  }
  bytes[at++] = 34;
  return at;
}
