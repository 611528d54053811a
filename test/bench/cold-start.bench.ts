/** npm run bench:cold-start [-- SERIES (60) LEVEL (0.9)]: what new streams are told, with the model that ships and without a model. Series of families that it has not been trained on (`SERIES` of each, 500 ticks),
 *  and the recorded series of the demo, cut into streams of 502 rows. For forecasts made at ticks 1-10, 11-100 and 101-500: `error`, the mean absolute error of what is served over that of
 *  the best baseline there (persistence, or it with one autoregressive term; each series in units of its mean change), and the intervals' coverage; `firstInterval`, the
 *  median first tick with one. Prints one JSON document. */
import { recordedSeries } from '#adapters/csv/recorded-series';
import { loadDefaultModel } from '#default-model/default-model';
import type { ModelArtifact } from '#domain/model';
import { lagError } from '#forecasting/lag-error';
import { FAMILIES, series } from './cold-families.js';
import { PHASES, runCold } from './cold-run.js';

const ROWS = 502;
/** A piece of a recorded series says something of the first phases, at least, and of the last one too. */
const LEAST_ROWS = 120;
const count = Number(process.argv[2] ?? 60);
const level = Number(process.argv[3] ?? 0.9);

interface Figures {
  readonly error: number[];
  readonly coverage: number[];
  readonly firstInterval: number;
}

function figures(streams: readonly Float64Array[], model: ModelArtifact | undefined): Figures {
  const units = streams.map((rows) =>
    lagError(
      rows.filter((_, i) => i % 2 === 1),
      1,
    ),
  );
  const runs = streams.map((rows) => runCold(rows, model, level));
  const sum = (p: number, field: 'served' | 'persistence' | 'statistical'): number =>
    runs.reduce((total, { phases }, k) => total + phases[p][field] / units[k], 0);
  const total = (p: number, field: 'held' | 'intervals'): number =>
    runs.reduce((all, { phases }) => all + phases[p][field], 0);
  const first = runs.map(({ firstInterval }) => firstInterval ?? Infinity).sort((a, b) => a - b);
  return {
    error: PHASES.map((_, p) => sum(p, 'served') / Math.min(sum(p, 'persistence'), sum(p, 'statistical'))),
    coverage: PHASES.map((_, p) => total(p, 'held') / total(p, 'intervals')),
    firstInterval: first[first.length >> 1],
  };
}

/** Its consecutive pieces: each is a new stream. */
function pieces(ts: Float64Array, values: Float64Array): Float64Array[] {
  const streams: Float64Array[] = [];
  for (let from = 0; from === 0 || from + LEAST_ROWS <= values.length; from += ROWS) {
    const n = Math.min(ROWS, values.length - from);
    streams.push(Float64Array.from({ length: 2 * n }, (_, i) => (i % 2 === 0 ? ts : values)[from + (i >> 1)]));
  }
  return streams;
}

const rounded = (x: number): number => Math.round(x * 1000) / 1000;
const told = ({ error, coverage, firstInterval }: Figures): unknown => ({
  error: error.map(rounded),
  coverage: coverage.map((share) => (Number.isNaN(share) ? null : rounded(share))),
  firstInterval,
});

/** Over families or series, geometrically: each counts the same. */
const meanError = (all: readonly Figures[]): number[] =>
  PHASES.map((_, p) => rounded(Math.exp(all.reduce((sum, { error }) => sum + Math.log(error[p]), 0) / all.length)));

const model = await loadDefaultModel();
const streams: Record<'unseen' | 'recorded', Record<string, Float64Array[]>> = { unseen: {}, recorded: {} };
Object.entries(FAMILIES).forEach(([name, make], f) => {
  streams.unseen[name] = Array.from({ length: count }, (_, i) => series(make, 104_729 * i + f, ROWS));
});
for (const { id, ts, values } of await recordedSeries()) streams.recorded[id] = pieces(ts, values);

const results: Record<string, unknown> = {};
for (const [kind, groups] of Object.entries(streams)) {
  const all = Object.entries(groups).map(([name, some]) => ({
    name,
    withModel: figures(some, model),
    without: figures(some, undefined),
  }));
  results[kind] = {
    withModel: meanError(all.map(({ withModel }) => withModel)),
    without: meanError(all.map(({ without }) => without)),
    each: all.map(({ name, withModel, without }) => ({ name, withModel: told(withModel), without: told(without) })),
  };
}
process.stdout.write(`${JSON.stringify({ phases: PHASES, count, ...results }, null, 2)}\n`);
