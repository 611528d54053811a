import { DateTime } from 'luxon';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CALENDAR_FEATURES, writeCalendar, zoneOffset } from './calendar.js';

const features = (ts: number, zone: string): number[] => {
  const target = new Float32Array(CALENDAR_FEATURES);
  writeCalendar(ts, zoneOffset(zone)(ts), target, 0);
  return [...target];
};
const angle = (sine: number, cosine: number): number => (Math.atan2(sine, cosine) / (2 * Math.PI) + 1) % 1;
/** Distance on a circle of circumference 1. */
const apart = (a: number, b: number): number => Math.abs(((a - b + 1.5) % 1) - 0.5);

describe('calendar features', () => {
  it('are the local time of day and day of week that luxon gives, daylight saving included', () => {
    const zones = fc.constantFrom('UTC', 'America/New_York', 'Europe/Berlin', 'Asia/Kathmandu', 'Australia/Lord_Howe');
    const instants = fc.integer({ min: Date.UTC(1990, 0, 1), max: Date.UTC(2035, 0, 1) });
    fc.assert(
      fc.property(instants, zones, (ts, zone) => {
        const local = DateTime.fromMillis(ts, { zone });
        const clock = (3600 * local.hour + 60 * local.minute + local.second + local.millisecond / 1000) / 86_400;
        const [sd, cd, , , sw, cw] = features(ts, zone);
        expect(apart(angle(sd, cd), clock)).toBeLessThan(1e-5);
        expect(apart(angle(sw, cw), (local.weekday - 1 + clock) / 7)).toBeLessThan(1e-5);
      }),
    );
  });

  it('come again after a week to the hour of the clock, over a change of the hour too', () => {
    const offset = zoneOffset('America/New_York');
    const before = Date.UTC(2015, 2, 6, 17);
    const after = before + 7 * 86_400_000;
    expect(offset(after) - offset(before)).toBe(3_600_000);
    const [a, b] = [features(before, 'America/New_York'), features(after - 3_600_000, 'America/New_York')];
    a.slice(0, 8).forEach((x, i) => expect(x).toBeCloseTo(b[i], 5));
  });

  it('know which zones there are', () => {
    expect(() => zoneOffset('Mars/Olympus')).toThrow(/there is no time zone Mars/);
  });
});
