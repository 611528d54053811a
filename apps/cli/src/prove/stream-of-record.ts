import type { Config } from '#config/config';
import type { PipelineSpec } from '#domain/pipeline-spec';
import type { RecordBatch } from '#domain/record-batch';
import { Reference, referenceOptions } from '../audit/reference.js';

/** The stream that the batch's one record belongs to, as the pipeline reads it; undefined where it cannot be told. */
export async function streamOfRecord(
  record: RecordBatch,
  pipeline: PipelineSpec,
  config: Config,
): Promise<string | undefined> {
  const options = { ...referenceOptions(config, pipeline), hotBytes: 0 };
  const reference = await Reference.start(pipeline, record.offsets[0], () => Promise.resolve(undefined), options);
  return (await reference.take(record)).columns.stream[0];
}
