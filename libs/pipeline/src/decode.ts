/** Step 1: every record becomes a tick, a control or a dead letter: a value, never an exception. */
import type { DeadLetter, DeadLetterCode } from '#domain/outcome';
import type { PipelineSpec } from '#domain/pipeline-spec';
import type { RecordBatch } from '#domain/record-batch';
import { decodeUtf8, MAX_STREAM_BYTES, MAX_TS, MIN_TS, parseTick, type Vocabulary } from './parse-tick.js';
import { TickScanner } from './scan-tick.js';
import type { StreamTable } from './stream-table.js';

export const RowKind = {
  tick: 0,
  control: 1,
  deadLetter: 2,
  /** absorbed before: a replay passes over it */ absorbed: 3,
} as const;

/** The records of one batch as columns. */
export class DecodedBatch {
  readonly kind: Uint8Array;
  /** Slot in the stream table; -1 while the stream is cold (see `cold`) and for dead letters. */
  readonly slot: Int32Array;
  readonly ts: Float64Array;
  /** [count, inputs]; NaN = missing */
  readonly values: Float64Array;
  /** [count, inputs]; the same with the last known value in place of a missing one; made by `admit` */
  readonly features: Float64Array;
  readonly deadLetters = new Map<number, DeadLetter>();
  /** 1 where a tick is the first after its stream has expired; absent while there is none. Made by `admit`. */
  startsOver: Uint8Array | undefined;
  /** Streams not in the table: id -> its records. */
  readonly cold = new Map<string, number[]>();
  /** Ids of dead letters whose stream could be read. */
  readonly rejectedStreams = new Map<number, string>();

  constructor(
    readonly count: number,
    readonly inputs: number,
  ) {
    this.kind = new Uint8Array(count);
    this.slot = new Int32Array(count).fill(-1);
    this.ts = new Float64Array(count);
    this.values = new Float64Array(count * inputs);
    this.features = new Float64Array(count * inputs);
  }

  reject(i: number, code: DeadLetterCode, message: string, stream?: string): void {
    this.kind[i] = RowKind.deadLetter;
    this.deadLetters.set(i, { code, message });
    if (stream !== undefined) this.rejectedStreams.set(i, stream);
  }
}

export interface DecodeOptions {
  readonly spec: PipelineSpec;
  readonly vocabulary: Vocabulary | undefined;
  readonly maxRecordBytes: number;
  /** Off: the plain reading only (for tests that hold the two against each other). */
  readonly fast: boolean;
}

const scanner = new TickScanner();

export function decodeBatch(records: RecordBatch, table: StreamTable, options: DecodeOptions): DecodedBatch {
  const { spec, vocabulary } = options;
  const batch = new DecodedBatch(records.count, spec.inputs.length);
  const { bytes, keyStart, keyEnd, valueStart, valueEnd, timestamps } = records;
  const fast =
    options.fast &&
    vocabulary === undefined &&
    spec.inputs.length === 1 &&
    spec.timeUnit === 'ms' &&
    Object.values(spec.fields).every((f) => f === undefined);
  for (let i = 0; i < records.count; i++) {
    const start = valueStart[i];
    const end = valueEnd[i];
    if (start < 0) batch.reject(i, 'TOMBSTONE', 'the record has no value');
    else if (end - start > options.maxRecordBytes)
      batch.reject(i, 'TOO_LARGE', `the value has ${end - start} bytes, the limit is ${options.maxRecordBytes}`);
    else if (!(fast && scanner.scan(bytes, start, end) && acceptScanned(batch, i, records, table)))
      decodePlainly(batch, i, records, table, options);
    if (batch.kind[i] === RowKind.tick && batch.ts[i] !== batch.ts[i]) {
      const ts = timestamps[i];
      if (ts >= MIN_TS && ts <= MAX_TS) batch.ts[i] = ts;
      else batch.reject(i, 'TIMESTAMP', `no time in the value, and the record's timestamp is ${ts}`);
    }
  }
  return batch;

  /** False where the plain reading must decide. */
  function acceptScanned(batch: DecodedBatch, i: number, records: RecordBatch, table: StreamTable): boolean {
    let start = scanner.streamStart;
    let end = scanner.streamEnd;
    const key = keyStart[i];
    if (start < 0) {
      if (key < 0) return false;
      start = key;
      end = keyEnd[i]!;
      for (let k = start; k < end; k++) if (bytes[k] > 126) return false;
    } else if (key >= 0) {
      if (keyEnd[i] - key !== end - start) return false;
      for (let k = key, s = start; s < end; k++, s++) if (bytes[k] !== bytes[s]) return false;
    }
    if (start === end || end - start > MAX_STREAM_BYTES) return false;
    const { ts } = scanner;
    if (ts < MIN_TS || ts > MAX_TS) return false;
    const slot = table.findAscii(bytes, start, end);
    batch.ts[i] = Math.floor(ts);
    batch.values[i] = scanner.value;
    if (slot >= 0) batch.slot[i] = slot;
    else rememberCold(batch, decodeUtf8(records.bytes.subarray(start, end))!, i);
    return true;
  }
}

function decodePlainly(
  batch: DecodedBatch,
  i: number,
  records: RecordBatch,
  table: StreamTable,
  { spec, vocabulary }: DecodeOptions,
): void {
  const { bytes, keyStart, keyEnd, valueStart, valueEnd } = records;
  const parsed = parseTick(bytes.subarray(valueStart[i], valueEnd[i]), spec, vocabulary);
  const key = keyStart[i] < 0 ? undefined : decodeUtf8(bytes.subarray(keyStart[i], keyEnd[i]));
  if (parsed.kind === 'failure') return batch.reject(i, parsed.code, parsed.message, parsed.stream ?? key);
  if (keyStart[i] >= 0 && key === undefined && spec.fields.stream === undefined)
    return batch.reject(i, 'STREAM_ID', 'the key is not UTF-8');
  const stream = parsed.stream ?? key;
  if (stream === undefined) return batch.reject(i, 'STREAM_ID', 'neither a key nor a stream field');
  const size = utf8Length(stream);
  if (size === 0 || size > MAX_STREAM_BYTES || !isWellFormed(stream))
    return batch.reject(
      i,
      'STREAM_ID',
      `a stream id has 1 to ${MAX_STREAM_BYTES} bytes of UTF-8, this one has ${size}`,
    );
  if (spec.fields.stream === undefined && key !== undefined && key !== stream)
    return batch.reject(i, 'KEY_MISMATCH', `the key and the stream field differ`, stream);
  const slot = table.find(stream);
  if (slot >= 0) batch.slot[i] = slot;
  else rememberCold(batch, stream, i);
  if (parsed.kind === 'control') {
    batch.kind[i] = RowKind.control;
    return;
  }
  batch.ts[i] = parsed.ts;
  batch.values.set(parsed.values, i * batch.inputs);
}

function rememberCold(batch: DecodedBatch, id: string, i: number): void {
  const rows = batch.cold.get(id);
  if (rows === undefined) batch.cold.set(id, [i]);
  else rows.push(i);
}

const UTF8 = new TextEncoder();
const utf8Length = (text: string): number => UTF8.encode(text).length;
/** No lone surrogates: they have no UTF-8. */
const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);
