/** The plain reading of a record's value: any JSON, any configured field, every way of being wrong named. It defines what the fast reading must equal. */
import type { DeadLetterCode } from '#domain/outcome';
import type { NamedInput, PipelineSpec } from '#domain/pipeline-spec';
import { MAX_FLOAT32 } from '#rnn/float32';
import { parseTime } from './parse-time.js';

/** The first and the last millisecond a tick may carry: years 1 to 2199. A clock gone wild must not move a stream's time for good. */
export const MIN_TS = -62_135_596_800_000;
export const MAX_TS = 7_258_118_399_999;
export const MAX_STREAM_BYTES = 256;

export interface ParsedTick {
  readonly kind: 'tick';
  readonly stream: string | undefined;
  /** NaN: the record's timestamp counts. */
  readonly ts: number;
  /** One for each input; NaN = missing. For token pipelines the token's id. */
  readonly values: readonly number[];
}
export interface ParsedControl {
  readonly kind: 'control';
  readonly stream: string | undefined;
  readonly control: 'reset';
}
export interface ParseFailure {
  readonly kind: 'failure';
  readonly code: DeadLetterCode;
  readonly message: string;
  readonly stream?: string | undefined;
}
export type Parsed = ParsedTick | ParsedControl | ParseFailure;

/** What a token pipeline's model understands. */
export interface Vocabulary {
  readonly size: number;
  readonly ids: ReadonlyMap<string, number>;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const UNIT_MS = { s: 1000, ms: 1, us: 1e-3, ns: 1e-6 } as const;
const fail = (code: DeadLetterCode, message: string, stream?: string): ParseFailure => ({
  kind: 'failure',
  code,
  message,
  stream,
});

/** UTF-8 text, or undefined where the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}

export function parseTick(bytes: Uint8Array, spec: PipelineSpec, vocabulary: Vocabulary | undefined): Parsed {
  const text = decodeUtf8(bytes);
  if (text === undefined) return fail('MALFORMED', 'the value is not UTF-8');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return fail('MALFORMED', `the value is not JSON: ${(error as Error).message.slice(0, 120)}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return fail('MALFORMED', `the value is ${kindOf(json)}, not a JSON object`);
  const stream = readStream(json, spec);
  if (typeof stream === 'object') return stream;
  const control = own(json, 'control');
  if (control !== undefined) {
    if (control !== 'reset')
      return fail('MALFORMED', `unknown control ${shown(control)}: only "reset" is known`, stream);
    return { kind: 'control', stream, control };
  }
  const ts = readTime(json, spec);
  if (typeof ts === 'object') return { ...ts, stream };
  const values = vocabulary === undefined ? readValues(json, spec) : readToken(json, spec, vocabulary);
  if (!Array.isArray(values)) return { ...values, stream };
  return { kind: 'tick', stream, ts, values: values };
}

function readStream(json: object, spec: PipelineSpec): string | undefined | ParseFailure {
  const configured = spec.fields.stream;
  const stream = configured === undefined ? own(json, 'stream') : pointer(json, configured);
  if (stream === undefined && configured === undefined) return undefined;
  if (configured !== undefined && typeof stream === 'number' && Number.isSafeInteger(stream)) return String(stream);
  if (typeof stream !== 'string')
    return fail('STREAM_ID', `${configured ?? '/stream'} is ${kindOf(stream)}, not a string`);
  return stream;
}

function readTime(json: object, spec: PipelineSpec): number | ParseFailure {
  const field = spec.fields.time;
  const raw = field === undefined ? own(json, 'ts') : pointer(json, field);
  if (raw === undefined || raw === null) return NaN;
  const ms =
    typeof raw === 'number'
      ? Math.floor(raw * UNIT_MS[spec.timeUnit])
      : typeof raw === 'string'
        ? parseTime(raw, spec.timeZone)
        : NaN;
  if (!(ms >= MIN_TS && ms <= MAX_TS))
    return fail(
      'TIMESTAMP',
      `${field ?? '/ts'} is ${shown(raw)}: not a time between the years 1 and 2199 (unit ${spec.timeUnit})`,
    );
  return ms;
}

function readValues(json: object, spec: PipelineSpec): number[] | ParseFailure {
  const { inputs, named, fields } = spec;
  if (fields.values !== undefined) return collect(fields.values, named, (at) => pointer(json, at));
  const names = named?.map(({ name }) => name) ?? inputs;
  const values = own(json, 'values');
  if (Array.isArray(values)) {
    if (values.length !== names.length)
      return fail(
        'VALUE',
        `/values has ${values.length} entries, the pipeline has ${names.length} inputs: ${names.join(', ')}`,
      );
    return collect(names, named, (_, i) => values[i] as unknown);
  }
  if (typeof values === 'object' && values !== null) return collect(names, named, (name) => own(values, name));
  if (values !== undefined && values !== null)
    return fail('VALUE', `/values is ${kindOf(values)}, not an object or an array`);
  const value = own(json, 'value');
  if (value === undefined && values === undefined && own(json, 'token') !== undefined)
    return fail('TOKEN', 'a token, but the active model has no vocabulary');
  if (names.length > 1 && value !== undefined && value !== null)
    return fail(
      'VALUE',
      `/value given, but the pipeline has ${names.length} inputs: give /values with ${names.join(', ')}`,
    );
  return collect(names, named, () => value);
}

function collect(
  names: readonly string[],
  named: readonly NamedInput[] | undefined,
  read: (name: string, i: number) => unknown,
): number[] | ParseFailure {
  const values: number[] = [];
  for (let i = 0; i < names.length; i++) {
    const raw = read(names[i], i);
    const ahead = named?.[i].ahead ?? 0;
    const several = ahead > 0 && Array.isArray(raw);
    const given: readonly unknown[] = several ? raw : [raw];
    if (given.length > 1 + ahead)
      return fail('VALUE', `${names[i]} has ${given.length} entries: at most ${1 + ahead} are known, now and ahead`);
    for (let k = 0; k <= ahead; k++) {
      const value = given[k];
      if (value === undefined || value === null) values.push(NaN);
      // Beyond float32 a value has no meaning to the network.
      else if (typeof value === 'number' && Math.abs(value) <= MAX_FLOAT32) values.push(value);
      else {
        const which = several ? `${names[i]}/${k}` : names[i];
        return fail('VALUE', `${which} is ${shown(value)}: not a number within float32, null or absent`);
      }
    }
  }
  return values;
}

function readToken(json: object, spec: PipelineSpec, vocabulary: Vocabulary): number[] | ParseFailure {
  const raw = spec.fields.token === undefined ? own(json, 'token') : pointer(json, spec.fields.token);
  if (typeof raw === 'number') {
    if (Number.isInteger(raw) && raw >= 0 && raw < vocabulary.size) return [raw];
    return fail('TOKEN', `token ${raw} is outside 0..${vocabulary.size - 1}`);
  }
  if (typeof raw !== 'string') return fail('TOKEN', `the token is ${kindOf(raw)}, not a string or an integer id`);
  const id = vocabulary.ids.get(raw) ?? vocabulary.ids.get(raw.toLowerCase()) ?? vocabulary.ids.get('[UNK]');
  if (id === undefined) return fail('TOKEN', `token ${shown(raw)} is not in the model's vocabulary`);
  return [id];
}

/** Own properties only: `__proto__` and friends are names like any other. */
const own = (object: object, name: string): unknown =>
  Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined;

/** JSON Pointer, RFC 6901. */
function pointer(json: unknown, path: string): unknown {
  let value = json;
  if (path === '') return value;
  for (const part of path.slice(1).split('/')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = own(value, part.replaceAll('~1', '/').replaceAll('~0', '~'));
  }
  return value;
}

const kindOf = (value: unknown): string =>
  value === undefined
    ? 'absent'
    : value === null
      ? 'null'
      : Array.isArray(value)
        ? 'an array'
        : typeof value === 'object'
          ? 'an object'
          : `a ${typeof value}`;

/** Never the JSON of an object or an array: JSON.parse reads nestings so deep that JSON.stringify runs out of stack, and no record may stop the log. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60)).slice(0, 60);
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : kindOf(value);
}
