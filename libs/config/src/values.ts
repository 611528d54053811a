/** The kinds of values settings have. Each takes what the environment (text) or a YAML file (text, number, boolean, list) holds; a failing one
 *  says only what is expected, because whether the value itself may be shown depends on the setting. */
import * as z from 'zod';

function kind<T>(
  read: (text: string) => T | undefined,
  expected: string,
  options?: { anyScalar?: boolean },
): z.ZodType<T> {
  return z.unknown().transform((value, context): T => {
    const scalar = typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint';
    // `007` in YAML is the number 7: text that must arrive letter for letter is refused unless it is text there.
    const text = typeof value === 'string' ? value : scalar && options?.anyScalar !== false ? String(value) : undefined;
    const result = text === undefined ? undefined : read(text);
    if (result !== undefined) return result;
    context.addIssue({ code: 'custom', message: `expected ${expected}` });
    return z.NEVER;
  });
}

export const listed = (words: readonly string[], last = 'or'): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;

export const choice = <const T extends string>(...words: T[]): z.ZodType<T> =>
  kind((text) => words.find((word) => word === text), listed(words));

export const matching = (pattern: RegExp, expected: string): z.ZodType<string> =>
  kind((text) => (pattern.test(text) ? text : undefined), expected);

/** Text taken letter for letter; in YAML it has to be quoted where it would read as something else. */
export const verbatim = (pattern: RegExp, expected: string): z.ZodType<string> =>
  kind((text) => (pattern.test(text) ? text : undefined), expected, { anyScalar: false });

export const integer = (least: number, most: number): z.ZodType<number> =>
  kind(
    (text) => (/^-?\d{1,15}$/.test(text) ? within(Number(text), least, most) : undefined),
    `a whole number from ${least} to ${most}`,
  );

export const fraction = (least: number, most: number): z.ZodType<number> =>
  kind(
    (text) => (/^\d+(\.\d+)?$/.test(text) ? within(Number(text), least, most) : undefined),
    `a fraction from ${least} to ${most}, such as 0.9`,
  );

const within = (n: number, least: number, most: number): number | undefined =>
  n >= least && n <= most ? n : undefined;

const ON = new Set(['on', 'true', 'yes', '1']);
const OFF = new Set(['off', 'false', 'no', '0']);

export const flag = (): z.ZodType<boolean> =>
  kind((text) => (ON.has(text.toLowerCase()) ? true : OFF.has(text.toLowerCase()) ? false : undefined), 'on or off');

const MILLISECONDS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Timers take 2^31 - 1 ms at most and fire at once beyond it. */
const LONGEST = 24 * MILLISECONDS.d;

/** `500ms`, `6s`, `15m`, `1.5h`, `1d` as milliseconds. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)$/.exec(text);
  return match === null ? undefined : Math.round(Number(match[1]) * MILLISECONDS[match[2]]);
}

/** The shortest way to write it that reads back as the same. */
export function formatDuration(ms: number): string {
  const unit = ['d', 'h', 'm', 's'].find((u) => ms > 0 && ms % MILLISECONDS[u] === 0) ?? 'ms';
  return `${ms / MILLISECONDS[unit]}${unit}`;
}

export const duration = (least: number, most = LONGEST): z.ZodType<number> =>
  kind(
    (text) => within(parseDuration(text) ?? NaN, least, most),
    `a duration from ${formatDuration(least)} to ${formatDuration(most)}, such as 500ms, 6s, 15m or 1h`,
  );

/** A duration, or null for `off`. */
export const durationOrOff = (least: number, most = LONGEST): z.ZodType<number | null> =>
  kind<number | null>(
    (text) => (OFF.has(text.toLowerCase()) ? null : within(parseDuration(text) ?? NaN, least, most)),
    `off or a duration from ${formatDuration(least)} to ${formatDuration(most)}, such as 15m`,
  );

/** Powers of 1024, as Kafka and Redis count them. */
const BYTES: Record<string, number> = { '': 1, B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 };

export function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?) ?([KMGT]?)(?:i?(B))?$/i.exec(text);
  return match === null
    ? undefined
    : Math.floor(Number(match[1]) * BYTES[match[2] === '' ? '' : `${match[2].toUpperCase()}B`]);
}

export function formatBytes(bytes: number): string {
  const unit = ['GB', 'MB', 'KB'].find((u) => bytes > 0 && bytes % BYTES[u] === 0) ?? '';
  return `${bytes / BYTES[unit]}${unit}`;
}

export const bytes = (least: number, most: number): z.ZodType<number> =>
  kind(
    (text) => within(parseBytes(text) ?? NaN, least, most),
    `a size from ${formatBytes(least)} to ${formatBytes(most)}, such as 512KB, 64MB or 1GB`,
  );

/** Comma-separated text or a YAML list, of different items. */
export function list(item: z.ZodType<string>, expected: string): z.ZodType<string[]> {
  return z.unknown().transform((value, context): string[] => {
    const parts: unknown[] = typeof value === 'string' ? value.split(',').map((part) => part.trim()) : [value].flat();
    const read = parts.map((part) => item.safeParse(part));
    const items = read.flatMap((result) => (result.success ? [result.data] : []));
    if (items.length === parts.length && items.length > 0 && new Set(items).size === items.length) return items;
    context.addIssue({ code: 'custom', message: `expected ${expected}, each once` });
    return z.NEVER;
  });
}

export const topic = (): z.ZodType<string> =>
  matching(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/, 'a topic name (letters, digits, . _ -, at most 249)');

export const hostAndPort = (): z.ZodType<string> =>
  kind((text) => {
    const match = /^(?:[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.%]+\]):(\d{1,5})$/.exec(text);
    return match !== null && within(Number(match[1]), 1, 65_535) !== undefined ? text : undefined;
  }, 'host:port');

/** RFC 6901, and not the empty pointer: a whole record is never one field. */
export const jsonPointer = (): z.ZodType<string> =>
  verbatim(/^(\/([^~/]|~[01])*)+$/, 'a JSON Pointer such as /payload/value (~0 for ~, ~1 for /)');

export const timeZone = (): z.ZodType<string> =>
  kind((text) => (isTimeZone(text) ? text : undefined), 'an IANA time zone such as Europe/Berlin or UTC');

function isTimeZone(name: string): boolean {
  // Newer runtimes also take +02:00, which is an offset and no zone.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
