/** Turns what a pipeline does into metrics, once a batch. */
import type { Clock } from '#domain/ports';
import type { Metrics } from '#telemetry/metrics';
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
  let model: string | undefined;
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
    for (; swaps < service.swaps; swaps++) metrics.modelSwapped();
    if (pipeline.model !== undefined && pipeline.model.label !== model) {
      const { name, version } = pipeline.model.manifest;
      metrics.modelsInUse(service.label, [{ name, version, role: 'champion' }]);
      model = pipeline.model.label;
    }
  });
}
