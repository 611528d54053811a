/** Labels of the axes. Each chart has its own time: recorded series show when they were recorded. */
import { compact } from './format.js';

const SECOND = 1000;
const DAY = 86_400 * SECOND;

const formats = new Map<string, Intl.DateTimeFormat>();

/** Making a formatter is slow and charts need several each draw. */
function formatter(kind: string, utc: boolean): Intl.DateTimeFormat {
  const key = `${kind} ${utc}`;
  let format = formats.get(key);
  if (format === undefined) {
    const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
    const options: Record<string, Intl.DateTimeFormatOptions> = {
      year: { year: 'numeric' },
      month: { month: 'short', year: 'numeric' },
      day: { day: 'numeric', month: 'short' },
      minute: clock,
      second: { ...clock, second: '2-digit' },
    };
    format = new Intl.DateTimeFormat('en-GB', { ...options[kind], ...(utc ? { timeZone: 'UTC' } : {}) });
    formats.set(key, format);
  }
  return format;
}

export function timeLabels(splits: readonly number[], increment: number, utc: boolean): string[] {
  const kind =
    increment >= 360 * DAY
      ? 'year'
      : increment >= 28 * DAY
        ? 'month'
        : increment >= DAY
          ? 'day'
          : increment >= 60 * SECOND
            ? 'minute'
            : 'second';
  // A span of hours over several days: midnight says which day it is.
  return splits.map((ts) =>
    kind === 'minute' && utc && ts % DAY === 0 ? formatter('day', utc).format(ts) : formatter(kind, utc).format(ts),
  );
}

export function valueLabels(splits: readonly number[]): string[] {
  const step = splits.length > 1 ? Math.abs(splits[1] - splits[0]) : 1;
  return splits.map((value) => compact(value, step));
}
