/** Turns what a pipeline does into metrics, once a batch. */
import type { ModelManifest } from '#domain/model';
import type { Clock } from '#domain/ports';
import { newTally } from '#forecasting/forecaster';
import type { Metrics, ModelInUse } from '#telemetry/metrics';
import type { PipelineService } from './pipeline-service.js';

export function observeService(
  service: PipelineService,
  metrics: Metrics,
  clock: Clock,
  { topic, partition, lag }: { topic: string; partition: number; lag?: () => number },
): void {
  const { pipeline } = service;
  let loads = { ...pipeline.loads };
  let tally = { ...pipeline.tally };
  let swaps = service.swaps;
  let canary = { tally: undefined as object | undefined, counted: newTally() };
  let models = '';
  service.onRecovered = (seconds) => metrics.recovered(seconds);
  service.onSave = (seconds) => metrics.stage('save', seconds);
  service.onOutcomes(({ outcomes, stages }) => {
    metrics.batch(outcomes, { committedAt: clock.now(), stages });
    metrics.lag({ topic, partition, consumer: lag?.(), state: pipeline.position - pipeline.watermarkOffset });
    metrics.hotStates(service.label, pipeline.hotStreams, pipeline.hotBytes);
    metrics.stateLoads('store', pipeline.loads.store - loads.store);
    metrics.stateLoads('new', pipeline.loads.new - loads.new);
    loads = { ...pipeline.loads };
    metrics.forecasts(tally, pipeline.tally, pipeline.spec.level);
    tally = { ...pipeline.tally };
    const served = pipeline.canary?.tally;
    if (served !== canary.tally) canary = { tally: served, counted: newTally() };
    if (served !== undefined) {
      metrics.canaryForecasts(canary.counted, served);
      canary.counted = { ...served };
    }
    for (; swaps < service.swaps; swaps++) metrics.modelSwapped();
    const inUse = modelsInUse(service);
    const now = inUse.map(({ name, version, role }) => `${role} ${name}@${version}`).join();
    if (now !== models) metrics.modelsInUse(service.label, inUse);
    models = now;
  });
}

function modelsInUse({ pipeline: { model, trial, canary } }: PipelineService): ModelInUse[] {
  const of = ({ name, version }: ModelManifest, role: string): ModelInUse => ({ name, version, role });
  return [
    ...(model === undefined ? [] : [of(model.manifest, 'champion')]),
    ...(trial === undefined ? [] : [of(trial.challenger, 'challenger')]),
    ...(canary === undefined ? [] : [of(canary.model, 'canary')]),
  ];
}
