/** Fields of a log line as one level of plain values. Whatever comes in, something readable comes out. */
export type Flat = Record<string, string | number | boolean | null | unknown[]>;

const DEEPEST = 5;
const MOST_FIELDS = 200;
const LONGEST = 8192;

export function flatten(fields: Record<string, unknown>): Flat {
  const flat: Flat = {};
  let count = 0;
  const put = (name: string, value: Flat[string]): void => {
    // No "__proto__" can do more than be a name.
    if (count++ < MOST_FIELDS)
      Object.defineProperty(flat, name, { value, enumerable: true, configurable: true, writable: true });
  };
  const walk = (name: string, value: unknown, above: readonly object[]): void => {
    if (typeof value !== 'object' || value === null) {
      const plain = primitive(value);
      if (plain !== undefined) put(name, plain);
    } else if (above.includes(value)) put(name, '[circular]');
    else if (above.length >= DEEPEST) put(name, '[too deep]');
    else if (value instanceof Error) walkError(name, value, above);
    else if (Array.isArray(value)) put(name, items(value, [...above, value]));
    else if (value instanceof Date) put(name, Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString());
    else if (ArrayBuffer.isView(value)) put(name, `[${value.byteLength} bytes]`);
    else if (value instanceof Map || value instanceof Set) put(name, `[${value.size} entries]`);
    else walkMembers(name, value, above);
  };
  const walkMembers = (name: string, value: object, above: readonly object[]): void => {
    const path = [...above, value];
    for (const key of Object.keys(value)) {
      const member = read(value, key);
      walk(name === '' ? key : `${name}.${key}`, member, path);
    }
  };
  const walkError = (name: string, error: Error, above: readonly object[]): void => {
    const path = [...above, error];
    put(name, clip(String(read(error, 'message'))));
    put(`${name}.name`, clip(String(read(error, 'name'))));
    walk(`${name}.stack`, read(error, 'stack'), path);
    walk(`${name}.cause`, read(error, 'cause'), path);
    for (const key of Object.keys(error))
      if (!['message', 'name', 'stack', 'cause'].includes(key)) walk(`${name}.${key}`, read(error, key), path);
  };
  walkMembers('', fields, []);
  return flat;
}

/** Getters may throw. */
function read(from: object, key: string): unknown {
  try {
    return (from as Record<string, unknown>)[key];
  } catch {
    return '[unreadable]';
  }
}

function primitive(value: unknown): string | number | boolean | null | undefined {
  switch (typeof value) {
    case 'string':
      return clip(value);
    case 'number':
      // JSON has no NaN: null would hide which it was.
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'undefined':
      return undefined;
    case 'bigint':
    case 'symbol':
      return String(value);
    case 'function':
      return '[function]';
    default:
      return null;
  }
}

const clip = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);

/** Inside a list nothing can be flat: plain values, lists and objects of them, within the same bounds. */
function items(values: readonly unknown[], above: readonly object[]): unknown[] {
  const shown = values.slice(0, 100).map((value) => nested(value, above));
  return values.length > 100 ? [...shown, `… ${values.length - 100} more`] : shown;
}

function nested(value: unknown, above: readonly object[]): unknown {
  if (typeof value !== 'object' || value === null) return primitive(value) ?? null;
  if (above.includes(value)) return '[circular]';
  if (above.length >= DEEPEST) return '[too deep]';
  if (Array.isArray(value)) return items(value, [...above, value]);
  if (value instanceof Error) return clip(String(read(value, 'message')));
  if (value instanceof Date || ArrayBuffer.isView(value) || value instanceof Map || value instanceof Set)
    return flatten({ value }).value;
  const keys = Object.keys(value).slice(0, MOST_FIELDS);
  return Object.fromEntries(keys.map((key) => [key, nested(read(value, key), [...above, value])]));
}
