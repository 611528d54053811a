/** A stream as people see it: out of its columns, or out of its stored state. */
import { TRANSFORMS } from '#domain/model';
import type { PipelineSpec } from '#domain/pipeline-spec';
import type { StreamScores } from '#forecasting/accounts';
import { Forecaster } from '#forecasting/forecaster';
import { planIn, readState } from './state-codec.js';
import { Field, FIELDS_PER_INPUT, Source, StreamTable } from './stream-table.js';

export interface StreamView {
  readonly id: string;
  readonly ticks: number;
  readonly ts: number;
  readonly offset: number;
  /** Last known value of each input. */
  readonly values: number[];
  /** The newest forecast, as far ahead as is forecast; null before the first value; and when that tick is expected, null while the spacing is unknown. */
  readonly prediction: number | null;
  readonly targetTs: number | null;
  readonly source: 'model' | 'blend' | 'baseline';
  /** Mean absolute errors over the same recent ticks; null until something has been scored. */
  readonly maeModel: number | null;
  readonly maePersistence: number | null;
  /** Under a forecast plan: the newest forecasts at the steps that learn, with their intervals (null until calibrated); what forecasts have been worth. */
  readonly forecast?: readonly StepView[];
  readonly scores?: ScoresView;
}

export interface StepView {
  readonly h: number;
  readonly prediction: number | null;
  readonly lower: number | null;
  readonly upper: number | null;
  /** Where the pipeline has quantiles. */
  readonly quantiles?: Readonly<Record<string, number | null>>;
}

/** null where nothing is known yet. */
export type ScoresView = { readonly [name in keyof StreamScores]: number | null };

export function viewOf(table: StreamTable, slot: number): StreamView {
  const inputs = table.tailStride / 16 - 1;
  const base = slot * table.fields;
  const field = (f: number): number => table.meta[base + f];
  const plan = planView(table, slot);
  const steps = plan?.forecast?.at(-1)?.h ?? 1;
  const scored = field(Field.evaluations) > 0;
  return {
    id: table.ids[slot],
    ticks: field(Field.count),
    ts: field(Field.ts),
    offset: field(Field.offset),
    values: Array.from({ length: inputs }, (_, k) => field(Field.inputs + FIELDS_PER_INPUT * k)),
    prediction: orNull(field(Field.expected)),
    targetTs: field(Field.spacing) > 0 ? field(Field.ts) + Math.round(steps * field(Field.spacing)) : null,
    source: SOURCES.get(field(Field.source)) ?? 'baseline',
    maeModel: plan === undefined ? (scored ? field(Field.modelError) : null) : plan.scores!.mae,
    maePersistence: plan === undefined ? (scored ? field(Field.baselineError) : null) : plan.scores!.maePersistence,
    ...plan,
  };
}

const SOURCES = new Map<number, StreamView['source']>([
  [Source.model, 'model'],
  [Source.blend, 'blend'],
]);

function planView(table: StreamTable, slot: number): Pick<StreamView, 'forecast' | 'scores'> | undefined {
  const { forecaster, planned, plans } = table;
  if (forecaster === undefined || planned[slot] === 0) return undefined;
  const at = table.planAt(slot);
  const scores = forecaster.scores(plans, at);
  const { quantiles: levels = [] } = forecaster.options;
  return {
    forecast: forecaster.newest(plans, at).map(({ h, prediction, half, quantiles }) => ({
      h,
      prediction: orNull(prediction),
      lower: orNull(prediction - half),
      upper: orNull(prediction + half),
      ...(levels.length > 0 && { quantiles: Object.fromEntries(levels.map((q, k) => [q, orNull(quantiles[k])])) }),
    })),
    scores: Object.fromEntries(Object.entries(scores).map(([name, x]) => [name, orNull(x as number)])) as ScoresView,
  };
}

/** JSON has no NaN. */
export const orNull = (x: number): number | null => (Number.isFinite(x) ? x : null);

const PLANS = TRANSFORMS.flatMap((transform) => [false, true].map((gaps) => ({ transform, gaps })));

/** RiverrunError STATE_CORRUPT. */
export function viewOfState(
  id: string,
  state: Uint8Array,
  inputs: number,
  { level, quantiles }: Pick<PipelineSpec, 'level' | 'quantiles'>,
): StreamView {
  const shape = planIn(state, inputs);
  const forecaster = shape && forecasterOf(shape, level, quantiles);
  const table = new StreamTable(1, inputs, forecaster);
  const slot = table.insert(id, 0);
  readState(state, table, slot, undefined);
  return viewOf(table, slot);
}

/** What is looked at depends on no zone, and on the level in the Winkler score alone; what the network is given shows in the size. undefined: the plan has other quantiles. */
function forecasterOf(
  { horizon, season, wide, size }: NonNullable<ReturnType<typeof planIn>>,
  level: number,
  quantiles: readonly number[] | undefined,
): Forecaster | undefined {
  for (const plan of PLANS) {
    const forecaster = new Forecaster({ horizon, season, timeZone: 'UTC', level, quantiles, ...plan });
    if (forecaster.hasShape(horizon, season, wide, size)) return forecaster;
  }
  return undefined;
}
