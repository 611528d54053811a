import fc from 'fast-check';
import { DateTime } from 'luxon';
import { describe, expect, it } from 'vitest';
import { parseTime } from './parse-time.js';

const iso = (text: string, zone = 'UTC', after?: number): string => {
  const ms = parseTime(text, zone, after);
  return Number.isNaN(ms) ? 'NaN' : new Date(ms).toISOString();
};
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

describe('parseTime', () => {
  it.each([
    ['2024-01-31', '2024-01-31T00:00:00.000Z'],
    ['2024-01-31 07:05', '2024-01-31T07:05:00.000Z'],
    [' 2024-01-31T07:05:09 ', '2024-01-31T07:05:09.000Z'],
    ['2024-01-31T07:05:09.5', '2024-01-31T07:05:09.500Z'],
    ['2024-01-31T07:05:09.123456789Z', '2024-01-31T07:05:09.123Z'],
    ['2024-01-31T07:05:09+02:00', '2024-01-31T05:05:09.000Z'],
    ['2024-01-31 07:05:09 -0330', '2024-01-31T10:35:09.000Z'],
    ['2024-01-31T07:05+01', '2024-01-31T06:05:00.000Z'],
    ['2024-12-31T24:00:00', '2025-01-01T00:00:00.000Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z'],
    ['1/31/2024', '2024-01-31T00:00:00.000Z'],
    ['1/31/2024 7:05', '2024-01-31T07:05:00.000Z'],
    ['1/31/2024 7:05:09 PM', '2024-01-31T19:05:09.000Z'],
    ['1/31/2024 12:05 AM', '2024-01-31T00:05:00.000Z'],
    ['31.1.2024 07:05', '2024-01-31T07:05:00.000Z'],
    ['2010/01/01 00:00', '2010-01-01T00:00:00.000Z'],
    ['2010-1-1', '2010-01-01T00:00:00.000Z'],
    ['Jan 1 2000', '2000-01-01T00:00:00.000Z'],
    ['September 30, 2000 23:59', '2000-09-30T23:59:00.000Z'],
    ['Sept 30 2000', '2000-09-30T00:00:00.000Z'],
    ['01-Mar-2000', '2000-03-01T00:00:00.000Z'],
    ['1700000000', '2023-11-14T22:13:20.000Z'],
    ['1700000000.25', '2023-11-14T22:13:20.250Z'],
    ['1700000000000', '2023-11-14T22:13:20.000Z'],
    ['1700000000000000', '2023-11-14T22:13:20.000Z'],
    ['1700000000000000000', '2023-11-14T22:13:20.000Z'],
    ['-86400', '1969-12-31T00:00:00.000Z'],
  ])('%s', (text, expected) => {
    expect(iso(text)).toBe(expected);
  });

  it.each(
    [
      '',
      'yesterday',
      '2023-02-29',
      '2024-13-01',
      '2024-01-32',
      '2024-01-01T25:00',
      '2024-01-01T24:01',
      '2024-01-01T10',
      '13/13/2024',
      '31/1/2024',
    ].concat([
      '2024-01-01T10:00:60',
      '2024-01-01T10:00+25',
      '2024-01-01T10:00:00.',
      '2024-01-01T1o:00',
      'Jax 1 2000',
      '1/1/2024 13:00 PM',
      '0x10',
      'NaN',
    ]),
  )('%s is unreadable', (text) => {
    expect(iso(text)).toBe('NaN');
  });

  it('reads local times in their zone', () => {
    expect(iso('2024-07-01 12:00', 'Europe/Berlin')).toBe('2024-07-01T10:00:00.000Z');
    expect(iso('2024-01-01 12:00', 'Europe/Berlin')).toBe('2024-01-01T11:00:00.000Z');
    expect(iso('2024-01-01 12:00', 'Asia/Kathmandu')).toBe('2024-01-01T06:15:00.000Z');
    expect(iso('2024-07-01T12:00Z', 'Europe/Berlin')).toBe('2024-07-01T12:00:00.000Z');
    expect(() => parseTime('2024-01-01', 'Mars/Olympus')).toThrow(/IANA/);
  });

  it('a local time that does not exist is unreadable', () => {
    expect(iso('2024-03-31 01:59', 'Europe/Berlin')).toBe('2024-03-31T00:59:00.000Z');
    expect(iso('2024-03-31 02:30', 'Europe/Berlin')).toBe('NaN');
    expect(iso('2024-03-31 03:00', 'Europe/Berlin')).toBe('2024-03-31T01:00:00.000Z');
  });

  it('rows of the repeated hour keep their order', () => {
    const walls = ['01:30', '02:00', '02:30', '02:00', '02:30', '03:00'];
    let after = -Infinity;
    const times = walls.map((wall) => (after = parseTime(`2024-10-27 ${wall}`, 'Europe/Berlin', after)));
    expect(times.map((ms) => new Date(ms).toISOString().slice(0, 16))).toEqual(
      ['23:30', '00:00', '00:30', '01:00', '01:30', '02:00'].map((t, i) => `2024-10-${i === 0 ? 26 : 27}T${t}`),
    );
  });

  it(`agrees with luxon, SEED=${seed}`, () => {
    const zone = fc.constantFrom(
      'America/New_York',
      'Europe/Berlin',
      'Australia/Lord_Howe',
      'Africa/Casablanca',
      'Asia/Kolkata',
      'Pacific/Apia',
      'UTC',
    );
    const moment = fc.integer({ min: Date.UTC(1975, 0), max: Date.UTC(2037, 0) });
    fc.assert(
      fc.property(moment, zone, (ms, name) => {
        const time = DateTime.fromMillis(ms, { zone: name });
        expect(parseTime(time.toISO() ?? '', 'UTC')).toBe(ms);
        // Told what came before, a local time finds the very moment, the second of two included.
        expect(parseTime(time.toFormat('yyyy-MM-dd HH:mm:ss.SSS'), name, ms - 1)).toBe(ms);
      }),
      { seed, numRuns: 2000 },
    );
  });
});
