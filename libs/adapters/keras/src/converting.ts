/** What is known while a model's layers are taken one after the other. */
import type { Version } from './activations.js';
import type { ChainLayer } from './chain.js';
import type { NetworkBuilder } from './network-builder.js';
import type { SavedModel, WeightPlace } from './saved-model.js';

export interface Converting {
  readonly model: SavedModel;
  readonly version: Version;
  readonly builder: NetworkBuilder;
  /** Counts layers of a class that have weights. */
  readonly ordinals: Map<string, number>;
  /** False once a layer gave out its last state only. */
  sequence: boolean;
  vocabulary?: string[];
}

export function placeOf(converting: Converting, { className, name }: ChainLayer, inner: string): WeightPlace {
  return { layer: name, className, ordinal: nextOrdinal(converting, className), inner };
}

export function nextOrdinal({ ordinals }: Converting, className: string): number {
  const ordinal = ordinals.get(className) ?? 0;
  ordinals.set(className, ordinal + 1);
  return ordinal;
}
