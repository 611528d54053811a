/** What the three file formats have in common: a description of layers, and weights to be asked for layer by layer. */
import type { Version } from './activations.js';
import type { Json } from './json.js';

export interface Tensor {
  /** The array's own name where the format has one: kernel, recurrent_kernel, bias, … */
  readonly role?: string;
  /** For messages. */
  readonly name: string;
  readonly shape: readonly number[];
  read(): Float32Array;
}

/** Where a layer's arrays lie. */
export interface WeightPlace {
  /** Name of the layer of the model that holds them. */
  readonly layer: string;
  readonly className: string;
  /** How many layers of this class that have weights come before it. */
  readonly ordinal: number;
  /** From the layer down to its cell, as attribute names: `cell`, `layer`, `cell/cells/gru_cell_1`. */
  readonly inner: string;
}

export interface WeightSource {
  /** The next `count` arrays of the layer, in Keras' order. May give fewer or more than asked for, which the caller refuses. */
  take(place: WeightPlace, count: number): Tensor[];
  /** Refuses a file with weights that no layer asked for. */
  finish(): void;
}

export interface SavedModel {
  /** Sequential or Functional: {class_name, config}. */
  readonly topology: Json;
  readonly version: Version;
  readonly weights: WeightSource;
  /** The vocabulary file of the first layer of a class, where the format has any. */
  vocabularyFile?(className: string): Uint8Array | undefined;
}

/** Weights that lie in lists by layer: taken from the front. */
export class ListedWeights implements WeightSource {
  private readonly next = new Map<string, number>();

  constructor(
    private readonly of: (layer: string) => readonly Tensor[],
    private readonly refuseLeftover: (tensor: Tensor) => Error,
  ) {}

  take({ layer }: WeightPlace, count: number): Tensor[] {
    const start = this.next.get(layer) ?? 0;
    this.next.set(layer, start + count);
    return this.of(layer).slice(start, start + count);
  }

  finish(): void {
    for (const [layer, count] of this.next) {
      const leftover = this.of(layer)[count];
      if (leftover !== undefined) throw this.refuseLeftover(leftover);
    }
  }
}

/** `gru/gru_cell/recurrent_kernel:0` is a recurrent_kernel. */
export const roleOf = (name: string): string =>
  (name.split('/').at(-1) ?? '').replace(/:\d+$/, '').replace(/_\d+$/, '');
