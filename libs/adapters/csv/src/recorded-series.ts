/** The recorded series of the demo: real measurements out of the npm package vega-datasets, read when first asked for. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { isReject } from './csv.types.js';
import { readCsvTicks } from './read-csv-ticks.js';

export interface RecordedSeries {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** ms between rows as recorded */
  readonly cadence: number;
  /** Where the values come from. */
  readonly source: string;
  /** ms since 1970, ascending */
  readonly ts: Float64Array;
  readonly values: Float64Array;
}

interface Recorded extends Omit<RecordedSeries, 'ts' | 'values'> {
  readonly file: string;
  readonly time: string;
  readonly column: string;
  /** Only this stream of the file. */
  readonly only?: { readonly column: string; readonly value: string };
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const seattle = { file: 'seattle-weather.csv', time: 'date', cadence: DAY, source: 'NOAA, Seattle, daily 2012-2015' };
const normals = {
  file: 'seattle-weather-hourly-normals.csv',
  time: 'date',
  cadence: HOUR,
  source: 'NOAA, Seattle, hourly normals 1981-2010',
};
const stocks = {
  file: 'stocks.csv',
  time: 'date',
  column: 'price',
  unit: 'USD',
  cadence: 30.4375 * DAY,
  source: 'Yahoo Finance, monthly 2000-2010',
};

const RECORDED: readonly Recorded[] = [
  {
    id: 'seattle.temp_max',
    title: 'Seattle, highest temperature of the day',
    unit: '°C',
    column: 'temp_max',
    ...seattle,
  },
  {
    id: 'seattle.temp_min',
    title: 'Seattle, lowest temperature of the day',
    unit: '°C',
    column: 'temp_min',
    ...seattle,
  },
  { id: 'seattle.wind', title: 'Seattle, wind', unit: 'm/s', column: 'wind', ...seattle },
  {
    id: 'seattle.hourly.temperature',
    title: 'Seattle, temperature by the hour',
    unit: '°C',
    column: 'temperature',
    ...normals,
  },
  {
    id: 'sp500.close',
    title: 'S&P 500, close of the day',
    unit: 'points',
    file: 'sp500-2000.csv',
    time: 'date',
    column: 'close',
    cadence: DAY,
    source: 'Yahoo Finance, daily 2000-2020',
  },
  {
    id: 'co2.mauna_loa',
    title: 'CO₂ on Mauna Loa',
    unit: 'ppm',
    file: 'co2-concentration.csv',
    time: 'Date',
    column: 'CO2',
    cadence: 30.4375 * DAY,
    source: 'Scripps CO2 Program, monthly 1958-2020',
  },
  { id: 'stocks.AAPL', title: 'Apple, share price', only: { column: 'symbol', value: 'AAPL' }, ...stocks },
  { id: 'stocks.MSFT', title: 'Microsoft, share price', only: { column: 'symbol', value: 'MSFT' }, ...stocks },
];

let loaded: Promise<RecordedSeries[]> | undefined;

/** Read when first asked for, and kept: two typed arrays a series. */
export const recordedSeries = (): Promise<RecordedSeries[]> =>
  (loaded ??= Promise.all(
    RECORDED.map(async ({ file, time, column, only, ...about }) => ({
      ...about,
      ...(await read(file, time, column, only)),
    })),
  ));

/** The package's entry is JavaScript; its data lie beside it, unexported, and need nothing of it. */
const dataDirectory = (): string =>
  join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '..', 'data');

async function read(
  file: string,
  timeColumn: string,
  column: string,
  only: Recorded['only'],
): Promise<Pick<RecordedSeries, 'ts' | 'values'>> {
  const ts: number[] = [];
  const values: number[] = [];
  const options = {
    timeColumn,
    valueColumns: [column],
    streamColumn: only?.column,
    timeZone: 'UTC',
    parseTime: parseUtc,
  };
  for await (const batch of readCsvTicks(join(dataDirectory(), file), options)) {
    for (const row of batch) {
      if (isReject(row) || (only !== undefined && row.stream !== only.value)) continue;
      ts.push(row.ts);
      values.push(row.values[0]);
    }
  }
  return { ts: Float64Array.from(ts), values: Float64Array.from(values) };
}

/** Days and standard-time hours (the normals have all 24 even where clocks change): as UTC they are evenly spaced, which is what they are. */
function parseUtc(text: string): number {
  return Date.parse(text.includes('T') ? `${text}Z` : `${text} UTC`);
}
