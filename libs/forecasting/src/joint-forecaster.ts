/** All that is kept of a stream to forecast its targets: what a forecaster keeps of each, one after the other. They share one network, which is given the features of all
 *  and says what becomes of each; bases, mixtures, intervals and accounts are a target's own. */
import { Forecaster, newTally, type ForecasterOptions, type Tally } from './forecaster.js';
import type { PlanShape } from './plan-shape.js';

export interface JointOptions extends ForecasterOptions {
  /** How many are forecast: a tick's first values. Default: 1. */
  readonly targets?: number | undefined;
  /** As in ForecasterOptions, those of each target after the other. */
  readonly calibration?: readonly number[] | undefined;
}

export class JointForecaster {
  /** In the order of a tick's values. */
  readonly targets: readonly Forecaster[];
  /** Floats of one target in a stream's state, and of the whole. */
  readonly part: number;
  readonly size: number;
  /** Numbers that `writeFeatures` writes. */
  readonly features: number;

  /** `tally` goes on counting where another forecaster has stopped. */
  constructor(
    readonly options: JointOptions,
    readonly tally: Tally = newTally(),
  ) {
    const { targets = 1, calibration = [], ...each } = options;
    const pool = calibration.length / targets;
    this.targets = Array.from(
      { length: targets },
      (_, k) => new Forecaster({ ...each, calibration: calibration.slice(k * pool, (k + 1) * pool) }, tally),
    );
    this.part = this.targets[0].size;
    this.size = targets * this.part;
    this.features = targets * this.targets[0].plan.features;
  }

  get horizon(): number {
    return this.targets[0].horizon;
  }

  /** Floats of one are those of another of the same shape. */
  get shape(): PlanShape {
    const [{ wide, size, horizon, options }, { length: targets }] = [this.targets[0], this.targets];
    return { targets, horizon, season: options.season, regular: options.regular === true, wide, size };
  }

  /** A stream as on its first day. */
  reset(state: Float64Array, at = 0): void {
    this.targets.forEach((target, k) => target.reset(state, at + k * this.part));
  }

  /** See `ForecastPlan.catchUp`: the targets have the same ticks. */
  catchUp(state: Float64Array, at: number, ts: number): void {
    const { targets, part } = this;
    for (let k = 0; k < targets.length; k++) targets[k].plan.catchUp(state, at + k * part, ts);
  }

  /** See `Forecaster.absorb`; the tick's values are values[from ..]. */
  absorb(state: Float64Array, at: number, ts: number, values: Float64Array, from: number): void {
    const { targets, part } = this;
    for (let k = 0; k < targets.length; k++) targets[k].absorb(state, at + k * part, ts, values[from + k]);
  }

  writeFeatures(state: Float64Array, at: number, target: Float32Array, to: number): void {
    const { targets, part } = this;
    for (let k = 0; k < targets.length; k++)
      targets[k].writeFeatures(state, at + k * part, target, to + k * targets[k].plan.features);
  }

  /** Each target's forecasts are in its forecaster, and hold until the next call. outputs[from ..]: what the network says, [targets, H]. */
  forecast(state: Float64Array, at: number, outputs: Float32Array | undefined, from = 0): void {
    const { targets, part, horizon } = this;
    for (let k = 0; k < targets.length; k++) targets[k].forecast(state, at + k * part, outputs, from + k * horizon);
  }
}
