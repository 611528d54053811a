/** What a tick's own time says: time of day, day of week and month as sines and cosines, in the stream's time zone. */
import { IANAZone } from 'luxon';

const MINUTE = 60_000;
const DAY = 86_400_000;
/** Zones change their offset at whole quarters of an hour at most. */
const QUARTER = 15 * MINUTE;
/** 1970-01-01 was a Thursday; weeks begin on Monday here. */
const FIRST_WEEKDAY = 3;
const YEAR = 365.2425 * DAY;

/** Two harmonics of the day, two of the week, one of the year: a sine and a cosine each. */
export const CALENDAR_FEATURES = 10;

/** Local time minus UTC in ms at an instant (ms since 1970), daylight saving included. RangeError for a zone that does not exist. */
export function zoneOffset(zone: string): (ts: number) => number {
  const iana = IANAZone.create(zone);
  if (!iana.isValid) throw new RangeError(`there is no time zone ${zone}`);
  let from = NaN;
  let offset = 0;
  return (ts) => {
    const quarter = Math.floor(ts / QUARTER);
    if (quarter !== from) {
      from = quarter;
      offset = iana.offset(ts) * MINUTE;
    }
    return offset;
  };
}

/** Writes CALENDAR_FEATURES numbers for an instant to target[at ..]; `offset`: what `zoneOffset` gives for it. */
export function writeCalendar(ts: number, offset: number, target: Float32Array, at: number): void {
  const local = ts + offset;
  const days = local / DAY;
  const day = days - Math.floor(days);
  const week = (((days + FIRST_WEEKDAY) % 7) + 7) % 7;
  harmonics(day, 2, target, at);
  harmonics(week / 7, 2, target, at + 4);
  harmonics(local / YEAR, 1, target, at + 8);
}

function harmonics(fraction: number, count: number, target: Float32Array, at: number): void {
  for (let k = 1; k <= count; k++) {
    target[at + 2 * k - 2] = Math.sin(2 * Math.PI * k * fraction);
    target[at + 2 * k - 1] = Math.cos(2 * Math.PI * k * fraction);
  }
}
