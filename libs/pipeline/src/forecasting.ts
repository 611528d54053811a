/** Which forecast plan a pipeline follows: its model's, or without a model the one it is configured for. Models from outside are served raw: no plan. */
import type { ForecastSpec, ModelManifest } from '#domain/model';
import { targetCount, type PipelineSpec } from '#domain/pipeline-spec';
import type { Tally } from '#forecasting/forecaster';
import { JointForecaster } from '#forecasting/joint-forecaster';
import { wholeSeason } from '#forecasting/season';

export function forecasterFor(
  spec: PipelineSpec,
  manifest: ModelManifest | undefined,
  tally?: Tally,
): JointForecaster | undefined {
  const { level, quantiles, blend } = spec;
  if (manifest === undefined)
    // Tokens have no mean and no season.
    return spec.fields.token === undefined
      ? new JointForecaster({ ...planOf(spec), level, quantiles, blend }, tally)
      : undefined;
  if (manifest.forecast === undefined) return undefined;
  const { level: calibratedFor, ...plan } = manifest.forecast;
  return new JointForecaster({ ...plan, calibratedFor, level, quantiles, blend }, tally);
}

/** As configured; a season that is to be found is found when a model is trained. */
const planOf = (spec: PipelineSpec): ForecastSpec => ({
  horizon: spec.horizon,
  season: spec.season === 'auto' ? 0 : wholeSeason(spec.season, spec.horizon),
  regular: spec.regular === true,
  timeZone: spec.timeZone,
  targets: targetCount(spec),
});
