/** A stream as people see it: out of its columns, or out of its stored state. */
import { TRANSFORMS } from '#domain/model';
import type { PipelineSpec } from '#domain/pipeline-spec';
import type { StreamScores } from '#forecasting/accounts';
import { JointForecaster } from '#forecasting/joint-forecaster';
import { haveSameShape, type PlanShape } from '#forecasting/plan-shape';
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
  /** Where several inputs are forecast: of each the same, by name; what stands outside is the first one's. */
  readonly targets?: Readonly<Record<string, TargetView>>;
}

export interface TargetView {
  readonly prediction: number | null;
  readonly forecast: readonly StepView[];
  readonly scores: ScoresView;
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

/** `targets`: names of the inputs that are forecast, where they are several. */
export function viewOf(table: StreamTable, slot: number, targets: readonly string[] = []): StreamView {
  const inputs = table.tailStride / 16 - 1;
  const base = slot * table.fields;
  const field = (f: number): number => table.meta[base + f];
  const plans = planViews(table, slot);
  const plan = plans?.[0];
  const steps = plan?.forecast.at(-1)?.h ?? 1;
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
    maeModel: plan === undefined ? (scored ? field(Field.modelError) : null) : plan.scores.mae,
    maePersistence: plan === undefined ? (scored ? field(Field.baselineError) : null) : plan.scores.maePersistence,
    ...(plan && { forecast: plan.forecast, scores: plan.scores }),
    ...(targets.length > 1 && plans && { targets: Object.fromEntries(targets.map((name, k) => [name, plans[k]])) }),
  };
}

const SOURCES = new Map<number, StreamView['source']>([
  [Source.model, 'model'],
  [Source.blend, 'blend'],
]);

function planViews({ forecaster, planned, plans }: StreamTable, slot: number): TargetView[] | undefined {
  if (forecaster === undefined || planned[slot] === 0) return undefined;
  const { quantiles: levels = [] } = forecaster.options;
  return forecaster.targets.map((target, k) => {
    const at = slot * forecaster.size + k * forecaster.part;
    const newest = target.newest(plans, at);
    const scores = Object.entries(target.scores(plans, at)).map(([name, x]) => [name, orNull(x as number)]);
    return {
      prediction: orNull(newest[newest.length - 1].prediction),
      forecast: newest.map(({ h, prediction, half, quantiles }) => ({
        h,
        prediction: orNull(prediction),
        lower: orNull(prediction - half),
        upper: orNull(prediction + half),
        ...(levels.length > 0 && { quantiles: Object.fromEntries(levels.map((q, j) => [q, orNull(quantiles[j])])) }),
      })),
      scores: Object.fromEntries(scores) as ScoresView,
    };
  });
}

/** JSON has no NaN. */
export const orNull = (x: number): number | null => (Number.isFinite(x) ? x : null);

const PLANS = TRANSFORMS.flatMap((transform) => [false, true].map((gaps) => ({ transform, gaps })));

/** RiverrunError STATE_CORRUPT. */
export function viewOfState(
  id: string,
  state: Uint8Array,
  inputs: number,
  { level, quantiles, targets }: Pick<PipelineSpec, 'level' | 'quantiles' | 'targets'>,
): StreamView {
  const shape = planIn(state, inputs);
  const forecaster = shape && forecasterOf(shape, level, quantiles);
  const table = new StreamTable(1, inputs, forecaster);
  const slot = table.insert(id, 0);
  readState(state, table, slot, undefined);
  return viewOf(table, slot, targets);
}

/** What is looked at depends on no zone, and on the level in the Winkler score alone; what the network is given shows in the size. undefined: the plan has other quantiles. */
function forecasterOf(
  shape: PlanShape,
  level: number,
  quantiles: readonly number[] | undefined,
): JointForecaster | undefined {
  const { targets, horizon, season, regular } = shape;
  for (const plan of PLANS) {
    const forecaster = new JointForecaster({
      targets,
      horizon,
      season,
      regular,
      timeZone: 'UTC',
      level,
      quantiles,
      ...plan,
    });
    if (haveSameShape(forecaster.shape, shape)) return forecaster;
  }
  return undefined;
}
