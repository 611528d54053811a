/** Reads the ways people write times. ISO 8601 takes a fast path; the zone only matters for local times, those written without an offset. */
import { IANAZone } from 'luxon';

const DAY = 86_400_000;

/** ms since 1970, or NaN: unreadable, or a local time that the zone skips in spring.
 *
 *  A local time that occurs twice in autumn is its first occurrence later than `after` (the row before), or the second where both are not: rows in
 *  order stay in order. Bare numbers are epochs in s, ms, us or ns by their size (below 1e11, 1e14, 1e17, above). */
export function parseTime(text: string, zone: string, after = -Infinity): number {
  const t = text.trim();
  const iso = parseIso(t);
  if (iso !== undefined) return iso.absolute ? iso.ms : fromLocal(iso.ms, zone, after);
  if (/^-?\d+(\.\d+)?$/.test(t)) return parseEpoch(Number(t));
  const local = parseWords(t);
  return local === undefined ? NaN : fromLocal(local, zone, after);
}

function parseEpoch(n: number): number {
  const size = Math.abs(n);
  return size < 1e11 ? Math.round(n * 1000) : size < 1e14 ? n : size < 1e17 ? Math.floor(n / 1e3) : Math.floor(n / 1e6);
}

const digit = (text: string, i: number): number => text.charCodeAt(i) - 48;
const two = (text: string, i: number): number => {
  const [tens, ones] = [digit(text, i), digit(text, i + 1)];
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN;
};

/** `YYYY-MM-DD`, alone or with `T`, `t` or a blank and `HH:MM[:SS[.f]]`, then nothing, `Z`, `±HH`, `±HHMM` or `±HH:MM`. By hand: a regular expression
 *  costs as much as everything else a row needs. */
function parseIso(t: string): { ms: number; absolute: boolean } | undefined {
  if (t.length < 10 || t[4] !== '-' || t[7] !== '-') return undefined;
  const date = civil(two(t, 0) * 100 + two(t, 2), two(t, 5), two(t, 8));
  if (Number.isNaN(date)) return undefined;
  if (t.length === 10) return { ms: date, absolute: false };
  if (t.length < 16 || (t[10] !== 'T' && t[10] !== ' ' && t[10] !== 't') || t[13] !== ':') return undefined;
  let [i, seconds] = [16, 0];
  if (t[i] === ':') [i, seconds] = [19, two(t, 17)];
  const clock = timeOfDay(two(t, 11), two(t, 14), seconds);
  if (Number.isNaN(clock)) return undefined;
  let ms = date + clock;
  if (i === 19 && (t[i] === '.' || t[i] === ',')) {
    const from = ++i;
    while (digit(t, i) >= 0 && digit(t, i) <= 9) i++;
    if (i === from) return undefined;
    ms += Number(
      t
        .slice(from, from + 3)
        .slice(0, i - from)
        .padEnd(3, '0'),
    );
  }
  if (i === t.length) return { ms, absolute: false };
  const offset = parseOffset(t.slice(t[i] === ' ' ? i + 1 : i));
  return offset === undefined ? undefined : { ms: ms - offset, absolute: true };
}

function parseOffset(text: string): number | undefined {
  if (text === 'Z' || text === 'z') return 0;
  const match = /^([+-])(\d\d)(?::?(\d\d))?$/.exec(text);
  if (match === null) return undefined;
  const minutes = Number(match[2]) * 60 + Number(match[3] ?? 0);
  return minutes > 18 * 60 || Number(match[3] ?? 0) > 59 ? undefined : (match[1] === '-' ? -1 : 1) * minutes * 60_000;
}

const CLOCK = String.raw`(?:[ T,]+(\d{1,2}):(\d\d)(?::(\d\d))?(?: ?([AaPp])\.?[Mm]\.?)?)?$`;
const SLASHED = new RegExp(String.raw`^(\d{1,2})/(\d{1,2})/(\d{4})${CLOCK}`); // month first, as in the United States
const YEAR_FIRST = new RegExp(String.raw`^(\d{4})[/-](\d{1,2})[/-](\d{1,2})${CLOCK}`);
const DOTTED = new RegExp(String.raw`^(\d{1,2})\.(\d{1,2})\.(\d{4})${CLOCK}`); // day first, as in most of Europe
const MONTH_NAMED = new RegExp(String.raw`^([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})${CLOCK}`);
const DAY_THEN_NAME = new RegExp(String.raw`^(\d{1,2})[ -]([A-Za-z]{3,9})\.?[ -](\d{4})${CLOCK}`);
const MONTHS = 'january february march april may june july august september october november december'.split(' ');

function parseWords(t: string): number | undefined {
  let m: RegExpExecArray | null;
  if ((m = YEAR_FIRST.exec(t)) !== null) return assemble(m[1], m[2], m[3], m);
  if ((m = SLASHED.exec(t)) !== null) return assemble(m[3], m[1], m[2], m);
  if ((m = DOTTED.exec(t)) !== null) return assemble(m[3], m[2], m[1], m);
  if ((m = MONTH_NAMED.exec(t)) !== null) return assemble(m[3], monthOf(m[1]), m[2], m);
  if ((m = DAY_THEN_NAME.exec(t)) !== null) return assemble(m[3], monthOf(m[2]), m[1], m);
  return undefined;
}

const monthOf = (name: string): number => {
  const known = MONTHS.findIndex(
    (month) => month === name.toLowerCase() || month.slice(0, name.length === 4 ? 4 : 3) === name.toLowerCase(),
  );
  return known < 0 ? NaN : known + 1;
};

function assemble(
  year: string,
  month: string | number,
  day: string,
  [, , , , h, min, s, half]: RegExpExecArray,
): number | undefined {
  let hour = Number(h ?? 0);
  if ((half as string | undefined) !== undefined) {
    if (hour < 1 || hour > 12) return undefined;
    hour = (hour % 12) + (half.toLowerCase() === 'p' ? 12 : 0);
  }
  const ms = civil(Number(year), Number(month), Number(day)) + timeOfDay(hour, Number(min ?? 0), Number(s ?? 0));
  return Number.isNaN(ms) ? undefined : ms;
}

function civil(year: number, month: number, day: number): number {
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) return NaN;
  // Date.UTC takes the years 0 to 99 for 1900 to 1999.
  return year >= 100 ? Date.UTC(year, month - 1, day) : NaN;
}

const daysIn = (year: number, month: number): number =>
  month === 2
    ? (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
      ? 29
      : 28
    : month === 4 || month === 6 || month === 9 || month === 11
      ? 30
      : 31;

const timeOfDay = (hour: number, minute: number, second: number): number =>
  (hour <= 23 && minute <= 59 && second <= 59) || (hour === 24 && minute === 0 && second === 0)
    ? ((hour * 60 + minute) * 60 + second) * 1000
    : NaN;

/** Wall-clock time (as if it were UTC) to the moment it names in the zone. */
function fromLocal(wall: number, zone: string, after: number): number {
  if (zone === 'UTC') return wall;
  const offsets = zoneOf(zone);
  const day = Math.floor(wall / DAY);
  // No zone changes twice within three days: equal offsets around mean that one, always.
  const [before, behind] = [offsets.atDay(day - 1), offsets.atDay(day + 2)];
  if (before === behind) return wall - before;
  const moments = [wall - before, wall - behind]
    .filter((ms, i) => offsets.at(ms) === [before, behind][i])
    .sort((a, b) => a - b);
  return moments.find((ms) => ms > after) ?? moments.at(-1) ?? NaN;
}

/** A zone's offsets in ms; those of whole days are remembered, because asking Intl costs microseconds. */
class ZoneOffsets {
  private readonly zone: IANAZone;
  private readonly days = new Map<number, number>();

  constructor(name: string) {
    this.zone = IANAZone.create(name);
  }

  at(ms: number): number {
    return Math.round(this.zone.offset(ms) * 60_000);
  }

  atDay(day: number): number {
    let offset = this.days.get(day);
    if (offset === undefined) {
      if (this.days.size > 50_000) this.days.clear();
      this.days.set(day, (offset = this.at(day * DAY)));
    }
    return offset;
  }
}

const zones = new Map<string, ZoneOffsets>();

function zoneOf(name: string): ZoneOffsets {
  let zone = zones.get(name);
  if (zone === undefined) {
    if (!IANAZone.isValidZone(name)) throw new RangeError(`"${name}" is not an IANA time zone such as Europe/Berlin`);
    zones.set(name, (zone = new ZoneOffsets(name)));
  }
  return zone;
}
