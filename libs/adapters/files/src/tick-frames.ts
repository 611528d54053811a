/** The frames of the tick log. Records lie in their frame as they lie in memory, so that a frame's buffer is the batch its reader gets.
 *
 *  records:  0 f64 base offset   8 u32 count   12 u32 arena bytes   16 u32 source bytes   20 u32 position bytes
 *            24 f64 timestamps[count], i32 keyStart[count], keyEnd, valueStart, valueEnd, arena, source, position, topic (the rest)
 *  commit:   0 f64 c   8 u32 dead letters   12 i32 model bytes (-1: none)   16 model, then for each dead letter:
 *            f64 offset, f64 timestamp, u32 code bytes, u32 message bytes, i32 key bytes (-1: null), i32 value bytes (-1: null), the four parts;
 *            then their topic (the rest)
 *  header:   JSON, first in each file: what must outlive the files before it
 *
 *  The topic comes last, where the first version of these frames ends: a frame of that version has none, and a program of that version reads past it. */
import type { OutcomeBatch } from '#domain/outcome';
import type { SourcePosition } from '#domain/ports';
import { keyOf, valueOf, type RecordBatch } from '#domain/record-batch';
import { FRAME_HEADER, frameBytes, frameOf, sealFrame } from './frame.js';
import { usedRange } from '#domain/merge-batches';

export const TickFrame = { header: 1, records: 2, commit: 3 } as const;
const FIXED = 24;
const BYTES_A_RECORD = 24;

export interface LogHeader {
  readonly base: number;
  readonly committed: number;
  readonly sources: readonly (readonly [source: string, position: string])[];
}

export interface StoredDeadLetter {
  readonly topic: string;
  readonly offset: number;
  readonly code: string;
  readonly message: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** The record's own timestamp. */
  readonly ts: number;
}

export interface LogCommit {
  readonly committed: number;
  readonly model: string | null;
  /** Of the dead letters. */
  readonly topic: string;
  readonly deadLetters: readonly StoredDeadLetter[];
}

export const headerFrame = (header: LogHeader): Uint8Array =>
  frameOf(TickFrame.header, Buffer.from(JSON.stringify(header)));

export const decodeHeader = (payload: Uint8Array): LogHeader =>
  JSON.parse(Buffer.from(payload).toString('utf8')) as LogHeader;

/** The frame, and the batch that lies in it. Copies once: the caller may use its batch's memory again. */
export function encodeRecords(
  records: RecordBatch,
  base: number,
  source: SourcePosition | undefined,
): { frame: Uint8Array; payload: Uint8Array } {
  const { count } = records;
  const [low, high] = usedRange(records);
  const sourceName = Buffer.from(source?.source ?? '');
  const sourcePosition = Buffer.from(source?.position ?? '');
  const topic = Buffer.from(records.topic);
  const length =
    FIXED + BYTES_A_RECORD * count + (high - low) + sourceName.length + sourcePosition.length + topic.length;
  const buffer = new Uint8Array(frameBytes(length));
  const view = new DataView(buffer.buffer, FRAME_HEADER);
  view.setFloat64(0, base, true);
  [count, high - low, sourceName.length, sourcePosition.length].forEach((n, k) => view.setUint32(8 + 4 * k, n, true));
  let at = FRAME_HEADER + FIXED;
  new Float64Array(buffer.buffer, at, count).set(records.timestamps.subarray(0, count));
  at += 8 * count;
  for (const column of [records.keyStart, records.keyEnd, records.valueStart, records.valueEnd]) {
    const target = new Int32Array(buffer.buffer, at, count);
    target.set(column.subarray(0, count));
    if (low > 0) for (let i = 0; i < count; i++) if (target[i] >= 0) target[i] -= low;
    at += 4 * count;
  }
  for (const part of [records.bytes.subarray(low, high), sourceName, sourcePosition, topic]) {
    buffer.set(part, at);
    at += part.length;
  }
  return { frame: sealFrame(buffer, TickFrame.records, length), payload: buffer.subarray(FRAME_HEADER, at) };
}

export interface RecordsHead {
  readonly base: number;
  readonly count: number;
}

export function recordsHead(payload: Uint8Array): RecordsHead {
  const view = new DataView(payload.buffer, payload.byteOffset, FIXED);
  return { base: view.getFloat64(0, true), count: view.getUint32(8, true) };
}

export function decodeSource(payload: Uint8Array): SourcePosition | undefined {
  const [count, arena, source, position] = new Uint32Array(payload.buffer, payload.byteOffset + 8, 4);
  if (source === 0) return undefined;
  const at = FIXED + BYTES_A_RECORD * count + arena;
  const text = (from: number, length: number): string =>
    Buffer.from(payload.buffer, payload.byteOffset + from, length).toString('utf8');
  return { source: text(at, source), position: text(at + source, position) };
}

/** The batch lies over the payload's memory. `fallback` is the topic of records whose frame names none. */
export function decodeRecords(payload: Uint8Array, fallback: string): RecordBatch {
  const { base, count } = recordsHead(payload);
  const [, arena, source, position] = new Uint32Array(payload.buffer, payload.byteOffset + 8, 4);
  const topic = topicFrom(payload, FIXED + BYTES_A_RECORD * count + arena + source + position, fallback);
  const at = payload.byteOffset + FIXED;
  const column = (k: number): Int32Array => new Int32Array(payload.buffer, at + 8 * count + 4 * k * count, count);
  const offsets = new Float64Array(count);
  for (let i = 0; i < count; i++) offsets[i] = base + i;
  return {
    topic,
    partition: 0,
    count,
    bytes: new Uint8Array(payload.buffer, at + BYTES_A_RECORD * count, arena),
    keyStart: column(0),
    keyEnd: column(1),
    valueStart: column(2),
    valueEnd: column(3),
    timestamps: new Float64Array(payload.buffer, at, count),
    offsets,
  };
}

const topicFrom = (payload: Uint8Array, at: number, fallback: string): string =>
  at < payload.length ? Buffer.from(payload.subarray(at)).toString('utf8') : fallback;

const EMPTY = new Uint8Array(0);
const LETTER_HEAD = 32;

/** The dead letters of a batch, copied out of it. */
export function deadLettersOf(outcomes: OutcomeBatch): StoredDeadLetter[] {
  const { records, deadLetters } = outcomes;
  const inOrder = [...deadLetters].sort(([a], [b]) => a - b);
  return inOrder.map(([i, { code, message }]) => ({
    topic: records.topic,
    offset: records.offsets[i],
    code,
    message,
    key: keyOf(records, i)?.slice() ?? null,
    value: valueOf(records, i)?.slice() ?? null,
    ts: records.timestamps[i],
  }));
}

export function commitFrame({ committed, model, topic, deadLetters }: LogCommit): Uint8Array {
  const modelBytes = Buffer.from(model ?? '');
  const topicBytes = Buffer.from(topic);
  const letters = deadLetters.map((letter) => ({
    letter,
    parts: [Buffer.from(letter.code), Buffer.from(letter.message), letter.key, letter.value],
  }));
  const length = letters.reduce(
    (sum, { parts }) => sum + LETTER_HEAD + parts.reduce((n, part) => n + (part?.length ?? 0), 0),
    16 + modelBytes.length + topicBytes.length,
  );
  const buffer = new Uint8Array(frameBytes(length));
  const view = new DataView(buffer.buffer);
  let at = FRAME_HEADER;
  view.setFloat64(at, committed, true);
  view.setUint32(at + 8, letters.length, true);
  view.setInt32(at + 12, model === null ? -1 : modelBytes.length, true);
  buffer.set(modelBytes, at + 16);
  at += 16 + modelBytes.length;
  for (const { letter, parts } of letters) {
    view.setFloat64(at, letter.offset, true);
    view.setFloat64(at + 8, letter.ts, true);
    parts.forEach((part, k) => view.setInt32(at + 16 + 4 * k, part?.length ?? -1, true));
    at += LETTER_HEAD;
    for (const part of parts) {
      buffer.set(part ?? EMPTY, at);
      at += part?.length ?? 0;
    }
  }
  buffer.set(topicBytes, at);
  return sealFrame(buffer, TickFrame.commit, length);
}

/** `fallback` is the topic of dead letters whose frame names none. */
export function decodeCommit(payload: Uint8Array, fallback: string): LogCommit {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const text = (from: number, to: number): string => Buffer.from(payload.subarray(from, to)).toString('utf8');
  const modelLength = view.getInt32(12, true);
  let at = 16 + Math.max(0, modelLength);
  const model = modelLength < 0 ? null : text(16, at);
  const letters: Omit<StoredDeadLetter, 'topic'>[] = [];
  for (let n = view.getUint32(8, true); n > 0; n--) {
    const [code, message, key, value] = [16, 20, 24, 28].map((k) => view.getInt32(at + k, true));
    const head = { offset: view.getFloat64(at, true), ts: view.getFloat64(at + 8, true) };
    const from = at + LETTER_HEAD;
    const keyAt = from + code + message;
    const valueAt = keyAt + Math.max(0, key);
    at = valueAt + Math.max(0, value);
    letters.push({
      ...head,
      code: text(from, from + code),
      message: text(from + code, keyAt),
      key: key < 0 ? null : payload.slice(keyAt, valueAt),
      value: value < 0 ? null : payload.slice(valueAt, at),
    });
  }
  const topic = topicFrom(payload, at, fallback);
  return {
    committed: view.getFloat64(0, true),
    model,
    topic,
    deadLetters: letters.map((letter) => ({ topic, ...letter })),
  };
}
