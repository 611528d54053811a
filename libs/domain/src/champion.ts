/** The comparison in a registry's compare-and-set. */
import { RiverrunError } from './errors.js';
import { modelLabel, type ModelReference } from './model.js';
import { mustBeShare, type Canary } from './served.js';

const label = (model: ModelReference | null | undefined): string => (model ? modelLabel(model) : 'none');

export const aliasChanged = (
  pipeline: string,
  champion: ModelReference | undefined,
  expected: ModelReference | null | undefined,
): RiverrunError =>
  new RiverrunError('ALIAS_CHANGED', `the champion of ${pipeline} is ${label(champion)}, not ${label(expected)}`);

/** RiverrunError ALIAS_CHANGED unless `champion` is the expected one; null: none is expected, undefined: any will do. */
export function mustBeChampion(
  pipeline: string,
  champion: ModelReference | undefined,
  expected: ModelReference | null | undefined,
): void {
  if (expected !== undefined && label(champion) !== label(expected)) throw aliasChanged(pipeline, champion, expected);
}

/** RiverrunError ARGUMENT unless it is another model than the champion, for a share of the streams. */
export function mustBeCanary({ model, share }: Canary<ModelReference>, champion: ModelReference): void {
  mustBeShare(share);
  if (label(model) === label(champion))
    throw new RiverrunError('ARGUMENT', `${label(model)} is the champion: it serves all streams already`);
}
