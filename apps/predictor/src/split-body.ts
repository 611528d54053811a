/** Cuts a request's body into records without parsing them: each keeps its very bytes, so that a bad one spoils only itself. */
import { RiverrunError } from '#domain/errors';
import { RecordBatchBuilder, type RecordBatch } from '#domain/record-batch';

const [QUOTE, BACKSLASH, COMMA, OPEN_ARRAY, CLOSE_ARRAY, OPEN, CLOSE, NEWLINE] = [34, 92, 44, 91, 93, 123, 125, 10];
const isSpace = (byte: number): boolean => byte === 32 || byte === 9 || byte === 10 || byte === 13;

/** A record takes some 200 bytes besides its own until it is answered: so many a request, whatever its length. */
const MAX_RECORDS = 1 << 18;
const tooMany = (): RiverrunError =>
  new RiverrunError(
    'TOO_LARGE',
    `more than ${MAX_RECORDS} ticks in one request: send them in several; nothing was taken`,
  );

export type BodyKind = 'one' | 'array' | 'ndjson';

/** A JSON array's elements, or one record a line, or the whole body as one record. RiverrunError EMPTY | MALFORMED (an array that does not close). */
export function splitBody(
  body: Uint8Array,
  ndjson: boolean,
): { kind: BodyKind; ranges: [start: number, end: number][] } {
  let start = 0;
  let end = body.length;
  while (start < end && isSpace(body[start])) start += 1;
  while (end > start && isSpace(body[end - 1])) end -= 1;
  if (start === end)
    throw new RiverrunError('EMPTY', 'the body is empty: send one tick, an array of ticks, or one tick a line');
  if (ndjson) return { kind: 'ndjson', ranges: lines(body, start, end) };
  if (body[start] === OPEN_ARRAY) return { kind: 'array', ranges: elements(body, start, end) };
  return { kind: 'one', ranges: [[start, end]] };
}

export function toRecords(
  body: Uint8Array,
  ranges: readonly (readonly [number, number])[],
  topic: string,
  now: number,
): RecordBatch {
  const builder = new RecordBatchBuilder();
  for (const [start, end] of ranges) builder.add(null, body.subarray(start, end), now);
  return builder.build(topic, 0, 0);
}

function lines(body: Uint8Array, start: number, end: number): [number, number][] {
  const ranges: [number, number][] = [];
  for (let from = start; from < end;) {
    let to = body.indexOf(NEWLINE, from);
    if (to < 0 || to > end) to = end;
    let last = to;
    while (last > from && isSpace(body[last - 1])) last -= 1;
    if (last > from && ranges.push([from, last]) > MAX_RECORDS) throw tooMany();
    from = to + 1;
  }
  return ranges;
}

function elements(body: Uint8Array, start: number, end: number): [number, number][] {
  const ranges: [number, number][] = [];
  let depth = 0;
  let inString = false;
  let from = start + 1;
  const add = (to: number): void => {
    let last = to;
    while (from < last && isSpace(body[from])) from += 1;
    while (last > from && isSpace(body[last - 1])) last -= 1;
    if (ranges.push([from, last]) > MAX_RECORDS) throw tooMany();
    from = to + 1;
  };
  for (let at = start; at < end; at++) {
    const byte = body[at];
    if (inString) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === OPEN || byte === OPEN_ARRAY) depth += 1;
    else if (byte === CLOSE || byte === CLOSE_ARRAY) {
      depth -= 1;
      if (depth === 0) {
        if (at !== end - 1 || byte !== CLOSE_ARRAY) break;
        add(at);
        return ranges.length === 1 && ranges[0][0] === ranges[0][1] ? [] : ranges;
      }
    } else if (byte === COMMA && depth === 1) add(at);
  }
  throw new RiverrunError('MALFORMED', 'the body begins as a JSON array but does not end as one: nothing was taken');
}
