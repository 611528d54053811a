/** Numbers and times as people read them. */

const MISSING = '–';
const PREFIXES = ['', 'k', 'M', 'G', 'T'];

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export const count = (n: number): string => grouped.format(n).replaceAll(',', '\u202f');

/** About four significant digits, without the exponent of everyday sizes. */
export function number(x: number | null): string {
  if (x === null || !Number.isFinite(x)) return MISSING;
  // Rounded first: 99.997 is "100.0", in line with 100.
  const size = Math.abs(Number(x.toPrecision(4)));
  if (size === 0) return '0';
  if (size >= 1e7 || size < 1e-4) return minus(x.toExponential(2));
  if (size >= 1000) return minus(size >= 1e5 ? count(x) : grouped1(x));
  return minus(x.toFixed(size >= 100 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4));
}

/** Bytes and other large sizes get a prefix: 1.36 MB/s. */
export function quantity(x: number | null, unit: string): string {
  if (x === null || !Number.isFinite(x)) return MISSING;
  if (!unit.startsWith('B')) return unit === '' ? number(x) : `${number(x)}\u202f${unit}`;
  // Bytes are whole: what is left over where a forecast says none is rounding.
  if (Math.abs(x) < 1e-3) return `0\u202f${unit}`;
  const power = prefixOf(x);
  return `${number(x / 1000 ** power)}\u202f${PREFIXES[power]}${unit}`;
}

/** For an axis with little room. */
export function compact(x: number, step: number): string {
  const power = Math.abs(x) >= 1e4 ? prefixOf(x) : 0;
  const scaled = x / 1000 ** power;
  const decimals = Math.min(4, Math.max(0, -Math.floor(Math.log10(Math.max(step / 1000 ** power, 1e-9)) + 1e-9)));
  return minus(scaled.toFixed(decimals)) + PREFIXES[power];
}

const prefixOf = (x: number): number =>
  Math.abs(x) < 1 ? 0 : Math.min(PREFIXES.length - 1, Math.floor(Math.log10(Math.abs(x)) / 3));

const grouped1 = (x: number): string => x.toFixed(x >= 1e4 || x <= -1e4 ? 0 : 1);
const minus = (text: string): string => text.replaceAll('-', '−');

/** "12 s", "3 min", "2 h", "4 days" */
export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 90) return `${s} s`;
  if (s < 90 * 60) return `${Math.round(s / 60)} min`;
  if (s < 36 * 3600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} days`;
}

const DAY = 86_400_000;
/** Recorded series carry calendar days in UTC; shown in local time they would start the evening before. */
export const isRecorded = (ts: number, now: number): boolean => Math.abs(now - ts) > DAY;

const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** The clock for live ticks; the date, in UTC, for recorded ones. */
export function moment(ts: number, now: number): string {
  if (!isRecorded(ts, now)) return time.format(ts);
  const iso = new Date(ts).toISOString();
  return ts % DAY === 0 ? iso.slice(0, 10) : `${iso.slice(0, 10)} ${iso.slice(11, 16)}`;
}
