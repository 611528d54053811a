/** What export and import have in common in both modes. */
import type { PipelineConfig } from '#config/config';
import { RiverrunError } from '#domain/errors';
import type { ModelRegistry } from '#domain/ports';
import { layoutId } from '#pipeline/state-codec';
import type { StateFileHeader } from './state-file.js';

export interface Imported {
  readonly streams: number;
  readonly partitions: number;
  /** The streams go on from the log's present position; false: from their own, in the log they came from. */
  readonly adopted: boolean;
  readonly notes: readonly string[];
}

/** RiverrunError STATE_LAYOUT. */
export function checkLayout({ layout }: StateFileHeader, pipeline: PipelineConfig): void {
  const wanted = layoutId(pipeline.inputs);
  if (layout !== wanted)
    throw new RiverrunError(
      'STATE_LAYOUT',
      `the file's states have layout ${layout}, pipeline ${pipeline.name} needs ${wanted}: name its inputs as they were`,
    );
}

export const statesExist = (held: number, where: string): RiverrunError =>
  new RiverrunError(
    'STATES_EXIST',
    `${held} streams of ${where} have states there already: --replace forgets them first`,
  );

/** The digest of the model that the states were made with, or null where the registry does not have it. */
export async function knownModel(
  registry: ModelRegistry,
  { partitions }: StateFileHeader,
): Promise<{ model: string | null; notes: string[] }> {
  const digests = [...new Set(partitions.flatMap(({ watermark: { model } }) => model ?? []))];
  const known = new Set((await registry.list()).map(({ digest }) => digest));
  const unknown = digests.filter((digest) => !known.has(digest));
  return {
    model: digests.find((digest) => known.has(digest)) ?? null,
    notes: unknown.map(
      (digest) =>
        `the model of digest ${digest.slice(0, 12)} is not in the registry: its streams are warmed up anew from their windows, unless it is imported before the service starts`,
    ),
  };
}
