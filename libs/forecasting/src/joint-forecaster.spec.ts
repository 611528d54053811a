import { describe, expect, it } from 'vitest';
import { Forecaster } from './forecaster.js';
import { JointForecaster } from './joint-forecaster.js';

const PLAN = { horizon: 2, season: 0, timeZone: 'UTC', level: 0.9 };
/** Of each step: truths seen, their mean error in scales, and the quantile of what that makes. */
const [calm, wild] = [
  [500, 0.5, 2, 500, 0.6, 2],
  [500, 4, 3, 500, 6, 3],
];

describe('a joint forecaster', () => {
  it('says of each target what a forecaster of its own says, errors known before included', () => {
    const joint = new JointForecaster({ ...PLAN, targets: 2, calibration: [...calm, ...wild] });
    const each = [calm, wild].map((calibration) => new Forecaster({ ...PLAN, calibration }));
    const state = new Float64Array(joint.size);
    const own = each.map(({ size }) => new Float64Array(size));
    joint.reset(state);
    each.forEach((forecaster, k) => forecaster.reset(own[k]));
    const features = new Float32Array(joint.features);
    for (let t = 0; t < 40; t++) {
      const values = Float64Array.of(NaN, Math.sin(t), t % 7 === 3 ? NaN : 100 * Math.cos(t / 2));
      const outputs = Float32Array.of(9, 0.1, 0.2, -0.3, 0.4);
      joint.absorb(state, 0, 1000 * t, values, 1);
      joint.writeFeatures(state, 0, features, 0);
      joint.forecast(state, 0, outputs, 1);
      each.forEach((forecaster, k) => {
        forecaster.absorb(own[k], 0, 1000 * t, values[1 + k]);
        const wanted = new Float32Array(forecaster.plan.features);
        forecaster.writeFeatures(own[k], 0, wanted, 0);
        forecaster.forecast(own[k], 0, outputs, 1 + 2 * k);
        expect(features.subarray(k * wanted.length, (k + 1) * wanted.length)).toEqual(wanted);
        expect(joint.targets[k].plan.mixed).toEqual(forecaster.plan.mixed);
        expect(joint.targets[k].halves).toEqual(forecaster.halves);
      });
    }
    expect(state).toEqual(Float64Array.from(own.flatMap((one) => [...one])));
    expect(joint.tally.truths).toBe(each[0].tally.truths + each[1].tally.truths);
  });
});
