/** Step 3b: the outcomes as the messages of the contract, written straight into one arena. */
import type { Canary } from '#domain/served';
import { SHORT_ID, Source, type StreamTable } from './stream-table.js';
import { writeInteger, writeNine, writeNumber, MAX_NUMBER_BYTES } from './number-writer.js';
import { STEP_FIELDS, type SteppedBatch } from './stepped-batch.js';
import { PIECE_OVERRUN, pieceOf, writePiece, type TextPiece } from './text-piece.js';

const STREAM = pieceOf('{"stream":');
const TS = pieceOf(',"ts":');
const PREDICTION = pieceOf(',"prediction":');
const NULL = pieceOf('null');
const TARGET_TS = pieceOf(',"targetTs":');
const OUTPUTS = pieceOf(',"outputs":[');
const PROBABILITIES = pieceOf(',"probabilities":[');
const LOWER = pieceOf(',"lower":');
const UPPER = pieceOf(',"upper":');
const LAST_STEP = pieceOf('}]');
const WEIGHT = pieceOf(',"weight":');
const ANOMALY = pieceOf(',"anomaly":');
const QUANTILES = pieceOf(',"quantiles":{');
const SOURCES = [',"source":"baseline"}', ',"source":"model"}', ',"source":"blend"}'].map(pieceOf);
const [QUOTE, COMMA, BACKSLASH, CLOSE_BRACKET, CLOSE_BRACE] = [34, 44, 92, 93, 125];
const FIXED_BYTES = 260 + PIECE_OVERRUN;
/** Of a step: its braces and names, and four numbers; and of each quantile. */
const STEP_BYTES = 70 + 4 * MAX_NUMBER_BYTES;
const QUANTILE_BYTES = 8 + 2 * MAX_NUMBER_BYTES;
/** A stream id in JSON: at most 256 characters, each at most six long. */
const MAX_STREAM_TEXT = 6 * 256 + 2;

/** What comes before the predictions of the steps: `,"forecast":[{"h":1,"prediction":`, then `},{"h":2,"prediction":` and so on. */
const openings: TextPiece[] = [];
const openingOf = (k: number): TextPiece =>
  (openings[k] ??= pieceOf(`${k === 0 ? ',"forecast":[' : '},'}{"h":${k + 1},"prediction":`));

type Closings = readonly [baseline: TextPiece, model: TextPiece, blend: TextPiece];

function closingsOf(model: string): Closings {
  const closing = (source: string): TextPiece => pieceOf(`${model},"source":"${source}"}`);
  return [closing('baseline'), closing('model'), closing('blend')];
}

/** Writes predictions one after the other. Ask `begin` for room first. */
export class OutcomeWriter {
  length = 0;
  /** What follows the numbers, by source: `,"model":…,"source":…}`; and the same for the canary's streams. */
  private readonly closings: Closings;
  private readonly canaryClosings: Closings | undefined;
  /** The topic, where it is named, and `,"offset":`. */
  private readonly offset: TextPiece;
  private readonly horizon: TextPiece;
  private readonly level: TextPiece;
  /** `"0.1":`, then `,"0.5":` and so on. */
  private readonly quantiles: readonly TextPiece[];
  /** Where several inputs are forecast, by name: `,"targets":{"a":{"prediction":`, then `,"b":{"prediction":` and so on. */
  private readonly targets: readonly TextPiece[];
  private view: DataView;

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
    const { horizon = 1, level = 0, quantiles = [], targets = [] } = plan ?? {};
    this.offset = pieceOf(`${topic === undefined ? '' : `,"topic":${JSON.stringify(topic)}`},"offset":`);
    this.horizon = pieceOf(`,"horizon":${horizon}`);
    this.level = pieceOf(`,"level":${level}`);
    this.quantiles = quantiles.map((q, k) => pieceOf(`${k === 0 ? '' : ','}"${q}":`));
    const nameOf = (name: string, k: number): TextPiece =>
      pieceOf(`${k === 0 ? ',"targets":{' : ','}${JSON.stringify(name)}:{"prediction":`);
    this.targets = targets.length > 1 ? targets.map(nameOf) : [];
    this.view = viewOf(bytes);
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
    const { view } = this;
    let at = this.head(table, slot, ts, offset);
    at = writePiece(view, at, PREDICTION);
    at = prediction === prediction ? writeNumber(view, at, prediction) : writePiece(view, at, NULL);
    at = writePiece(view, at, this.horizon);
    if (targetTs === targetTs) at = writeInteger(view, writePiece(view, at, TARGET_TS), targetTs);
    if (outputs !== undefined) {
      at = writeList(view, writePiece(view, at, OUTPUTS), outputs);
      if (softmax) at = writeList(view, writePiece(view, at, PROBABILITIES), outputs);
    }
    this.length = writePiece(view, at, (isCanary ? this.canaryClosings! : this.closings)[source]);
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
    const names = this.targets.reduce((sum, { bytes }) => sum + bytes + FIXED_BYTES + each, 0);
    this.reserve(FIXED_BYTES + MAX_STREAM_TEXT + 6 * MAX_NUMBER_BYTES + each + names + topic + 400);
    const { view, targets } = this;
    const first = i * Math.max(targets.length, 1);
    const { steps, source } = stepped;
    let at = this.head(table, slot, ts, offset);
    at = writePiece(view, at, PREDICTION);
    const last = ((first + 1) * horizon - 1) * STEP_FIELDS;
    at = this.step(at, stepped, last);
    if (hasInterval(steps, last)) at = writePiece(view, at, this.level);
    at = writePiece(view, at, this.horizon);
    if (targetTs === targetTs) at = writeInteger(view, writePiece(view, at, TARGET_TS), targetTs);
    at = this.details(at, stepped, first);
    if (targets.length > 0) {
      for (let k = 0; k < targets.length; k++) {
        at = writePiece(view, at, targets[k]);
        at = this.step(at, stepped, ((first + k + 1) * horizon - 1) * STEP_FIELDS);
        at = writePiece(view, this.details(at, stepped, first + k), SOURCES[source[first + k]]);
      }
      view.setUint8(at++, CLOSE_BRACE);
    }
    this.length = writePiece(view, at, (isCanary ? this.canaryClosings! : this.closings)[source[first]]);
  }

  /** All steps, the network's share, the anomaly: of row `row` in what has one for each target. Room must be there. */
  private details(at: number, stepped: SteppedBatch, row: number): number {
    const { horizon } = this.plan!;
    const { view } = this;
    const { weight, anomaly, source } = stepped;
    if (horizon > 1) {
      for (let k = 0, s = row * horizon * STEP_FIELDS; k < horizon; k++, s += STEP_FIELDS)
        at = this.step(writePiece(view, at, openingOf(k)), stepped, s);
      at = writePiece(view, at, LAST_STEP);
    }
    if (source[row] !== Source.baseline)
      at = writeNine(view, writePiece(view, at, WEIGHT), Math.round(1000 * weight[row]) / 1000);
    if (anomaly[row] === anomaly[row])
      at = writeNine(view, writePiece(view, at, ANOMALY), Math.round(1000 * anomaly[row]) / 1000);
    return at;
  }

  /** A step's forecast and, where there is one, its interval with its quantiles: room must be there. */
  private step(at: number, { steps, quantiles }: SteppedBatch, from: number): number {
    const { view } = this;
    const forecast = steps[from];
    if (forecast !== forecast) return writePiece(view, at, NULL);
    at = writeNine(view, at, forecast);
    if (!hasInterval(steps, from)) return at;
    at = writeNine(view, writePiece(view, at, LOWER), forecast - steps[from + 1]);
    at = writeNine(view, writePiece(view, at, UPPER), forecast + steps[from + 1]);
    const n = this.quantiles.length;
    if (n === 0) return at;
    at = writePiece(view, at, QUANTILES);
    for (let k = 0, q = (from / STEP_FIELDS) * n; k < n; k++)
      at = writeNine(view, writePiece(view, at, this.quantiles[k]), forecast + quantiles[q + k]);
    view.setUint8(at++, CLOSE_BRACE);
    return at;
  }

  /** Up to the offset: room must be there. */
  private head(table: StreamTable, slot: number, ts: number, offset: number): number {
    const { view } = this;
    let at = writePiece(view, this.length, STREAM);
    at = writeStreamId(view, at, table, slot);
    at = writeInteger(view, writePiece(view, at, TS), ts);
    return writeInteger(view, writePiece(view, at, this.offset), offset);
  }

  control(stream: string, control: string, offset: number): void {
    // Without a topic of its own JSON leaves it out.
    const text = new TextEncoder().encode(JSON.stringify({ stream, control, topic: this.topic, offset }));
    this.reserve(text.length);
    this.bytes.set(text, this.length);
    this.length += text.length;
  }

  private reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = new Uint8Array(2 * this.bytes.length + more);
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = viewOf(grown);
  }
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength);

const hasInterval = (steps: Float64Array, at: number): boolean =>
  steps[at + 1] === steps[at + 1] && steps[at] === steps[at];

function writeList(target: DataView, at: number, values: Float32Array): number {
  for (let i = 0; i < values.length; i++) {
    if (i > 0) target.setUint8(at++, COMMA);
    at = writeNumber(target, at, values[i]);
  }
  target.setUint8(at++, CLOSE_BRACKET);
  return at;
}

/** The stream's id as a JSON string; short plain ones from where the look-up just found them. */
function writeStreamId(target: DataView, at: number, { shortIds, ids }: StreamTable, slot: number): number {
  const base = slot * SHORT_ID;
  const length = shortIds[base];
  if (length === 0) return writeString(target, at, ids[slot]);
  target.setUint8(at++, QUOTE);
  for (let k = 1; k <= length; k++) target.setUint8(at++, shortIds[base + k]);
  target.setUint8(at++, QUOTE);
  return at;
}

/** A JSON string; plain ASCII takes the short way. */
function writeString(target: DataView, at: number, text: string): number {
  const start = at;
  target.setUint8(at++, QUOTE);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 32 || code > 126 || code === QUOTE || code === BACKSLASH)
      return writePiece(target, start, pieceOf(JSON.stringify(text)));
    target.setUint8(at++, code);
  }
  target.setUint8(at++, QUOTE);
  return at;
}
